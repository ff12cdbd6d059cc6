"""Four images in one (Bochkovskiy et al., "YOLOv4", 2020)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from detaug.scenes.operation import Operation, within
from detaug.scenes.scene import Scene, joined
from detaug.scenes.stage import Stage
from detaug.scenes.window import Area, windowed


@dataclass(frozen=True, kw_only=True)
class Mosaic(Operation):
    """Windows of four images meet in a point. Three partners come from the balanced distribution.

    Attributes:
        centre_range: where the tiles meet, as a share of the canvas, drawn for each axis.
        scale_range: each tile's scale relative to its image fitted to the canvas.
        focus: probability that a tile's window is placed round one of its signs, rare classes first.
    """

    mixes: ClassVar[bool] = True

    p: float = 0.5
    centre_range: tuple[float, float] = (0.35, 0.65)
    scale_range: tuple[float, float] = (0.6, 1.2)
    focus: float = 0.8

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene's image and three partners, each filling its quarter."""
        height, width = scene.size
        x = round(within(self.centre_range, rng) * width)
        y = round(within(self.centre_range, rng) * height)
        areas = (
            Area(0, 0, x, y, right=True, bottom=True),
            Area(x, 0, width, y, bottom=True),
            Area(0, y, x, height, right=True),
            Area(x, y, width, height),
        )
        own = int(rng.integers(4))
        tiles = []
        for place, area in enumerate(areas):
            whole = scene if place == own else stage.base(stage.partner(rng), scene.draw)
            tile = windowed(whole, area, stage, self.scale_range, self.focus, rng)
            # Tiles are painted in this order: the right and the lower neighbour lie on top.
            under = np.array([[False, False, place in (0, 2), place in (0, 1)]])
            tiles.append(replace(tile, under=under))
        return joined(tiles)
