"""From a planned scene to its boxes: what is left of each object after every cut and everything on top."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.clipping import Points, area, clipped, without
from detaug.outline import UNIT_POLYGONS, Array, Outline
from detaug.scenes.scene import Role, Scene

# For cutting, an ellipse has 64 corners; for what covers it, 16 are enough, as its own area is counted from the same.
CORNERS: dict[int, Points] = {code: [(x, y) for x, y in p.tolist()] for code, p in UNIT_POLYGONS.items()}
COARSE = CORNERS | {int(Outline.ELLIPSE): CORNERS[Outline.ELLIPSE][::4]}
CORNERS_AREA = {code: area(points) for code, points in CORNERS.items()}
COARSE_AREA = {code: area(points) for code, points in COARSE.items()}
_TILE = int(Role.TILE)


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


def without_remnants(scene: Scene, min_visible: float, min_side: float) -> Scene:
    """The scene with what is left of objects that `finish` drops painted over: no sign is taught to be background.

    A remnant whose box meets a kept object's box is left.
    """
    boxes, share = measured(scene)
    sides = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf)
    seen = share > 1e-6
    kept = seen & (share >= min_visible) & (sides >= max(min_side, 1e-3))
    group = scene.group[scene.layer]
    apart = [i for i in np.flatnonzero(seen & ~kept) if not _touches(boxes[i], boxes[kept & (group == group[i])])]
    return scene.changed(erased=boxes[apart], erased_group=group[apart])


def _touches(box: Array, others: Array) -> bool:
    return bool(((box[:2] < others[:, 2:]) & (others[:, :2] < box[2:])).all(1).any())


def measured(scene: Scene) -> tuple[Array, Array]:
    """The (N, 4) boxes after every cut and the (N,) visible shares of all objects, kept or not."""
    height, width = scene.size
    canvas = np.array([0, 0, width, height], float)
    boxes = scene.hulls()
    region = scene.region[scene.layer]
    in_region, in_canvas = _inside(scene.box, region), _inside(boxes, canvas[None])
    outside = np.asarray(((boxes[:, 2:] <= 0) | (boxes[:, :2] >= canvas[2:])).any(1), bool)
    outside |= ((scene.box[:, 2:] < region[:, :2]) | (scene.box[:, :2] > region[:, 2:])).any(1)  # most of them, cheaply
    covers = _covers(scene)
    on_top = _on_top(scene, boxes, covers)
    share = np.where(outside, 0.0, 1.0)
    looked = np.flatnonzero(~outside & ~(in_region & in_canvas & ~on_top.any(1)))
    for i in looked.tolist():
        whole = bool(in_region[i] and in_canvas[i])
        part = _seen(scene, i, whole, None if in_canvas[i] else (0.0, 0.0, float(width), float(height)))
        if len(part) < 3:
            share[i] = 0
            continue
        if not whole:
            across, down = zip(*part, strict=True)
            boxes[i] = min(across), min(down), max(across), max(down)
        pieces = [part]
        for top in np.flatnonzero(on_top[i]).tolist():
            pieces = without(pieces, covers[top].points)
        full = _full_area(scene, i, whole)
        share[i] = sum(area(piece) for piece in pieces) / full if full > 0 else 0
    return np.minimum(np.maximum(boxes, 0), np.tile(canvas[2:], 2)), np.minimum(share, 1)


def _seen(scene: Scene, i: int, whole: bool, canvas: tuple[float, float, float, float] | None) -> Points:
    """The part of an object inside its layer's region and the canvas, in canvas pixels."""
    x1, y1, x2, y2 = scene.box[i].tolist()
    x, y, a, b = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
    layer = scene.layer[i]
    points = [(x + a * u, y + b * v) for u, v in (COARSE if whole else CORNERS)[int(scene.shape[i])]]
    if not whole:
        points = clipped(points, scene.region[layer].tolist())
    (m, n, s), (o, p, t) = scene.matrix[layer, :2].tolist()
    points = [(m * u + n * v + s, o * u + p * v + t) for u, v in points]
    return points if canvas is None else clipped(points, canvas)


def _full_area(scene: Scene, i: int, whole: bool) -> float:
    """The area of the polygon that stands for the whole object, in canvas pixels."""
    x1, y1, x2, y2 = scene.box[i].tolist()
    (m, n), (o, p) = scene.matrix[scene.layer[i], :2, :2].tolist()
    unit = (COARSE_AREA if whole else CORNERS_AREA)[int(scene.shape[i])]
    return float(unit * (x2 - x1) * (y2 - y1) / 4 * abs(m * p - n * o))


def _inside(boxes: Array, around: Array) -> NDArray[np.bool_]:
    """(N,) whether each box lies inside its surrounding box."""
    low = boxes[:, :2] >= around[:, :2] - 1e-6
    high = boxes[:, 2:] <= around[:, 2:] + 1e-6
    return np.asarray((low & high).all(1), bool)


@dataclass(frozen=True, slots=True)
class _Cover:
    """A pasted layer, its canvas hull and its outline on the canvas."""

    layer: int
    hull: tuple[float, float, float, float]
    points: Points


def _covers(scene: Scene) -> list[_Cover]:
    found = []
    for layer in np.flatnonzero(scene.role != _TILE).tolist():
        x1, y1, x2, y2 = scene.region[layer].tolist()
        x, y, a, b = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
        (m, n, s), (o, p, t) = scene.matrix[layer, :2].tolist()
        source = [(x + a * u, y + b * v) for u, v in COARSE[int(scene.outline[layer])]]
        points = [(m * u + n * v + s, o * u + p * v + t) for u, v in source]
        across, down = zip(*points, strict=True)
        found.append(_Cover(layer, (min(across), min(down), max(across), max(down)), points))
    return found


def _on_top(scene: Scene, boxes: Array, covers: list[_Cover]) -> NDArray[np.bool_]:
    """(N, covers) whether a cover lies over an object: later, in the same group, and their boxes meet."""
    layer = np.array([c.layer for c in covers], np.int64)
    hull = np.array([c.hull for c in covers]).reshape(-1, 4)
    meets = (boxes[:, None, :2] < hull[:, 2:]) & (hull[:, :2] < boxes[:, None, 2:])
    own = scene.layer[:, None]
    return np.asarray(meets[..., 0] & meets[..., 1] & (layer > own) & (scene.group[layer] == scene.group[own]))
