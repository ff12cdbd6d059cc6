"""Which sizes of an image are kept for rendering, and which of them a layer is drawn from.

Bilinear warping is sharp and free of aliases where the canvas shows a source at 0.45 to 0.7 of its size (measured
against 8 x 8 supersampling), so an image has up to two reduced levels, at the canvas's side and at 1.5 times it,
and the chosen one is halved again where the layer is shrunk far. All of it is a function of the scene and the image's
size alone: what a cache holds never changes a pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array

_ENLARGE_FROM = 0.7
_HALVE_UNDER = 0.4
_SNAP = 4


@dataclass(frozen=True, slots=True)
class Level:
    """A size that an image is kept at.

    Attributes:
        height: pixels.
        width: pixels.
    """

    height: int
    width: int


@lru_cache(maxsize=4096)
def levels(height: int, width: int, size: tuple[int, int]) -> tuple[Level, ...]:
    """The sizes kept of an image for a canvas, the smaller first; an image little larger than the canvas stays whole.

    The two sizes are 4 k and 6 k pixels wide, so that the places of `grids` fall on whole pixels in both.

    >>> levels(800, 1360, (640, 640))
    (Level(height=376, width=640), Level(height=564, width=960))
    >>> levels(400, 300, (320, 320))
    (Level(height=400, width=300),)
    """
    fit = min(size[0] / height, size[1] / width)
    if fit * 1.5 >= 0.95:
        return (Level(height, width),)
    rows, columns = max(1, round(height * fit / _SNAP)), max(1, round(width * fit / _SNAP))
    return Level(4 * rows, 4 * columns), Level(6 * rows, 6 * columns)


def grids(sizes: NDArray[np.integer], size: tuple[int, int]) -> Array:
    """Source pixels between the places where a region may end so that every level ends on a whole pixel.

    Args:
        sizes: (K, 2) height and width of the images.
        size: the canvas.

    Returns:
        (K, 2) along x and y.

    >>> grids(np.array([[800, 1360], [400, 300]]), (320, 320)).round(3).tolist()
    [[17.0, 17.021], [4.0, 4.0]]
    """
    sides = sizes.astype(np.float64)
    fit = np.minimum(size[0] / sides[:, 0], size[1] / sides[:, 1])[:, None]
    kept = np.maximum(np.rint(sides * fit / _SNAP), 1)  # as in `levels`
    return np.where(fit * 1.5 >= 0.95, float(_SNAP), sides / kept)[:, ::-1]


def choose(linear: Sequence[float], height: int, width: int, size: tuple[int, int]) -> tuple[int, int]:
    """The level's index and how often it is halved, for a layer.

    Args:
        linear: a, b, c, d of its matrix from source pixels to canvas pixels, with the rows a b and c d.
        height: the image's.
        width: the image's.
        size: the canvas that the levels are made for.

    >>> choose((0.3, 0.0, 0.0, 0.3), 800, 1360, (640, 640)), choose((0.6, 0.0, 0.0, 0.6), 800, 1360, (640, 640))
    ((0, 0), (1, 0))
    """
    a, b, c, d = linear
    scale = math.sqrt(abs(a * d - b * c))
    shares = _shares(height, width, size)
    index, last = 0, len(shares) - 1
    while index < last and scale / shares[index] > _ENLARGE_FROM:
        index += 1
    ratio, halvings = scale / shares[index], 0
    while ratio < _HALVE_UNDER:
        ratio, halvings = ratio * 2, halvings + 1
    return index, halvings


@lru_cache(maxsize=4096)
def _shares(height: int, width: int, size: tuple[int, int]) -> tuple[float, ...]:
    """The widths of an image's levels as shares of its own."""
    return tuple(level.width / width for level in levels(height, width, size))
