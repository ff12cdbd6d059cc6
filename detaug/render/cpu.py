"""The CPU renderer: every source pixel is resampled once, straight into the canvas."""

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.clipping import clipped
from detaug.outline import Array, inverse, moved
from detaug.render.blend import blended, margin, with_gain
from detaug.render.coverage import depth
from detaug.render.effects import run
from detaug.render.noise import add_noise
from detaug.render.source import PAD, Picture, Source
from detaug.scenes.effects import LENS, WEATHER
from detaug.scenes.levels import choose
from detaug.scenes.scene import Role, Scene

Canvas = NDArray[np.uint8]
_MARGIN = 2  # source pixels kept round what is visible, for bilinear taps


def render(scene: Scene, source: Source) -> NDArray[np.uint8]:
    """The picture of a scene.

    The order is physical: layers and light, weather, sensor noise, then lens and storage.

    Args:
        scene: the plan.
        source: where its images come from.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        BrokenImage: an image cannot be decoded.
    """
    canvas = _painted(scene, source, 0)
    for group in range(1, len(scene.opacity)):
        share = scene.opacity[group]
        canvas = np.asarray(cv2.addWeighted(canvas, 1 - share, _painted(scene, source, group), share, 0), np.uint8)
    image = np.asarray(cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB), np.uint8)
    if scene.colour is not None:
        image = np.asarray(cv2.transform(image, scene.colour), np.uint8)
    if scene.curve is not None:
        image = np.asarray(cv2.LUT(image, scene.curve), np.uint8)
    image = run(image, [e for e in scene.effects if e.name in WEATHER])
    if scene.noise is not None:
        image = add_noise(image, scene.noise)
    return run(image, [e for e in scene.effects if e.name in LENS])


def _painted(scene: Scene, source: Source, group: int) -> Canvas:
    """One opacity group on a canvas (H, W, 4); the fourth channel only makes the warp faster."""
    height, width = scene.size
    canvas = np.empty((height, width, 4), np.uint8)
    canvas[:] = (*scene.fill, 255)
    for layer in np.flatnonzero(scene.group == group):
        row = int(scene.image[layer])
        size = source.catalog.sizes[row]
        index, halvings = choose(scene.matrix[layer], int(size[0]), int(size[1]), source.size)
        picture = source.picture(row, index)
        matrix = scene.matrix[layer] @ _to_source(picture)
        if scene.role[layer] == Role.TILE:
            _tile(canvas, picture, _region(scene, int(layer), picture), matrix, halvings)
        else:
            _paste(canvas, picture, scene, int(layer), matrix, halvings)
    for box in scene.erased[scene.erased_group == group]:
        _erase(canvas, box)
    return canvas


def _erase(canvas: Canvas, box: Array) -> None:
    """Paint a box over, with a pixel's margin, in the mean colour of the pixels round it."""
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = _pixels_round(box.reshape(2, 2), width, height)
    left, top, right, bottom = max(x1 - 1, 0), max(y1 - 1, 0), min(x2 + 1, width), min(y2 + 1, height)
    around, inside = canvas[top:bottom, left:right], canvas[y1:y2, x1:x2]
    count = around.shape[0] * around.shape[1] - inside.shape[0] * inside.shape[1]
    if count > 0 and inside.size:
        ring = around.sum((0, 1), dtype=np.int64) - inside.sum((0, 1), dtype=np.int64)
        inside[:] = np.rint(ring / count).astype(np.uint8)


def _to_source(picture: Picture) -> Array:
    """Padded level pixels to source pixels."""
    x, y = 1 / picture.scale_x, 1 / picture.scale_y
    return np.array([[x, 0, -PAD * x], [0, y, -PAD * y], [0, 0, 1]])


def _region(scene: Scene, layer: int, picture: Picture) -> tuple[int, int, int, int]:
    """The padded level pixels a tile may show; sides under a later tile reach PAD pixels further, so no seam shows."""
    x1, y1, x2, y2 = scene.region[layer]
    left, top, right, bottom = (PAD if u else 0 for u in scene.under[layer])
    return (
        round(x1 * picture.scale_x) + PAD - left,
        round(y1 * picture.scale_y) + PAD - top,
        round(x2 * picture.scale_x) + PAD + right,
        round(y2 * picture.scale_y) + PAD + bottom,
    )


def _tile(canvas: Canvas, picture: Picture, region: tuple[int, int, int, int], matrix: Array, halvings: int) -> None:
    """Warp the visible part of a tile into the canvas; pixels outside it stay, its edges are blended exactly."""
    height, width = canvas.shape[:2]
    window = _visible(region, matrix, (0, 0, width, height), halvings)
    if window is None:
        return
    part, matrix = _part(picture, window, matrix, halvings)
    corners = np.array([[0, 0], [part.shape[1], 0], [part.shape[1], part.shape[0]], [0, part.shape[0]]], float)
    seen = clipped([(x, y) for x, y in moved(corners, matrix).tolist()], (0.0, 0.0, float(width), float(height)))
    if len(seen) < 3:
        return
    x1, y1, x2, y2 = _pixels_round(np.array(seen), width, height)
    view = canvas[y1:y2, x1:x2]
    cv2.warpAffine(
        part,
        _for_centres(matrix, x1, y1),
        (x2 - x1, y2 - y1),
        dst=view,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def _paste(canvas: Canvas, picture: Picture, scene: Scene, layer: int, matrix: Array, halvings: int) -> None:
    """Warp a donor, give it its light and lay it over the canvas through its outline."""
    height, width = canvas.shape[:2]
    box, blend, soft = scene.region[layer], int(scene.blend[layer]), float(scene.soft[layer])
    corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
    x1, y1, x2, y2 = _pixels_round(moved(corners, scene.matrix[layer]), width, height, margin(blend, soft))
    everything = (0, 0, picture.rgb.shape[1], picture.rgb.shape[0])
    if x2 <= x1 or y2 <= y1:
        return
    window = _visible(everything, matrix, (x1, y1, x2, y2), halvings)
    if window is None:
        return
    part, matrix = _part(picture, window, matrix, halvings)
    warped = cv2.warpAffine(
        part,
        _for_centres(matrix, x1, y1),
        (x2 - x1, y2 - y1),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    lit = with_gain(np.asarray(warped, np.uint8), scene.gain[layer])
    inside = depth(int(scene.outline[layer]), box, scene.matrix[layer], (x1, y1, x2, y2))
    view = canvas[y1:y2, x1:x2]
    view[:] = blended(lit, view.copy(), inside, blend, soft)


def _pixels_round(points: Array, width: int, height: int, more: int = 1) -> tuple[int, int, int, int]:
    """The canvas pixels round some points, with `more` on each side: a pixel may be covered in part."""
    x1, y1 = (max(0, int(v) - more) for v in np.floor(points.min(0)))
    x2, y2 = (min(m, int(v) + more) for m, v in zip((width, height), np.ceil(points.max(0)), strict=True))
    return x1, y1, x2, y2


def _visible(
    region: tuple[int, int, int, int], matrix: Array, seen: tuple[int, int, int, int], halvings: int
) -> tuple[int, int, int, int] | None:
    """The part of a region that the canvas rectangle `seen` shows, with a margin, aligned for halving."""
    corners = np.array([[seen[0], seen[1]], [seen[2], seen[1]], [seen[2], seen[3]], [seen[0], seen[3]]], float)
    source = moved(corners, inverse(matrix))
    step = 2**halvings
    low = np.floor(source.min(0)).astype(int) - _MARGIN * step
    high = np.ceil(source.max(0)).astype(int) + _MARGIN * step
    x1, y1 = (r + (max(v, r) - r) // step * step for r, v in zip(region[:2], low.tolist(), strict=True))
    x2, y2 = (min(v, r) for r, v in zip(region[2:], high.tolist(), strict=True))
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _part(picture: Picture, window: tuple[int, int, int, int], matrix: Array, halvings: int) -> tuple[Canvas, Array]:
    """A window of a picture as (h, w, 4), halved if asked, and its pixels' way to the canvas.

    Copying it first is what makes the warp fast: turned reads of cold memory defeat the prefetcher.
    """
    x1, y1, x2, y2 = window
    part = picture.rgb[y1:y2, x1:x2]
    step = 2**halvings
    if halvings:
        spare_x, spare_y = -(x2 - x1) % step, -(y2 - y1) % step
        part = np.asarray(cv2.copyMakeBorder(part, 0, spare_y, 0, spare_x, cv2.BORDER_REPLICATE), np.uint8)
        size = (part.shape[1] // step, part.shape[0] // step)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    place = np.array([[step, 0, x1], [0, step, y1], [0, 0, 1]], float)
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2RGBA), np.uint8), matrix @ place


def _for_centres(matrix: Array, left: int, top: int) -> Array:
    """An edge-coordinate matrix as OpenCV wants it, between pixel centres counted from 0, for a canvas window."""
    linear = matrix[:2, :2]
    shift = matrix[:2, 2] + linear @ np.array([0.5, 0.5]) - 0.5 - np.array([left, top])
    return np.concatenate([linear, shift[:, None]], axis=1)
