"""Mirroring that knows what signs mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.classes import NEVER
from detaug.outline import Array, inverses, products
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation
from detaug.scenes.scene import Role
from detaug.scenes.stage import Stage

_TILE = int(Role.TILE)
_SIDES_SWAPPED = [2, 1, 0, 3]


@dataclass(frozen=True, kw_only=True)
class Flip(BlockOperation):
    """Mirror each tile in its own region, left for right, and each pasted sign in its own box.

    A tile is mirrored only if the region it shows has no object of a class that never mirrors; a pasted sign goes with
    its tile's place, but its picture is mirrored by its own class alone. Partner classes trade labels.

    Attributes:
        p: with which probability each layer that may be mirrored is.
    """

    p: float = 0.5

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """One for each layer."""
        return int(block.counts().max(initial=0))

    def picks(self, first: Array) -> NDArray[np.bool_]:
        """All scenes: the chance is drawn per layer."""
        return np.full(len(first), self.p > 0)

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """The scenes with some layers mirrored."""
        mirror = stage.catalog.classes.mirror
        first = np.searchsorted(block.scene, np.arange(len(block)))
        drawn = chance[block.scene, np.arange(len(block.scene)) - first[block.scene]]
        wanted = allowed(block, mirror) & (drawn < self.p) & on[block.scene]
        if not wanted.any():
            return block
        matrix, own = block.matrix.copy(), wanted.copy()
        turned = wanted & (block.role == _TILE)
        laid = np.flatnonzero((block.role != _TILE) & wanted[block.host])
        if len(laid):
            host = block.host[laid]
            # The host's mirroring turns the donor's picture as well: undo that where it is not wanted.
            back = inverses(block.matrix[host])
            matrix[laid] = products(
                products(mirrored(block.matrix[host], block.region[host]), back), block.matrix[laid]
            )
            own[laid] = ~wanted[laid]
        layers = np.flatnonzero(own)
        matrix[layers] = mirrored(matrix[layers], block.region[layers])
        # Objects outside the region are not seen and may be of a class that never mirrors: they keep their label.
        trades = wanted[block.layer] & (mirror[block.label] != NEVER)
        return block.changed(
            matrix=matrix,
            label=np.where(trades, mirror[block.label], block.label),
            under=np.where(turned[:, None], block.under[:, _SIDES_SWAPPED], block.under),
            free=np.where(turned[:, None], block.free[:, _SIDES_SWAPPED], block.free),
        )


def allowed(block: Block, mirror: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(L,) layers whose region touches no object of a class that never mirrors."""
    free = np.ones(len(block.image), bool)
    objects = np.flatnonzero(mirror[block.label] == NEVER)
    layers, box = block.layer[objects], block.box[objects]
    region = block.region[layers]
    touched = (box[:, :2] < region[:, 2:]) & (region[:, :2] < box[:, 2:])
    free[layers[touched[:, 0] & touched[:, 1]]] = False
    return free


def mirrored(matrix: Array, region: Array) -> Array:
    """The matrices (..., 3, 3) after mirroring left for right about the middle of their regions (..., 4)."""
    result = matrix.copy()
    result[..., 0] = -matrix[..., 0]
    result[..., 2] += (region[..., 0] + region[..., 2])[..., None] * matrix[..., 0]
    return result
