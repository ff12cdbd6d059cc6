"""Filling parts of the canvas with windows into images."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.levels import grid
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage

KEEP_SIDE = 8.0  # canvas pixels; a sign made smaller than this teaches nothing
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """C ways to cut the canvas into T rectangles, which a tile each fills.

    Attributes:
        areas: (C, T, 4) x1 y1 x2 y2 in canvas pixels.
        far: (T, 2) whether the tile's right (bottom) side is fixed to its rectangle's, else its left (top) side; the
            other side may reach beyond.
    """

    areas: Array
    far: NDArray[np.bool_]

    @classmethod
    def whole(cls, size: tuple[int, int]) -> "Layout":
        """One tile on the whole canvas."""
        return cls(np.array([[[0, 0, size[1], size[0]]]], float), np.zeros((1, 2), bool))


@dataclass(frozen=True, slots=True)
class Look:
    """How windows are chosen.

    Attributes:
        scale_range: scale relative to the fitted image's; more where filling the rectangle needs it.
        focus: probability that a window is placed round one of its image's objects, rare classes first.
        candidates: places that are tried for each window; the one that keeps most of the objects is taken.
    """

    scale_range: tuple[float, float]
    focus: float
    candidates: int


def windowed(whole: Scene, layout: Layout, stage: Stage, look: Look, rng: np.random.Generator) -> Scene:
    """The tiles whose images fill the rectangles of a layout, at random scales and places.

    Args:
        whole: T whole fitted images; there is no fill colour inside a rectangle, so a small image is enlarged as far
            as that needs.
        layout: one or several ways to cut the canvas; the one that keeps most of the objects is taken.
        stage: for the class weights.
        look: how windows are chosen.
        rng: T (2 + 2 C K) random numbers are drawn, whatever the images hold.
    """
    areas, far, most = layout.areas, layout.far, whole.region[:, 2:]
    chance, places = rng.random((len(most), 2)), rng.random((len(areas), len(most), look.candidates, 2))
    weights = stage.weights[whole.label]
    target, sought = _sought(whole, weights, chance[:, 1], look.focus)
    sides = areas[:, :, 2:] - areas[:, :, :2]
    low, high = look.scale_range
    scale = whole.matrix[:, 0, 0] * low * (high / low) ** chance[:, 0]
    scale = np.maximum(_suited(scale, target, sought, sides), (sides / most).max(2))  # (C, T)
    length = np.minimum(sides / scale[:, :, None], most)
    step = np.array([grid(int(h), int(w), whole.size) for w, h in most.tolist()])
    first, last = _room(length, most - length, step, target, sought)
    start, end = _snapped(first[:, :, None] + places * (last - first)[:, :, None], length, step, most)
    way, place = _best(whole, weights, start, end)
    tile = np.arange(len(most))
    start, end, scale, area = start[way, tile, place], end[way, tile, place], scale[way], areas[way]
    matrix = np.zeros((len(most), 3, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale
    matrix[:, :2, 2] = np.where(far, area[:, 2:] - scale[:, None] * end, area[:, :2] - scale[:, None] * start)
    matrix[:, 2, 2] = 1
    return whole.changed(
        region=np.concatenate([start, end], axis=1), matrix=matrix, free=np.concatenate([far, ~far], axis=1)
    )


def _sought(whole: Scene, weights: Array, chance: Array, focus: float) -> tuple[Array, NDArray[np.bool_]]:
    """(T, 4) the source box to keep in view and (T,) whether there is one; `chance` decides both if and which."""
    target, sought = np.zeros((len(chance), 4)), np.zeros(len(chance), bool)
    ends = np.searchsorted(whole.layer, np.arange(len(chance) + 1)).tolist()
    for tile, drawn in enumerate(chance.tolist()):
        start, stop = ends[tile], ends[tile + 1]
        if drawn >= focus or start == stop:
            continue
        sums = list(accumulate(weights[start:stop].tolist()))
        wanted = drawn / focus * sums[-1]
        target[tile] = whole.box[start + next((i for i, s in enumerate(sums) if s > wanted), len(sums) - 1)]
        sought[tile] = True
    return target, sought


def _suited(scale: Array, target: Array, sought: NDArray[np.bool_], sides: Array) -> Array:
    """(C, T) scales at which the sought object is large enough to learn and small enough to be seen whole."""
    if not sought.any():
        return np.broadcast_to(scale, sides.shape[:2])
    extent = np.where(sought[:, None], target[:, 2:] - target[:, :2], 1.0)
    suited = np.minimum(np.maximum(scale, KEEP_SIDE / extent.min(1)), 0.9 * (sides / extent).min(2))
    return np.where(sought, suited, scale)


def _room(length: Array, room: Array, step: Array, target: Array, sought: NDArray[np.bool_]) -> tuple[Array, Array]:
    """(C, T, 2) the first and the last place where a window may begin."""
    if not sought.any():
        return np.zeros_like(room), room
    # The target stays whole where there is room for it; the grid may move the window back by up to a step.
    first, last = target[:, 2:] - length + step, np.broadcast_to(target[:, :2], length.shape)
    crossed = first > last
    if crossed.any():
        middle = (first + last) / 2
        first, last = np.where(crossed, middle, first), np.where(crossed, middle, last)
    first, last = (np.minimum(np.maximum(v, 0), room) for v in (first, last))
    return np.where(sought[:, None], first, 0), np.where(sought[:, None], last, room)


def _snapped(start: Array, length: Array, step: Array, most: Array) -> tuple[Array, Array]:
    """(C, T, K, 2) where windows begin and end: on the grid, inside the image, at least `length` apart."""
    step, most, length = step[:, None], most[:, None], length[:, :, None]
    start = np.minimum(np.floor(start / step + _ROUNDING) * step, most)
    end = np.minimum(np.ceil((start + length) / step - _ROUNDING) * step, most)
    short = end - start < length
    if short.any():  # the image's end was met: begin earlier
        start = np.where(short, np.maximum(np.floor((end - length) / step + _ROUNDING) * step, 0), start)
    return start, end


def _best(whole: Scene, weights: Array, start: Array, end: Array) -> tuple[int, NDArray[np.int64]]:
    """The layout and for each of its tiles the candidate that keep most of the objects.

    What counts is the square of the share that is kept: a whole sign is worth more than two halves.
    """
    ways, tiles, places = start.shape[:3]
    if ways * places == 1 or len(weights) == 0:
        return 0, np.zeros(tiles, np.int64)
    box = whole.box[:, None]
    kept = np.minimum(box[..., 2:], end[:, whole.layer]) - np.maximum(box[..., :2], start[:, whole.layer])
    kept = np.maximum(kept, 0)
    share = kept[..., 0] * kept[..., 1] / ((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]))
    own = np.where(whole.layer == np.arange(tiles)[:, None], weights, 0.0)  # (T, N)
    worth = own @ (share * share)  # (C, T, K)
    way = int(worth.max(2).sum(1).argmax()) if ways > 1 else 0
    return way, worth[way].argmax(1)


def widened(scene: Scene, stage: Stage, reach: float) -> Scene:
    """Free sides moved outwards, so that turning the canvas shows more of the image instead of fill colour.

    Args:
        scene: any scene.
        stage: for the class table: a mirrored tile is not widened where its image holds a class that never mirrors.
        reach: canvas pixels to move each side by, as far as the image goes.
    """
    layers = np.flatnonzero(scene.free.any(1))
    if len(layers) == 0:
        return scene
    linear = scene.matrix[layers]
    whole = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    if (whole < 0).any():
        layers, whole = _mirrorable(scene, stage, layers, whole)
    sizes = stage.catalog.sizes[scene.image[layers]].tolist()
    step = np.array([grid(h, w, scene.size) for h, w in sizes]).reshape(-1, 2)
    most = np.array(sizes, float).reshape(-1, 2)[:, ::-1]
    moved = (reach / np.sqrt(np.abs(whole)))[:, None]
    region = scene.region[layers]
    low = np.maximum(np.floor((region[:, :2] - moved) / step + _ROUNDING) * step, 0)
    high = np.minimum(np.ceil((region[:, 2:] + moved) / step - _ROUNDING) * step, most)
    wide = scene.region.copy()
    wide[layers] = np.where(scene.free[layers], np.concatenate([low, high], axis=1), region)
    return scene.changed(region=wide)


def _mirrorable(scene: Scene, stage: Stage, layers: NDArray[np.int64], whole: Array) -> tuple[NDArray[np.int64], Array]:
    """The layers, and their determinants, less the mirrored ones whose image holds a class that never mirrors."""
    catalog = stage.catalog

    def never(row: int) -> bool:
        return bool((catalog.classes.mirror[catalog.labels[catalog.objects(row)]] < 0).any())

    kept = [i for i, layer in enumerate(layers.tolist()) if whole[i] > 0 or not never(int(scene.image[layer]))]
    return layers[kept], whole[kept]
