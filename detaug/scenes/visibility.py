"""How much of each object of a scene is seen: what every cut and everything on top leave of its outline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, starmap

import numpy as np
from numpy.typing import NDArray

from detaug.clipping import Points, area, clipped, without
from detaug.outline import UNIT_POLYGONS, Array, Outline
from detaug.readers.catalog import spans
from detaug.scenes.ellipses import cut_once
from detaug.scenes.scene import Layers, Role, Scene

# For cutting, an ellipse has 64 corners; for what covers it, 16 are enough, as its own area is counted from the same.
CORNERS: dict[int, Points] = {code: [(x, y) for x, y in p.tolist()] for code, p in UNIT_POLYGONS.items()}
COARSE = CORNERS | {int(Outline.ELLIPSE): CORNERS[Outline.ELLIPSE][::4]}
CORNERS_AREA = {code: area(points) for code, points in CORNERS.items()}
COARSE_AREA = {code: area(points) for code, points in COARSE.items()}
_TILE = int(Role.TILE)


def measured(scene: Scene) -> tuple[Array, Array]:
    """The (N, 4) boxes after every cut and the (N,) visible shares of all objects of a scene, kept or not."""
    return all_measured((scene,))


def all_measured(scenes: Sequence[Scene]) -> tuple[Array, Array]:
    """What `measured` gives for each of some scenes of one canvas size, bit for bit, at a third of the cost.

    Returns:
        The boxes and the visible shares, one scene's after the other's.
    """
    every = _Joined.of(scenes)
    canvas = np.array([0, 0, every.size[1], every.size[0]], float)
    boxes = every.hulls()
    region = every.region[every.layer]
    in_region, in_canvas = _inside(every.box, region), _inside(boxes, canvas[None])
    outside = np.asarray(((boxes[:, 2:] <= 0) | (boxes[:, :2] >= canvas[2:])).any(1), bool)
    outside |= ((every.box[:, 2:] < region[:, :2]) | (every.box[:, :2] > region[:, 2:])).any(1)  # most, cheaply
    covers = _covers(every)
    on_top = _on_top(every, boxes, covers)
    share = np.where(outside, 0.0, 1.0)
    bare = ~on_top.any(1)
    looks = ~outside & ~(in_region & in_canvas & bare)
    round_ = np.flatnonzero(looks & bare & (every.shape == int(Outline.ELLIPSE)))
    once, hulls, shares = cut_once(every.box[round_], every.matrix[every.layer[round_]], region[round_], every.size)
    boxes[round_[once]], share[round_[once]], looks[round_[once]] = hulls, shares, False
    looked = np.flatnonzero(looks)
    cuts = zip(in_region[looked].tolist(), in_canvas[looked].tolist(), every.outlines(looked), strict=True)
    for i, (whole_region, whole_canvas, outline) in zip(looked.tolist(), cuts, strict=True):
        whole = whole_region and whole_canvas
        part = outline.seen(whole_region, None if whole_canvas else canvas.tolist())
        if len(part) < 3:
            share[i] = 0
            continue
        if not whole:
            across, down = zip(*part, strict=True)
            boxes[i] = min(across), min(down), max(across), max(down)
        pieces = [part]
        for top in np.flatnonzero(on_top[i]).tolist():
            pieces = without(pieces, covers[top].points)
        full = outline.area(whole)
        share[i] = sum(area(piece) for piece in pieces) / full if full > 0 else 0
    return np.minimum(np.maximum(boxes, 0), np.tile(canvas[2:], 2)), np.minimum(share, 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Joined(Layers):
    """The layers and objects of several scenes, one scene after the other; fields as in `Block`."""

    size: tuple[int, int]
    objects: list[slice]
    scene: NDArray[np.int64]
    region: Array
    matrix: Array
    role: NDArray[np.uint8]
    outline: NDArray[np.uint8]
    group: NDArray[np.uint8]
    box: Array
    layer: NDArray[np.int64]
    shape: NDArray[np.uint8]

    @classmethod
    def of(cls, scenes: Sequence[Scene]) -> "_Joined":
        layers, things = [len(s.image) for s in scenes], [len(s.box) for s in scenes]
        starts = [0, *accumulate(things)]
        names = ("region", "matrix", "role", "outline", "group", "box", "shape")
        return cls(
            size=scenes[0].size,
            objects=[slice(*ends) for ends in pairwise(starts)],
            scene=np.repeat(np.arange(len(scenes)), layers),
            layer=np.concatenate([s.layer for s in scenes]) + np.repeat([0, *accumulate(layers[:-1])], things),
            **{name: np.concatenate([getattr(s, name) for s in scenes]) for name in names},
        )

    def outlines(self, rows: NDArray[np.int64]) -> Iterator["_Outline"]:
        """The outlines of some objects."""
        layer = self.layer[rows]
        numbers = (self.shape[rows], self.box[rows], self.matrix[layer, :2], self.region[layer])
        return starmap(_Outline, zip(*(array.tolist() for array in numbers), strict=True))


@dataclass(frozen=True, slots=True)
class _Outline:
    """One object's outline as plain numbers.

    Attributes:
        shape: `Outline` code.
        box: source pixels that it is inscribed in.
        matrix: its two rows a b x, c d y lead to the canvas.
        region: what its layer may show, source pixels.
    """

    shape: int
    box: list[float]
    matrix: list[list[float]]
    region: list[float]

    def seen(self, inside: bool, canvas: Sequence[float] | None) -> Points:
        """The part inside the layer's region and the canvas, in canvas pixels.

        Args:
            inside: whether all of it lies inside the region.
            canvas: what it is cut by; None where all of it lies inside.
        """
        points = _inscribed((COARSE if inside and canvas is None else CORNERS)[self.shape], self.box)
        points = _carried(points if inside else clipped(points, self.region), self.matrix)
        return points if canvas is None else clipped(points, canvas)

    def area(self, whole: bool) -> float:
        """The area of the polygon that stands for the whole object, in canvas pixels."""
        x1, y1, x2, y2 = self.box
        (m, n, _), (o, p, _) = self.matrix
        unit = (COARSE_AREA if whole else CORNERS_AREA)[self.shape]
        return float(unit * (x2 - x1) * (y2 - y1) / 4 * abs(m * p - n * o))


def _inscribed(corners: Points, box: list[float]) -> Points:
    """Corners in the unit square, brought into a box."""
    x1, y1, x2, y2 = box
    x, y, a, b = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
    return [(x + a * u, y + b * v) for u, v in corners]


def _carried(points: Points, matrix: list[list[float]]) -> Points:
    (m, n, s), (o, p, t) = matrix
    return [(m * u + n * v + s, o * u + p * v + t) for u, v in points]


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


def _covers(every: _Joined) -> list[_Cover]:
    rows = np.flatnonzero(every.role != _TILE)
    numbers = (rows, every.outline[rows], every.region[rows], every.matrix[rows, :2])
    found = []
    for layer, outline, box, matrix in zip(*(array.tolist() for array in numbers), strict=True):
        points = _carried(_inscribed(COARSE[outline], box), matrix)
        across, down = zip(*points, strict=True)
        found.append(_Cover(layer, (min(across), min(down), max(across), max(down)), points))
    return found


def _on_top(every: _Joined, boxes: Array, covers: list[_Cover]) -> NDArray[np.bool_]:
    """(N, covers) whether a cover lies over an object: later, in the same group, and their boxes meet."""
    on_top = np.zeros((len(boxes), len(covers)), bool)
    if not covers:
        return on_top
    layer = np.array([c.layer for c in covers], np.int64)
    starts, stops = np.array([(o.start, o.stop) for o in every.objects]).T
    scene = every.scene[layer]
    counts = (stops - starts)[scene]
    cover, thing = np.repeat(np.arange(len(covers)), counts), spans(starts[scene], counts)  # pairs of one scene
    own, over = every.layer[thing], layer[cover]
    hull, box = np.array([c.hull for c in covers])[cover], boxes[thing]
    meets = (over > own) & (every.group[over] == every.group[own])
    meets &= (box[:, 0] < hull[:, 2]) & (hull[:, 0] < box[:, 2]) & (box[:, 1] < hull[:, 3]) & (hull[:, 1] < box[:, 3])
    on_top[thing[meets], cover[meets]] = True
    return on_top
