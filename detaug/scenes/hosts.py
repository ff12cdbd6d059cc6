"""The tiles of scenes as places to paste on, and what is already taken."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array, carried_points, spread_sides
from detaug.scenes.block import Block
from detaug.scenes.scene import Role
from detaug.scenes.stage import Stage
from detaug.scenes.visibility import CORNERS_AREA

_FILLED = np.array([CORNERS_AREA[k] / 4 for k in sorted(CORNERS_AREA)])  # an outline's share of its box
_TILE = int(Role.TILE)


@dataclass(frozen=True, slots=True, eq=False)
class Hosts:
    """The tiles of B scenes as places to paste on, and what is already taken; n tiles, T taken boxes.

    Attributes:
        size: canvas height and width.
        layer: (n,) index of each tile in the block.
        first: (B + 1,) where each scene's tiles begin in `layer`.
        matrix: (n, 3, 3) host pixels to canvas pixels.
        region: (n, 4) host pixels that are shown.
        sides: (n, 2) width and height of the whole host image.
        scale: (n,) canvas pixels per host pixel.
        signs: (S, 4) box in host pixels of each object of a tile.
        place: (S,) the tile's place in `layer`.
        first_sign: (B + 1,) where each scene's begin in `signs`.
        taken: (T, 4) canvas boxes of what must stay visible.
        first_taken: (B + 1,) where each scene's begin in `taken`.
        room: (T,) canvas pixels of each that may be covered.
    """

    size: tuple[int, int]
    layer: NDArray[np.int64]
    first: NDArray[np.int64]
    matrix: Array
    region: Array
    sides: Array
    scale: Array
    signs: Array
    place: NDArray[np.int64]
    first_sign: NDArray[np.int64]
    taken: Array
    first_taken: NDArray[np.int64]
    room: Array

    @classmethod
    def of(cls, block: Block, stage: Stage, overlap: float) -> "Hosts":
        """The tiles of the scenes and their objects, of each of which a share `overlap` may be covered."""
        layer, every = np.flatnonzero(block.role == _TILE), np.arange(len(block) + 1)
        owner = block.scene[block.layer]
        # The boxes of the objects' boxes: what they take at most where a tile is turned.
        objects = block.matrix[block.layer]
        middle = carried_points(objects, 0.5 * (block.box[:, :2] + block.box[:, 2:]))
        half = 0.5 * (block.box[:, 2:] - block.box[:, :2])
        spread = spread_sides(objects, half)
        area = np.abs(objects[:, 0, 0] * objects[:, 1, 1] - objects[:, 0, 1] * objects[:, 1, 0])
        owned = np.flatnonzero(block.role[block.layer] == _TILE)
        matrix = block.matrix[layer]
        return cls(
            size=block.size,
            layer=layer,
            first=np.searchsorted(block.scene[layer], every),
            matrix=matrix,
            region=block.region[layer],
            sides=stage.catalog.sizes[block.image[layer]][:, ::-1].astype(np.float64),
            scale=np.sqrt(np.abs(matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0])),
            signs=block.box[owned],
            place=np.searchsorted(layer, block.layer[owned]),
            first_sign=np.searchsorted(owner[owned], every),
            taken=np.concatenate([middle - spread, middle + spread], 1),
            first_taken=np.searchsorted(owner, every),
            room=4 * overlap * area * half[:, 0] * half[:, 1] * _FILLED[block.shape],
        )
