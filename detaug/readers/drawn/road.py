"""The ground: for every pixel below the horizon, what lies at the place that it sees."""

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.view import View
from detaug.readers.drawn.weather import Floats, Weather, clouds

Metres = NDArray[np.floating]

_VERGES = {
    "country": ((96, 122, 58), (120, 128, 70), (146, 132, 84), (84, 108, 62)),
    "suburb": ((98, 128, 66), (112, 122, 82), (136, 130, 112)),
    "town": ((142, 138, 132), (128, 124, 120), (152, 142, 128)),
}


def _between(x: Metres, low: Metres | float, high: Metres | float, scale: Metres) -> Floats:
    """How much of a pixel lies between two lines, 0 to 1; `scale` is pixels per metre."""
    return np.asarray(np.clip((x - low) * scale + 0.5, 0, 1) * np.clip((high - x) * scale + 0.5, 0, 1), np.float32)


def _lay(colours: Floats, cover: Floats, colour: NDArray[np.floating] | tuple[float, ...]) -> None:
    """Paint `colours` (h, w, 3), which is contiguous, in place; where little is painted only that is touched."""
    paint = np.asarray(colour, np.float32)
    touched = np.flatnonzero(cover)
    if len(touched) > cover.size // 4:
        colours += (paint - colours) * cover[..., None]
        return
    flat = colours.reshape(-1, 3)
    here = flat[touched]
    flat[touched] = here + (paint - here) * cover.reshape(-1)[touched, None]


def ground(rng: np.random.Generator, view: View, weather: Weather) -> Floats:
    """The ground below the horizon, (H - R, W, 3) float32, RGB 0 to 255, unlit; R as in `View.ground`."""
    _, x, z = view.ground()
    scale = view.focal / z
    left, right = view.edges
    verges = _VERGES[view.setting]
    colours: Floats = np.empty((*x.shape, 3), np.float32)
    colours[:] = np.asarray(verges[int(rng.integers(len(verges)))], np.float32) + rng.uniform(-10, 10, 3)
    if view.setting != "country":
        stone = rng.uniform(140, 175) * np.array([1.0, 0.98, 0.95])
        walk = rng.uniform(1.2, 2.6)
        for inner, outer in ((left - walk, left), (right, right + walk)):
            _lay(colours, _between(x, inner, outer, scale), stone)
    asphalt = rng.uniform(78, 128) * np.array([1.0, 1.0, 1.02]) + rng.uniform(-4, 4, 3)
    _lay(colours, _between(x, left, right, scale), asphalt)
    colours *= 1 + _texture(rng, x, z)[..., None]
    _shadows(rng, colours, x, z, view, weather)
    _markings(rng, colours, x, z, view)
    if view.setting != "country":
        for edge in (left, right):
            _lay(colours, _between(x, edge - 0.12, edge + 0.12, scale), (178, 176, 170))
    haze = np.exp(-z / weather.sight)[..., None].astype(np.float32)
    hazed: Floats = colours * haze + np.asarray(weather.low, np.float32) * (1 - haze)
    return hazed


def _texture(rng: np.random.Generator, x: Metres, z: Metres) -> Floats:
    """Relative roughness in the ground's own coordinates, fading where a pixel sees more than a grain."""
    tile = clouds(rng, 256, 256, (8, 8)) - 0.47 + rng.normal(0, 0.1, (256, 256)).astype(np.float32)
    # Back and forth over the tile, so that it has no seam.
    columns = np.asarray(abs(x * 36 % 510 - 255), np.float32)
    rows = np.broadcast_to(np.asarray(abs(z * 18 % 510 - 255), np.float32), x.shape)
    grain = cv2.remap(tile, columns, np.ascontiguousarray(rows), cv2.INTER_LINEAR)
    return np.asarray(grain * 0.45 / (1 + z / 14), np.float32)


def _shadows(rng: np.random.Generator, colours: Floats, x: Metres, z: Metres, view: View, weather: Weather) -> None:
    """Shadows of trees across the road when the sun shines; worn tracks and mended places otherwise."""
    left, right = view.edges
    if weather.kind == "clear":
        for _ in range(int(rng.integers(0, 4))):
            at, wide = rng.uniform(5, 25), rng.uniform(0.8, 3)
            ragged = at + np.sin(x * rng.uniform(0.8, 2) + rng.uniform(0, 6)) * 0.7 + x * weather.sun * 0.4
            _lay(
                colours,
                0.45 * _between(np.broadcast_to(z, x.shape), ragged, ragged + wide, np.asarray(6.0)),
                (34, 38, 46),
            )
    _lay(colours, 0.12 * np.exp(-(((abs(x) - 0.8) / 0.3) ** 2)).astype(np.float32), (58, 58, 60))
    if rng.random() < 0.35:
        near, aside = rng.uniform(4, 18), rng.uniform(left, right - 1)
        patch = _between(x, aside, aside + rng.uniform(0.8, 2.2), view.focal / z)
        _lay(colours, patch * _between(z, near, near + rng.uniform(1, 5), np.asarray(20.0)) * 0.5, (62, 62, 66))


def _markings(rng: np.random.Generator, colours: Floats, x: Metres, z: Metres, view: View) -> None:
    """Edge lines, a centre line and now and then a crossing or a stop line, more or less worn."""
    left, right = view.edges
    scale = view.focal / z
    paint = rng.uniform(190, 238) * np.array([1.0, 0.99, 0.95])
    worn = rng.uniform(0.55, 1.0)
    if rng.random() < 0.7:
        for edge in (left + 0.25, right - 0.25):
            _lay(colours, worn * _between(x, edge - 0.07, edge + 0.07, scale), paint)
    if left < -4 and rng.random() < 0.9:
        middle, period = (left + right) / 2, rng.choice([6.0, 9.0, 12.0])
        dashes = np.asarray(((z + rng.uniform(0, period)) % period < period * 0.45) | (rng.random() < 0.15), np.float32)
        _lay(colours, worn * dashes * _between(x, middle - 0.07, middle + 0.07, scale), paint)
    if view.setting != "country" and rng.random() < 0.25:
        near = rng.uniform(6, 22)
        bars = np.asarray((x - left) % 1.0 < 0.5, np.float32) * _between(x, left + 0.3, right - 0.3, scale)
        _lay(colours, worn * bars * _between(z, near, near + 3, np.asarray(20.0)), paint)
