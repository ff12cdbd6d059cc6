"""Runs the effects that a scene names. Weather is overlays of our own; the rest is Albumentations."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.scenes.scene import Effect

Image = NDArray[np.uint8]


def run(image: Image, effects: Sequence[Effect]) -> Image:
    """The image (H, W, 3) uint8 RGB after all effects, each drawn from its own seed."""
    for effect in effects:
        overlay = _OVERLAYS.get(effect.name)
        if overlay is not None:
            image = overlay(image, np.random.Generator(np.random.Philox(key=effect.seed)))
        else:
            transform = _transform(effect.name)
            transform.set_random_seed(effect.seed)  # its own seeding repeats draws across workers
            image = np.ascontiguousarray(transform(image=image)["image"], np.uint8)
    return image


@cache
def _transform(name: str) -> Any:
    """An Albumentations pipeline of one transform that always applies."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else its import asks the network
    import albumentations as A

    transforms: dict[str, Callable[[], Any]] = {
        "motion_blur": lambda: A.MotionBlur(blur_limit=(3, 7), p=1),
        "blur": lambda: A.GaussianBlur(sigma_limit=(0.4, 1.4), blur_limit=0, p=1),
        "jpeg": lambda: A.ImageCompression(quality_range=(35, 85), p=1),
        "downscale": lambda: A.Downscale(scale_range=(0.5, 0.8), p=1),
    }
    return A.Compose([transforms[name]()])


def _fog(image: Image, rng: np.random.Generator) -> Image:
    """Haze towards a pale grey, thicker towards the horizon, a third from the top."""
    height = image.shape[0]
    thickest, level, grey = rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.45), rng.uniform(170, 225)
    rows = np.abs(np.arange(height) / height - level)
    share = (thickest * np.exp(-2.2 * rows)).astype(np.float32)
    return _towards(image, np.repeat(share[:, None], image.shape[1], 1), grey)


def _rain(image: Image, rng: np.random.Generator) -> Image:
    """Fine, half-transparent streaks that lean one way, over a slight haze."""
    height, width = image.shape[:2]
    count, lean = int(rng.uniform(0.6, 1.6) * np.sqrt(height * width)), rng.uniform(-0.3, 0.3)
    length = rng.uniform(0.02, 0.05, count) * height
    start = rng.uniform([-0.05, -0.05], [1.05, 1.0], (count, 2)) * [width, height]
    end = start + np.stack([lean * length, length], 1)
    lines = np.rint(np.stack([start, end], 1) * 16).astype(np.int32)
    streaks = np.full((height, width), rng.uniform(5, 25), np.float32)
    for part, opacity in zip(np.array_split(lines, 4), rng.uniform(40, 170, 4).tolist(), strict=True):
        cv2.polylines(streaks, list(part), False, opacity, 1, cv2.LINE_8, shift=4)
    streaks = np.asarray(cv2.GaussianBlur(streaks, (3, 3), 0), np.float32)
    return _towards(image, streaks / np.float32(255), rng.uniform(170, 225))


def _glare(image: Image, rng: np.random.Generator) -> Image:
    """A low sun: a bright spot that fades outwards."""
    height, width = image.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, 0.6 * height)
    reach, strength = rng.uniform(0.15, 0.4) * max(height, width), rng.uniform(0.4, 0.85)
    across = np.exp(-(((np.arange(width) - x) / reach) ** 2))
    down = np.exp(-(((np.arange(height) - y) / reach) ** 2))
    return _towards(image, (strength * down[:, None] * across[None, :]).astype(np.float32), 255.0)


def _shadow(image: Image, rng: np.random.Generator) -> Image:
    """The shade of something beside the road: one straight, soft edge across the picture."""
    height, width = image.shape[:2]
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.45)
    soft = rng.uniform(2, 12)
    x = (np.arange(width) - rng.uniform(0.2, 0.8) * width) * np.cos(angle)
    y = (np.arange(height) - rng.uniform(0.2, 0.8) * height) * np.sin(angle)
    edge = np.clip((x[None, :] + y[:, None]) / soft + 0.5, 0, 1)
    return _towards(image, (depth * edge).astype(np.float32), 0.0)


def _towards(image: Image, share: NDArray[np.float32], grey: float) -> Image:
    """Each pixel moved by its share (H, W) towards a grey."""
    flat = np.full_like(image, round(grey))
    return np.asarray(cv2.blendLinear(flat, image, share, 1 - share), np.uint8)


_OVERLAYS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "rain": _rain,
    "fog": _fog,
    "glare": _glare,
    "shadow": _shadow,
}
