"""Four images in one (Bochkovskiy et al., "YOLOv4", 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from detaug.errors import InputError
from detaug.scenes.operation import Operation
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage
from detaug.scenes.window import Layout, Look, windowed

# Tiles are painted in this order: the right and the lower neighbour lie on top.
_UNDER = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], bool)
_FAR = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], bool)


@dataclass(frozen=True, kw_only=True)
class Mosaic(Operation):
    """Windows of four images meet in a point. Three partners come from the balanced distribution.

    Attributes:
        centre_range: where the tiles meet, as a share of the canvas, drawn for each axis.
        scale_range: each tile's scale relative to its image fitted to the canvas.
        focus: probability that a tile's window is placed round one of its signs, rare classes first.
        centres: meeting points that are tried; the one at which most of the signs are kept is taken.
        candidates: places that are tried for each tile's window, likewise.
    """

    mixes: ClassVar[bool] = True

    p: float = 0.5
    centre_range: tuple[float, float] = (0.35, 0.65)
    scale_range: tuple[float, float] = (0.6, 1.2)
    focus: float = 0.8
    centres: int = 2
    candidates: int = 4

    def __post_init__(self) -> None:
        Operation.__post_init__(self)
        for name in ("centres", "candidates"):
            if not 1 <= getattr(self, name) <= 64:
                raise InputError(f"mosaic.{name} is a number from 1 to 64, not {getattr(self, name)}.")

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene's image and three partners, each filling its quarter."""
        height, width = scene.size
        low, high = self.centre_range
        x, y = np.rint((low + (high - low) * rng.random((2, self.centres))) * [[width], [height]])
        areas = np.zeros((self.centres, 4, 4))
        areas[:, [1, 3], 0] = areas[:, [0, 2], 2] = x[:, None]
        areas[:, [2, 3], 1] = areas[:, [0, 1], 3] = y[:, None]
        areas[:, [1, 3], 2], areas[:, [2, 3], 3] = width, height
        rows = [stage.partner(rng) for _ in range(3)]
        rows.insert(int(rng.random() * 4), int(scene.image[0]))
        look = Look(self.scale_range, self.focus, self.candidates)
        tiles = windowed(stage.bases(rows, scene.draw), Layout(areas, _FAR), stage, look, rng)
        return tiles.changed(under=_UNDER)
