"""Gaussian noise from pools that are made once."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.scenes.scene import Noise

_ROOM = 96  # rows and columns that a field may be shifted by


@lru_cache(maxsize=1)
def _unit_pool(height: int, width: int) -> NDArray[np.float32]:
    """(height + room, width + room, 3) standard normal numbers, always the same."""
    rng = np.random.Generator(np.random.Philox(key=20230917))
    return rng.standard_normal((height + _ROOM, width + _ROOM, 3), np.float32)


@lru_cache(maxsize=32)
def _pools(height: int, width: int, sigma: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The positive and the negative part of the pool at one strength, rounded to grey levels."""
    field = np.rint(_unit_pool(height, width) * np.float32(sigma))
    return np.clip(field, 0, 255).astype(np.uint8), np.clip(-field, 0, 255).astype(np.uint8)


def add_noise(image: NDArray[np.uint8], noise: Noise) -> NDArray[np.uint8]:
    """The image (H, W, 3) uint8 with a noise field added; a saturating add and subtract, no float image."""
    if noise.keep != 1:
        faded = np.rint(127.5 + noise.keep * (np.arange(256) - 127.5)).astype(np.uint8)
        image = np.asarray(cv2.LUT(image, faded), np.uint8)
    height, width = image.shape[:2]
    top, left = int(noise.y * (_ROOM + 1)), int(noise.x * (_ROOM + 1))
    plus, minus = (p[top : top + height, left : left + width] for p in _pools(height, width, noise.sigma))
    if noise.flip_x or noise.flip_y:
        code = (-1 if noise.flip_y else 1) if noise.flip_x else 0
        plus, minus = cv2.flip(plus, code), cv2.flip(minus, code)  # type: ignore[assignment]
    return np.asarray(cv2.subtract(cv2.add(image, plus), minus), np.uint8)
