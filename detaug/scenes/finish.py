"""From a planned scene to its boxes: what is left of each object after every cut and everything on top."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array, area, clipped, moved, polygon, without
from detaug.scenes.scene import Role, Scene


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
    boxes, share = measured(scene)
    sides = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf)
    kept = np.flatnonzero((share > 1e-6) & (share >= min_visible) & (sides >= max(min_side, 1e-3)))
    return Visible(boxes[kept].astype(np.float32), scene.label[kept], share[kept], kept)


def measured(scene: Scene) -> tuple[Array, Array]:
    """The (N, 4) boxes after every cut and the (N,) visible shares of all objects, kept or not."""
    height, width = scene.size
    canvas = np.array([0, 0, width, height], float)
    boxes = scene.hulls()
    share = np.ones(len(boxes))
    region = scene.region[scene.layer]
    in_region = _inside(scene.box, region)
    in_canvas = _inside(boxes, canvas[None])
    outside = np.asarray(((boxes[:, 2:] <= 0) | (boxes[:, :2] >= canvas[2:])).any(1), bool)
    share[outside] = 0
    covers = _covers(scene)
    for i in np.flatnonzero(~outside):
        layer = scene.layer[i]
        on_top = [c for top, hull, c in covers if _meets(scene, layer, top, boxes[i], hull)]
        if in_region[i] and in_canvas[i] and not on_top:
            continue
        whole = polygon(scene.shape[i], scene.box[i])
        part = whole if in_region[i] else clipped(whole, region[i])
        part = moved(part, scene.matrix[layer])
        full = area(moved(whole, scene.matrix[layer]))
        if not in_canvas[i]:
            part = clipped(part, canvas)
        if len(part) < 3:
            share[i] = 0
            continue
        if not (in_region[i] and in_canvas[i]):
            boxes[i, :2], boxes[i, 2:] = part.min(0), part.max(0)
        pieces = [part]
        for cover in on_top:
            pieces = without(pieces, cover)
        share[i] = sum(area(p) for p in pieces) / full if full > 0 else 0
    np.clip(boxes, 0, np.tile(canvas[2:], 2), out=boxes)
    return boxes, share


def _inside(boxes: Array, around: Array) -> NDArray[np.bool_]:
    """(N,) whether each box lies inside its surrounding box."""
    low = boxes[:, :2] >= around[:, :2] - 1e-6
    high = boxes[:, 2:] <= around[:, 2:] + 1e-6
    return np.asarray((low & high).all(1), bool)


def _covers(scene: Scene) -> list[tuple[int, Array, Array]]:
    """Each pasted layer's index, canvas hull and canvas polygon."""
    found = []
    for layer in np.flatnonzero(scene.role != Role.TILE):
        points = moved(polygon(scene.outline[layer], scene.region[layer]), scene.matrix[layer])
        found.append((int(layer), np.concatenate([points.min(0), points.max(0)]), points))
    return found


def _meets(scene: Scene, layer: int, top: int, box: Array, hull: Array) -> bool:
    """Whether layer `top` lies over an object of `layer`: later, in the same group, and their boxes meet."""
    return bool(
        top > layer
        and scene.group[top] == scene.group[layer]
        and (box[:2] < hull[2:]).all()
        and (hull[:2] < box[2:]).all()
    )
