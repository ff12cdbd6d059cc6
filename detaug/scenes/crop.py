"""A window into a single image, at full sharpness."""

from dataclasses import dataclass

import numpy as np

from detaug.scenes.operation import Operation
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage
from detaug.scenes.window import Area, windowed


@dataclass(frozen=True, kw_only=True)
class Crop(Operation):
    """Fill the canvas with a window of the image; a mosaic is left as it is, since its tiles are windows already.

    Attributes:
        scale_range: scale relative to the image fitted to the canvas; it is raised as far as filling it needs.
        focus: probability that the window is placed round one of the image's signs, rare classes first.
    """

    p: float = 0.5
    scale_range: tuple[float, float] = (1.0, 2.0)
    focus: float = 0.8

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The window, or the scene itself if it shows several images."""
        if len(scene.image) > 1:
            return scene
        height, width = scene.size
        return windowed(scene, Area(0, 0, width, height), stage, self.scale_range, self.focus, rng)
