"""Filling a part of the canvas with a window into an image."""

import math
from dataclasses import dataclass, replace

import numpy as np

from detaug.outline import Array
from detaug.scenes.levels import grid, snapped
from detaug.scenes.operation import within_log
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage

KEEP_SIDE = 8.0  # canvas pixels; a sign made smaller than this teaches nothing


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the canvas that a tile fills, and where its fixed corner lies.

    Attributes:
        x1, y1, x2, y2: canvas pixels.
        right: the tile's right side is fixed to x2, else its left side to x1; the other side may reach beyond.
        bottom: the same for y2 and y1.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    right: bool = False
    bottom: bool = False


def windowed(
    scene: Scene, area: Area, stage: Stage, scale_range: tuple[float, float], focus: float, rng: np.random.Generator
) -> Scene:
    """The one-tile scene whose image fills `area`, at a random scale and place.

    Args:
        scene: one whole fitted image.
        area: what it is to fill; there is no fill colour inside, so a small image is enlarged as far as that needs.
        stage: for the class weights.
        scale_range: scale relative to the fitted image's.
        focus: probability that the window is placed round one of the image's objects, rare classes first.
        rng: five random numbers are drawn, whatever the image holds.
    """
    width, height = float(scene.region[0, 2]), float(scene.region[0, 3])
    wide, high = area.x2 - area.x1, area.y2 - area.y1
    drawn = within_log(scale_range, rng) * scene.matrix[0, 0, 0]
    chances = rng.random(4)
    cover = max(wide / width, high / height)
    target = _sought(scene, stage, float(chances[1])) if chances[0] < focus else None
    if target is not None:
        sides = target[2:] - target[:2]
        drawn = min(max(drawn, KEEP_SIDE / sides.min()), 0.9 * min(wide / sides[0], high / sides[1]))
    scale = max(drawn, cover)
    step_x, step_y = grid(int(height), int(width), scene.size)
    low_x, high_x = _span(wide / scale, width, step_x, target, 0, float(chances[2]))
    low_y, high_y = _span(high / scale, height, step_y, target, 1, float(chances[3]))
    shift_x = area.x2 - scale * high_x if area.right else area.x1 - scale * low_x
    shift_y = area.y2 - scale * high_y if area.bottom else area.y1 - scale * low_y
    return replace(
        scene,
        region=np.array([[low_x, low_y, high_x, high_y]]),
        matrix=np.array([[[scale, 0, shift_x], [0, scale, shift_y], [0, 0, 1]]]),
        free=np.array([[area.right, area.bottom, not area.right, not area.bottom]]),
    )


def _sought(scene: Scene, stage: Stage, chance: float) -> Array | None:
    """The source box of the object to keep in view."""
    if len(scene.label) == 0:
        return None
    weights = np.cumsum(stage.weights[scene.label])
    box: Array = scene.box[min(int(np.searchsorted(weights, chance * weights[-1], side="right")), len(weights) - 1)]
    return box


def _span(
    length: float, most: float, step: float, target: Array | None, axis: int, chance: float
) -> tuple[float, float]:
    """Where the window begins and ends along an axis, both on the grid and at least `length` apart."""
    length = min(length, most)
    low, high = 0.0, most - length
    if target is not None:
        # The target stays whole where there is room for it; the grid may move the window back by up to a step.
        first, last = float(target[axis + 2]) - length + step, float(target[axis])
        if first > last:
            first = last = (float(target[axis]) + float(target[axis + 2]) - length + step) / 2
        low, high = min(max(first, 0.0), high), min(max(last, 0.0), high)
    start = snapped(low + chance * (high - low), step, most, up=False)
    end = snapped(start + length, step, most, up=True)
    if end - start < length:  # the image's end was met: begin earlier
        start = snapped(end - length, step, most, up=False)
    return start, end


def widened(scene: Scene, stage: Stage, reach: float) -> Scene:
    """Free sides moved outwards, so that turning the canvas shows more of the image instead of fill colour.

    Args:
        scene: any scene.
        stage: for the class table: a mirrored tile is not widened where its image holds a class that never mirrors.
        reach: canvas pixels to move each side by, as far as the image goes.
    """
    region = scene.region.copy()
    for layer in np.flatnonzero(scene.free.any(1)):
        matrix = scene.matrix[layer]
        if (
            np.linalg.det(matrix[:2, :2]) < 0
            and (
                stage.catalog.classes.mirror[stage.catalog.labels[stage.catalog.objects(int(scene.image[layer]))]] < 0
            ).any()
        ):
            continue
        height, width = (float(v) for v in stage.catalog.sizes[scene.image[layer]])
        steps, most = grid(int(height), int(width), scene.size), (width, height)
        scale = math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))
        for side in np.flatnonzero(scene.free[layer]):
            axis, up = int(side) % 2, bool(side >= 2)
            moved = region[layer, side] + (reach if up else -reach) / scale
            region[layer, side] = snapped(moved, steps[axis], most[axis], up)
    return replace(scene, region=region)
