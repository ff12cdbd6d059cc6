"""From a planned scene to its boxes: what is left of each object after every cut and everything on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.scene import Scene
from detaug.scenes.visibility import all_measured, measured

_TRACE = 1e-6  # of an outline; less is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """The objects of a scene that are kept, K of them.

    Attributes:
        boxes: (K, 4) float32 canvas pixels: the hull of outline, tile and canvas together.
        labels: (K,) int64.
        share: (K,) float64, visible share of the whole outline, in 0 to 1.
        objects: (K,) int64, their index in the scene's objects.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    share: Array
    objects: NDArray[np.int64]


def finish(scene: Scene, min_visible: float = 0.0, min_side: float = 0.0) -> Visible:
    """Boxes, labels and visible shares.

    A box is not made smaller by what is pasted on top; that counts in the share alone. Opacity counts in neither.

    Args:
        scene: the plan.
        min_visible: objects of which less is left are dropped.
        min_side: objects whose box has a shorter side, in canvas pixels, are dropped.
    """
    return finished((scene,), min_visible, min_side)[0]


def finished(scenes: Sequence[Scene], min_visible: float = 0.0, min_side: float = 0.0) -> list[Visible]:
    """What `finish` gives for each of some scenes, bit for bit, at a third of the cost."""
    if not scenes:
        return []
    boxes, share = all_measured(scenes)
    kept = np.flatnonzero((share > _TRACE) & _enough(boxes, share, min_visible, min_side))
    rounded, share = boxes[kept].astype(np.float32), share[kept]
    firsts = np.cumsum([0, *(len(scene.box) for scene in scenes)])
    ends, found = np.searchsorted(kept, firsts).tolist(), []
    for scene, first, (start, stop) in zip(scenes, firsts[:-1].tolist(), pairwise(ends), strict=True):
        objects = kept[start:stop] - first
        found.append(Visible(rounded[start:stop], scene.label[objects], share[start:stop], objects))
    return found


def _enough(boxes: Array, share: Array, min_visible: float, min_side: float) -> NDArray[np.bool_]:
    sides = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf)
    return np.asarray((share >= min_visible) & (sides >= max(min_side, 1e-3)), bool)


def without_remnants(scene: Scene, min_visible: float, min_side: float) -> Scene:
    """The scene with what is left of objects that `finish` drops painted over: no sign is taught to be background.

    A remnant whose box meets a kept object's box is left.
    """
    boxes, share = measured(scene)
    seen = share > _TRACE
    kept = seen & _enough(boxes, share, min_visible, min_side)
    group = scene.group[scene.layer]
    apart = [i for i in np.flatnonzero(seen & ~kept) if not _touches(boxes[i], boxes[kept & (group == group[i])])]
    return scene.changed(erased=boxes[apart], erased_group=group[apart])


def _touches(box: Array, others: Array) -> bool:
    return bool(((box[:2] < others[:, 2:]) & (others[:, :2] < box[2:])).all(1).any())
