"""Mirroring that knows what signs mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.classes import NEVER
from detaug.outline import Array, inverse
from detaug.scenes.operation import Operation
from detaug.scenes.scene import Role, Scene
from detaug.scenes.stage import Stage

_TILE = int(Role.TILE)
_SIDES_SWAPPED = [2, 1, 0, 3]


@dataclass(frozen=True, kw_only=True)
class Flip(Operation):
    """Mirror each tile in its own region, left for right, and each pasted sign in its own box.

    A tile is mirrored only if the region it shows has no object of a class that never mirrors; a pasted sign goes with
    its tile's place, but its picture is mirrored by its own class alone. Partner classes trade labels.

    Attributes:
        p: with which probability each layer that may be mirrored is.
    """

    p: float = 0.5

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene with some layers mirrored."""
        mirror = stage.catalog.classes.mirror
        wanted = allowed(scene, mirror) & (rng.random(len(scene.image)) < self.p)
        if not wanted.any():
            return scene
        matrix, own = scene.matrix.copy(), wanted.copy()
        turned = wanted & (scene.role == _TILE)
        for layer in np.flatnonzero((scene.role != _TILE) & wanted[scene.host]):
            host = scene.host[layer]
            # The host's mirroring turns the donor's picture as well: undo that where it is not wanted.
            matrix[layer] = mirrored(scene.matrix[host], scene.region[host]) @ inverse(scene.matrix[host])
            matrix[layer] = matrix[layer] @ scene.matrix[layer]
            own[layer] = not wanted[layer]
        layers = np.flatnonzero(own)
        matrix[layers] = mirrored(matrix[layers], scene.region[layers])
        # Objects outside the region are not seen and may be of a class that never mirrors: they keep their label.
        trades = wanted[scene.layer] & (mirror[scene.label] != NEVER)
        return scene.changed(
            matrix=matrix,
            label=np.where(trades, mirror[scene.label], scene.label),
            under=np.where(turned[:, None], scene.under[:, _SIDES_SWAPPED], scene.under),
            free=np.where(turned[:, None], scene.free[:, _SIDES_SWAPPED], scene.free),
        )

    def happens(self, rng: np.random.Generator) -> bool:  # noqa: ARG002
        """Always: the chance is drawn per layer."""
        return self.p > 0


def allowed(scene: Scene, mirror: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(L,) layers whose region touches no object of a class that never mirrors."""
    free = np.ones(len(scene.image), bool)
    objects = np.flatnonzero(mirror[scene.label] == NEVER)
    if len(objects):
        layers, box = scene.layer[objects], scene.box[objects]
        region = scene.region[layers]
        touched = (box[:, :2] < region[:, 2:]) & (region[:, :2] < box[:, 2:])
        free[layers[touched[:, 0] & touched[:, 1]]] = False
    return free


def mirrored(matrix: Array, region: Array) -> Array:
    """The matrices (..., 3, 3) after mirroring left for right about the middle of their regions (..., 4)."""
    result = matrix.copy()
    result[..., 0] = -matrix[..., 0]
    result[..., 2] += (region[..., 0] + region[..., 2])[..., None] * matrix[..., 0]
    return result
