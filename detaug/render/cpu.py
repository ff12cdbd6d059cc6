"""The CPU renderer: every source pixel is resampled once, straight into the canvas."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.clipping import Points, clipped
from detaug.outline import Array
from detaug.render.blend import blended, margin, with_gain
from detaug.render.coverage import depth
from detaug.render.effects import run
from detaug.render.noise import add_noise
from detaug.render.picture import PAD, Picture
from detaug.render.source import Source
from detaug.scenes.effects import LENS, WEATHER
from detaug.scenes.levels import choose, levels
from detaug.scenes.scene import Role, Scene

Canvas = NDArray[np.uint8]
Window = tuple[int, int, int, int]  # x1 y1 x2 y2, pixels
# The affine matrix a b x, c d y as plain numbers: for sums this small arrays take ten times as long.
Way = tuple[float, float, float, float, float, float]
_TILE = int(Role.TILE)
_IDENTITY = bytes(range(256))
_WORTH = 4  # times as wide as what is needed of them may rows be that are converted as a whole
_AT_ONCE = 16  # pixels of a row that OpenCV warps at once; those left over take it twice as long each
_BAND = 200_000  # pixels that stay in the processor's cache while one step after another works on them
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
    weather = [e for e in scene.effects if e.name in WEATHER]
    image = np.empty((*scene.size, 3), np.uint8)
    rows = max(1, _BAND // scene.size[1])
    for top in range(0, scene.size[0], rows):
        band = image[top : top + rows]
        _light(canvas[top : top + rows], scene, band)
        if scene.noise is not None and not weather:
            add_noise(band, scene.noise, top, scene.size[0], band)
    if weather:
        image = run(image, weather)
        image = image if scene.noise is None else add_noise(image, scene.noise)
    return run(image, [e for e in scene.effects if e.name in LENS])


def _light(canvas: Canvas, scene: Scene, image: NDArray[np.uint8]) -> None:
    """The colours of some rows of the canvas (h, W, 4) after the scene's light, into those of the image (h, W, 3)."""
    if scene.colour is None:
        cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB, dst=image)
    else:
        cv2.transform(cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB), scene.colour, dst=image)
    if scene.curve is not None and scene.curve.tobytes() != _IDENTITY:
        cv2.LUT(image, scene.curve, dst=image)


def _painted(scene: Scene, source: Source, group: int) -> Canvas:
    """One opacity group on a canvas (H, W, 4); the fourth channel only makes the warp faster."""
    # Written as whole words: a thirtieth of the time of four bytes at a time.
    word = np.array((*scene.fill, 255), np.uint8).view(np.uint32)[0]
    canvas = np.full(scene.size, word, np.uint32).view(np.uint8).reshape(*scene.size, 4)
    own = np.flatnonzero(scene.group == group)
    rows = scene.image[own]
    # As plain lists at once: an element of an array takes as long as ten of a list.
    ways = scene.matrix[own, :2].reshape(-1, 6).tolist()
    sizes, tiles = source.catalog.sizes[rows].tolist(), (scene.role[own] == _TILE).tolist()
    regions, under = scene.region[own].tolist(), scene.under[own].tolist()
    for k, row in enumerate(rows.tolist()):
        a, b, x, c, d, y = ways[k]
        height, width = sizes[k]
        index, halvings = choose((a, b, c, d), height, width, source.size)
        if tiles[k]:
            picture = source.picture(row, index, whole=False)
            region = _region(regions[k], under[k], picture)
            _tile(canvas, picture, region, _from_level((a, b, x, c, d, y), picture), halvings)
        else:
            _paste(canvas, source, scene, int(own[k]), index, halvings)
    for box in scene.erased[scene.erased_group == group]:
        _erase(canvas, box)
    return canvas


def _erase(canvas: Canvas, box: Array) -> None:
    """Paint a box over, with a pixel's margin, in the mean colour of the pixels round it."""
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = _pixels_round([(x, y) for x, y in box.reshape(2, 2).tolist()], width, height)
    left, top, right, bottom = max(x1 - 1, 0), max(y1 - 1, 0), min(x2 + 1, width), min(y2 + 1, height)
    around, inside = canvas[top:bottom, left:right], canvas[y1:y2, x1:x2]
    count = around.shape[0] * around.shape[1] - inside.shape[0] * inside.shape[1]
    if count > 0 and inside.size:
        ring = around.sum((0, 1), dtype=np.int64) - inside.sum((0, 1), dtype=np.int64)
        inside[:] = np.rint(ring / count).astype(np.uint8)


def _from_level(way: Way, picture: Picture) -> Way:
    """From padded level pixels to canvas pixels, where `way` leads there from source pixels."""
    a, b, x, c, d, y = way
    a, b, c, d = a / picture.scale_x, b / picture.scale_y, c / picture.scale_x, d / picture.scale_y
    return a, b, x - PAD * (a + b), c, d, y - PAD * (c + d)


def _region(region: Sequence[float], under: Sequence[bool], picture: Picture) -> Window:
    """The padded level pixels a tile may show; sides under a later tile reach PAD pixels further, so no seam shows."""
    x1, y1, x2, y2 = region
    left, top, right, bottom = under
    return (
        round(x1 * picture.scale_x) + PAD * (1 - left),
        round(y1 * picture.scale_y) + PAD * (1 - top),
        round(x2 * picture.scale_x) + PAD * (1 + right),
        round(y2 * picture.scale_y) + PAD * (1 + bottom),
    )


def _tile(canvas: Canvas, picture: Picture, region: Window, way: Way, halvings: int) -> None:
    """Warp the visible part of a tile into the canvas; pixels outside it stay, its edges are blended exactly."""
    height, width = canvas.shape[:2]
    shown = _shown(region, way, (0, 0, width, height))
    if len(shown) < 3:
        return
    x1, y1, x2, y2 = _pixels_round([_carried(point, way) for point in shown], width, height)
    x2 = min(x2 + (x1 - x2) % _AT_ONCE, width)
    x1 = max(x1 - (x1 - x2) % _AT_ONCE, 0)
    part, way = _part(picture, _window(shown, region, halvings), way, halvings)
    cv2.warpAffine(
        part,
        _for_centres(way, x1, y1),
        (x2 - x1, y2 - y1),
        dst=canvas[y1:y2, x1:x2],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def _paste(canvas: Canvas, source: Source, scene: Scene, layer: int, index: int, halvings: int) -> None:
    """Warp a donor, give it its light and lay it over the canvas through its outline."""
    row = int(scene.image[layer])
    picture = source.patch(_donor(scene, layer), row, index) or source.picture(row, index, whole=False)
    height, width = canvas.shape[:2]
    box, matrix = scene.region[layer], scene.matrix[layer]
    blend, soft = int(scene.blend[layer]), float(scene.soft[layer])
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    way = _from_level((a, b, x, c, d, y), picture)
    outer = _corners(box.tolist(), (a, b, x, c, d, y))
    x1, y1, x2, y2 = _pixels_round(outer, width, height, margin(blend, soft))
    if x2 <= x1 or y2 <= y1:
        return
    tall, wide = source.catalog.sizes[row].tolist()
    level = levels(tall, wide, source.size)[index]
    everything = (0, 0, level.width + 2 * PAD, level.height + 2 * PAD)
    window = _window(_corners((x1, y1, x2, y2), _back(way)), everything, halvings)
    if window[2] <= window[0] or window[3] <= window[1]:
        return
    if not picture.holds(window):
        picture = source.picture(row, index, whole=False)
    part, way = _part(picture, window, way, halvings)
    warped = cv2.warpAffine(
        part,
        _for_centres(way, x1, y1),
        (x2 - x1, y2 - y1),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    lit = with_gain(np.asarray(warped, np.uint8), scene.gain[layer])
    inside = depth(int(scene.outline[layer]), box, matrix, (x1, y1, x2, y2))
    view = canvas[y1:y2, x1:x2]
    view[:] = blended(lit, view.copy(), inside, blend, soft)


def _donor(scene: Scene, layer: int) -> int:
    """The row of the donor's box in the catalog; -1 for a decoy, and where the object is no longer told of."""
    owners = scene.layer.tolist()
    return int(scene.origin[owners.index(layer)]) if layer in owners else -1


def _corners(box: Sequence[float], way: Way) -> Points:
    """The corners of a box x1 y1 x2 y2, carried."""
    x1, y1, x2, y2 = box
    return [_carried(point, way) for point in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]


def _carried(point: tuple[float, float], way: Way) -> tuple[float, float]:
    a, b, x, c, d, y = way
    u, v = point
    return a * u + b * v + x, c * u + d * v + y


def _pixels_round(points: Points, width: int, height: int, more: int = 1) -> Window:
    """The canvas pixels round some points, with `more` on each side: a pixel may be covered in part."""
    across, down = zip(*points, strict=True)
    return (
        max(0, math.floor(min(across)) - more),
        max(0, math.floor(min(down)) - more),
        min(width, math.ceil(max(across)) + more),
        min(height, math.ceil(max(down)) + more),
    )


def _shown(region: Window, way: Way, canvas: Window) -> Points:
    """The part of a region that a canvas rectangle shows, a convex polygon in level pixels; no points if none."""
    if region[2] <= region[0] or region[3] <= region[1]:
        return []
    return clipped(_corners(canvas, _back(way)), region)


def _back(way: Way) -> Way:
    """The inverse."""
    a, b, x, c, d, y = way
    whole = a * d - b * c
    a, b, c, d = d / whole, -b / whole, -c / whole, a / whole
    return a, b, -a * x - b * y, c, d, -c * x - d * y


def _window(shown: Points, region: Window, halvings: int) -> Window:
    """The pixels of a region round what is shown of it, with a margin for bilinear taps, aligned for halving."""
    step = 2**halvings
    left, top, right, bottom = region
    x1, y1, x2, y2 = _pixels_round(shown, right, bottom, _MARGIN * step)
    return left + max(x1 - left, 0) // step * step, top + max(y1 - top, 0) // step * step, x2, y2


def _part(picture: Picture, window: Window, way: Way, halvings: int) -> tuple[Canvas, Way]:
    """A window of a picture as (h, w, 4), halved if asked, and its pixels' way to the canvas.

    Copying it first is what makes the warp fast: turned reads of cold memory defeat the prefetcher. So do parts of
    rows: whole rows are converted, unless nearly all would be in vain.
    """
    x1, y1, x2, y2 = window
    step = 2**halvings
    a, b, x, c, d, y = way
    way = (a * step, b * step, x + a * x1 + b * y1, c * step, d * step, y + c * x1 + d * y1)
    x1, y1, x2, y2 = x1 - picture.left, y1 - picture.top, x2 - picture.left, y2 - picture.top
    part = picture.window(x1, y1, x2, y2)
    if not halvings and _WORTH * (x2 - x1) >= picture.rgb.shape[1]:
        return np.asarray(cv2.cvtColor(picture.rgb[y1:y2], cv2.COLOR_RGB2RGBA), np.uint8)[:, x1:x2], way
    if halvings:
        part = np.ascontiguousarray(part)
        spare_x, spare_y = -(x2 - x1) % step, -(y2 - y1) % step
        part = np.asarray(cv2.copyMakeBorder(part, 0, spare_y, 0, spare_x, cv2.BORDER_REPLICATE), np.uint8)
        size = (part.shape[1] // step, part.shape[0] // step)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2RGBA), np.uint8), way


def _for_centres(way: Way, left: int, top: int) -> Array:
    """A way in edge coordinates as OpenCV wants it, between pixel centres counted from 0, for a canvas window."""
    a, b, x, c, d, y = way
    return np.array([[a, b, x + (a + b) / 2 - 0.5 - left], [c, d, y + (c + d) / 2 - 0.5 - top]])
