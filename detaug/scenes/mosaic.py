"""Four images in one (Bochkovskiy et al., "YOLOv4", 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation
from detaug.scenes.stage import Stage
from detaug.scenes.window import Layout, Look, windowed

_TILES = 4
# Tiles are painted in this order: the right and the lower neighbour lie on top.
_UNDER = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], bool)
_FAR = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], bool)


@dataclass(frozen=True, kw_only=True)
class Mosaic(BlockOperation):
    """Windows of four images meet in a point. Three partners are balanced as the order is.

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
        BlockOperation.__post_init__(self)
        for name in ("centres", "candidates"):
            if not 1 <= getattr(self, name) <= 64:
                raise InputError(f"mosaic.{name} is a number from 1 to 64, not {getattr(self, name)}.")

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """Three partners, the own image's place, then what centres and windows need."""
        return _TILES + 2 * self.centres + self._look.numbers(self.centres, _TILES)

    @property
    def _look(self) -> Look:
        return Look(self.scale_range, self.focus, self.candidates)

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """Each scene's first image and three partners, each filling its quarter."""
        scenes = np.flatnonzero(on)
        if len(scenes) == 0:
            return block
        chance = chance[scenes]
        first = block.image[np.searchsorted(block.scene, scenes)]
        rows = _placed(first, stage.partners(block.draws, scenes, chance[:, : _TILES - 1]), chance[:, _TILES - 1])
        tiles = stage.bases(rows.ravel(), np.repeat(scenes, _TILES), block.draws)
        areas = self._areas(chance[:, _TILES : _TILES + 2 * self.centres], block.size)
        layout = Layout(areas, np.tile(_FAR, (len(scenes), 1)), _TILES)
        tiles = windowed(tiles, layout, stage, self._look, chance[:, _TILES + 2 * self.centres :])
        return block.without(on).joined(tiles.changed(under=np.tile(_UNDER, (len(scenes), 1))))

    def _areas(self, chance: Array, size: tuple[int, int]) -> Array:
        """(centres, 4 S, 4) canvas pixels of the tiles of S scenes, round each centre."""
        height, width = size
        low, high = self.centre_range
        meet = np.rint((low + (high - low) * chance.reshape(-1, self.centres, 2)) * [width, height])
        x, y = meet[:, :, 0].T, meet[:, :, 1].T
        areas = np.zeros((self.centres, len(chance), _TILES, 4))
        areas[:, :, [1, 3], 0] = areas[:, :, [0, 2], 2] = x[:, :, None]
        areas[:, :, [2, 3], 1] = areas[:, :, [0, 1], 3] = y[:, :, None]
        areas[:, :, [1, 3], 2], areas[:, :, [2, 3], 3] = width, height
        return areas.reshape(self.centres, -1, 4)


def _placed(own: NDArray[np.int64], partners: NDArray[np.int64], chance: Array) -> NDArray[np.int64]:
    """(S, 4) image rows: each scene's own (S,) in one of the four places, its partners (S, 3) in the others.

    >>> _placed(np.array([7]), np.array([[1, 2, 3]]), np.array([0.3])).tolist()
    [[1, 7, 2, 3]]
    """
    place, tile = (chance * _TILES).astype(np.int64)[:, None], np.arange(_TILES)
    others = np.take_along_axis(partners, np.minimum(tile - (tile > place), _TILES - 2), axis=1)
    return np.where(tile == place, own[:, None], others)
