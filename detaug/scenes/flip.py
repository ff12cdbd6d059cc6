"""Mirroring that knows what signs mean."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detaug.classes import NEVER
from detaug.outline import Array, inverse
from detaug.scenes.operation import Operation
from detaug.scenes.scene import Role, Scene
from detaug.scenes.stage import Stage

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
        matrix = scene.matrix.copy()
        for layer in range(len(scene.image)):
            own = wanted[layer]
            if scene.role[layer] != Role.TILE:
                host = scene.host[layer]
                # The host's mirroring turned the donor's picture as well: undo that where it is not wanted.
                if wanted[host]:
                    matrix[layer] = matrix[host] @ inverse(scene.matrix[host]) @ scene.matrix[layer]
                own = wanted[layer] != wanted[host]
            if own:
                matrix[layer] = matrix[layer] @ mirrored_in(scene.region[layer])
        # Objects outside the region are not seen and may be of a class that never mirrors: they keep their label.
        trades = wanted[scene.layer] & (mirror[scene.label] != NEVER)
        label = np.where(trades, mirror[scene.label], scene.label).astype(np.int64)
        turned = wanted & (scene.role == Role.TILE)
        return replace(
            scene,
            matrix=matrix,
            label=label,
            under=np.where(turned[:, None], scene.under[:, _SIDES_SWAPPED], scene.under),
            free=np.where(turned[:, None], scene.free[:, _SIDES_SWAPPED], scene.free),
        )

    def happens(self, rng: np.random.Generator) -> bool:  # noqa: ARG002
        """Always: the chance is drawn per layer."""
        return self.p > 0


def allowed(scene: Scene, mirror: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(L,) layers whose region touches no object of a class that never mirrors."""
    free = np.ones(len(scene.image), bool)
    region = scene.region[scene.layer]
    touched = (scene.box[:, :2] < region[:, 2:]).all(1) & (region[:, :2] < scene.box[:, 2:]).all(1)
    free[scene.layer[touched & (mirror[scene.label] == NEVER)]] = False
    return free


def mirrored_in(region: Array) -> Array:
    """The (3, 3) matrix that mirrors left for right about the middle of a region (4,)."""
    return np.array([[-1, 0, region[0] + region[2]], [0, 1, 0], [0, 0, 1.0]])
