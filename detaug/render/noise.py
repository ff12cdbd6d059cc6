"""Gaussian noise from pools that are made once."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.scenes.scene import Noise

ROOM = 96  # rows and columns that a field may be shifted by


@lru_cache(maxsize=1)
def unit_pool(height: int, width: int) -> NDArray[np.float32]:
    """(height + room, width + room, 3) standard normal numbers, always the same."""
    rng = np.random.Generator(np.random.Philox(key=20230917))
    return rng.standard_normal((height + ROOM, width + ROOM, 3), np.float32)


@lru_cache(maxsize=32)
def _pools(height: int, width: int, sigma: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The positive and the negative part of the pool at one strength, rounded to grey levels."""
    field = np.rint(unit_pool(height, width) * np.float32(sigma))
    return np.clip(field, 0, 255).astype(np.uint8), np.clip(-field, 0, 255).astype(np.uint8)


def faded(keep: float) -> NDArray[np.uint8]:
    """(256,) grey levels brought nearer to mid grey by a factor."""
    levels = np.rint(127.5 + keep * (np.arange(256) - 127.5))
    return np.asarray(levels, np.uint8)


def corner(noise: Noise) -> tuple[int, int]:
    """The first row and column of the pool that a noise field shows."""
    return int(noise.y * (ROOM + 1)), int(noise.x * (ROOM + 1))


def add_noise(
    image: NDArray[np.uint8],
    noise: Noise,
    top: int = 0,
    height: int | None = None,
    dst: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """The image with a noise field added; a saturating add and subtract, no float image.

    Args:
        image: (h, W, 3) uint8, a picture or some of its rows.
        noise: the field.
        top: the picture's row that is the first of `image`.
        height: rows of the whole picture; None if `image` is that.
        dst: where the result goes, `image` itself if wished; None makes a new array.
    """
    if noise.keep != 1:
        image = np.asarray(cv2.LUT(image, faded(noise.keep)), np.uint8)
    rows, width = image.shape[:2]
    down, left = corner(noise)
    plus, minus = (
        pool[down + top : down + top + rows, left : left + width]
        for pool in _pools(rows if height is None else height, width, noise.sigma)
    )
    if noise.negative:
        plus, minus = minus, plus
    brighter = cv2.add(image, plus, dst=dst)
    return np.asarray(cv2.subtract(brighter, minus, dst=brighter), np.uint8)
