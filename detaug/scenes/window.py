"""Filling parts of the canvas with windows into images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import between_logs, wider_log
from detaug.scenes.stage import Stage

KEEP_SIDE = 8.0  # canvas pixels; a sign made smaller than this teaches nothing
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """C ways to cut each of S canvases into rectangles, which a tile each fills; T tiles together.

    Attributes:
        areas: (C, T, 4) x1 y1 x2 y2 in canvas pixels.
        far: (T, 2) whether the tile's right (bottom) side is fixed to its rectangle's, else its left (top) side; the
            other side may reach beyond.
        tiles: rectangles of a canvas, T / S.
    """

    areas: Array
    far: NDArray[np.bool_]
    tiles: int

    @classmethod
    def whole(cls, size: tuple[int, int], count: int) -> "Layout":
        """One tile on the whole of each canvas."""
        return cls(np.tile([[[0.0, 0.0, size[1], size[0]]]], (1, count, 1)), np.zeros((count, 2), bool), 1)


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

    def numbers(self, ways: int, tiles: int) -> int:
        """How many random numbers `windowed` needs for a canvas."""
        return tiles * (2 + 2 * ways * self.candidates)

    def scales(self, chance: list[float], wide: list[float]) -> Array:
        """(T,) scales, each from a random number and the factor that widens the range in its logarithm."""
        ranges = {factor: wider_log(self.scale_range, factor) for factor in set(wide)}
        return np.array([between_logs(ranges[f], c) for c, f in zip(chance, wide, strict=True)])


def windowed(whole: Block, layout: Layout, stage: Stage, look: Look, chance: Array, wide: Array | None = None) -> Block:
    """The tiles whose images fill the rectangles of a layout, at random scales and places.

    Args:
        whole: T whole fitted images of S scenes; there is no fill colour inside a rectangle, so a small image is
            enlarged as far as that needs.
        layout: one or several ways to cut each canvas; the one that keeps most of the objects is taken.
        stage: for the class weights.
        look: how windows are chosen.
        chance: (S, `look.numbers`) random numbers.
        wide: (S,) factors that widen the range of scales in its logarithm.
    """
    areas, far, most = layout.areas, layout.far, whole.region[:, 2:]
    scenes, tiles = len(chance), layout.tiles
    first, places = chance[:, : 2 * tiles].reshape(-1, 2), chance[:, 2 * tiles :]
    places = places.reshape(scenes, len(areas), tiles, look.candidates, 2).swapaxes(0, 1).reshape(
        len(areas), -1, look.candidates, 2
    )  # fmt: skip
    target, sought = _sought(whole, stage, first[:, 1], look.focus)
    sides = areas[:, :, 2:] - areas[:, :, :2]
    factors = [1.0] * len(first) if wide is None else np.repeat(wide, tiles).tolist()
    scale = whole.matrix[:, 0, 0] * look.scales(first[:, 0].tolist(), factors)
    scale = np.maximum(_suited(scale, target, sought, sides), (sides / most).max(2))  # (C, T)
    length = np.minimum(sides / scale[:, :, None], most)
    step = stage.steps(whole.image)
    begin, last = _room(length, most - length, step, target, sought)
    start, end = _snapped(begin[:, :, None] + places * (last - begin)[:, :, None], length, step, most)
    way, place = _best(whole, stage, start, end, tiles)
    tile = np.arange(len(most))
    start, end, scale, area = start[way, tile, place], end[way, tile, place], scale[way, tile], areas[way, tile]
    matrix = np.zeros((len(most), 3, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale
    matrix[:, :2, 2] = np.where(far, area[:, 2:] - scale[:, None] * end, area[:, :2] - scale[:, None] * start)
    matrix[:, 2, 2] = 1
    return whole.changed(
        region=np.concatenate([start, end], axis=1), matrix=matrix, free=np.concatenate([far, ~far], axis=1)
    )


def _sought(whole: Block, stage: Stage, chance: Array, focus: float) -> tuple[Array, NDArray[np.bool_]]:
    """(T, 4) the source box to keep in view and (T,) whether there is one; `chance` decides both if and which."""
    tiles = len(chance)
    ends = np.searchsorted(whole.layer, np.arange(tiles + 1))
    sought = (chance < focus) & (ends[1:] > ends[:-1])
    target = np.zeros((tiles, 4))
    own = np.flatnonzero(sought)
    if len(own):
        # In whole numbers, so that the sums of a tile do not depend on those before it.
        sums = np.concatenate([[0], np.cumsum(stage.shares[whole.label])])
        low, high = sums[ends[own]], sums[ends[own + 1]]
        wanted = low + np.minimum((chance[own] / focus * (high - low)).astype(np.int64), high - low - 1)
        target[own] = whole.box[np.searchsorted(sums, wanted, side="right") - 1]
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


def _best(
    whole: Block, stage: Stage, start: Array, end: Array, tiles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(T,) the way and (T,) the candidate of each tile that keep most of the objects; the way is its canvas's.

    What counts is the square of the share that is kept: a whole sign is worth more than two halves.
    """
    ways, count, places = start.shape[:3]
    none = np.zeros(count, np.int64)
    if ways * places == 1 or len(whole.box) == 0:
        return none, none
    box = whole.box[:, None]
    kept = np.minimum(box[..., 2:], end[:, whole.layer]) - np.maximum(box[..., :2], start[:, whole.layer])
    kept = np.maximum(kept, 0)
    share = kept[..., 0] * kept[..., 1] / ((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]))
    begun = np.flatnonzero(np.diff(whole.layer, prepend=-1))  # where each tile's objects begin
    worth = np.zeros((count, ways, places))
    valued = (share * share).swapaxes(0, 1) * stage.weights[whole.label][:, None, None]
    worth[whole.layer[begun]] = np.add.reduceat(valued, begun)
    if ways == 1:
        return none, worth[:, 0].argmax(1)
    best = worth.max(2).reshape(-1, tiles, ways)
    total = best[:, 0]
    for tile in range(1, tiles):  # in this order, whatever stands beside it
        total = total + best[:, tile]
    way = np.repeat(total.argmax(1), tiles)
    return way, worth[np.arange(count), way].argmax(1)


def widened(block: Block, stage: Stage, reach: Array) -> Block:
    """Free sides moved outwards, so that turning the canvas shows more of the image instead of fill colour.

    Args:
        block: any scenes.
        stage: for the class table: a mirrored tile is not widened where its image holds a class that never mirrors.
        reach: (B,) canvas pixels to move each side of a scene's tiles by, as far as the image goes.
    """
    layers = np.flatnonzero(block.free.any(1))
    linear = block.matrix[layers]
    whole = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    kept = (whole > 0) | ~stage.unmirrored[block.image[layers]]
    layers, whole = layers[kept], whole[kept]
    if len(layers) == 0:
        return block
    most = stage.catalog.sizes[block.image[layers]][:, ::-1].astype(np.float64)
    step = stage.steps(block.image[layers])
    moved = (reach[block.scene[layers]] / np.sqrt(np.abs(whole)))[:, None]
    region = block.region[layers]
    low = np.maximum(np.floor((region[:, :2] - moved) / step + _ROUNDING) * step, 0)
    high = np.minimum(np.ceil((region[:, 2:] + moved) / step - _ROUNDING) * step, most)
    wide = block.region.copy()
    wide[layers] = np.where(block.free[layers], np.concatenate([low, high], axis=1), region)
    return block.changed(region=wide)
