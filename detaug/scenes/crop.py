"""A window into a single image, at full sharpness."""

from dataclasses import dataclass

import numpy as np

from detaug.scenes.operation import Operation, wider_log
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage
from detaug.scenes.window import Layout, Look, windowed


@dataclass(frozen=True, kw_only=True)
class Crop(Operation):
    """Fill the canvas with a window of the image; a mosaic is left as it is, since its tiles are windows already.

    Attributes:
        scale_range: scale relative to the image fitted to the canvas; it is raised as far as filling it needs.
        focus: probability that the window is placed round one of the image's signs, rare classes first.
        multiply: how many times as wide the range of scale is where the image holds a rare class.
        candidates: places that are tried; the one at which most of the signs are kept is taken.
    """

    p: float = 0.5
    scale_range: tuple[float, float] = (1.0, 2.0)
    focus: float = 0.8
    multiply: float = 1.0
    candidates: int = 4

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The window, or the scene itself if it shows several images."""
        if len(scene.image) > 1:
            return scene
        factor = self.multiply if self.multiply != 1 and stage.multiplies(scene) else 1.0
        look = Look(wider_log(self.scale_range, factor), self.focus, self.candidates)
        return windowed(scene, Layout.whole(scene.size), stage, look, rng)
