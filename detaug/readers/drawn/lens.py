"""What the camera adds: blur, white balance, noise, and a first JPEG."""

import cv2
import numpy as np

from detaug.readers.drawn.sheet import Image
from detaug.readers.drawn.weather import Floats, Weather


def photograph(rng: np.random.Generator, image: Floats, glow: Image, weather: Weather) -> Image:
    """The picture of a lit scene.

    Args:
        rng: the source of chance.
        image: (H, W, 3) float32, lit, RGB 0 to 255 and above.
        glow: (H, W, 3) uint8, what shines by itself; its halo is added.
        weather: how dark it is, hence how noisy.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    if weather.dark:
        image = image + 0.7 * cv2.GaussianBlur(glow, (0, 0), 6.0).astype(np.float32)
    image = image * np.asarray(rng.uniform(0.88, 1.12) * rng.uniform(0.96, 1.04, 3), np.float32)
    image = _blurred(rng, image)
    noisy = image + _grain(rng, image.shape, rng.uniform(3, 8) if weather.kind == "night" else rng.uniform(0.8, 5))
    picture = np.clip(noisy, 0, 255).astype(np.uint8)
    return _compressed(picture, int(rng.integers(55, 90))) if rng.random() < 0.3 else picture


def _blurred(rng: np.random.Generator, image: Floats) -> Floats:
    kind = rng.random()
    if kind < 0.6:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.95)), np.float32)
    if kind < 0.7:  # the camera moved: a short line is the kernel
        length, angle = rng.uniform(1, 2.5), rng.uniform(0, np.pi)
        kernel = np.zeros((7, 7), np.float32)
        step = (np.array([np.cos(angle), np.sin(angle)]) * length * 16).round().astype(int)
        start, end = (48 - int(step[0]), 48 - int(step[1])), (48 + int(step[0]), 48 + int(step[1]))
        cv2.line(kernel, start, end, (1.0,), 1, cv2.LINE_8, 4)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)
    return image


def _grain(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Floats:
    """Noise of brightness per pixel, and of colour in patches of two pixels, as a sensor's mosaic leaves it."""
    height, width = shape[:2]
    bright = rng.standard_normal((height, width), dtype=np.float32)
    tinted = rng.standard_normal((height // 2, width // 2, 3), dtype=np.float32)
    both = cv2.addWeighted(cv2.merge([bright] * 3), 0.8 * sigma, cv2.resize(tinted, (width, height)), 0.6 * sigma, 0)
    return np.asarray(both, np.float32)


def _compressed(picture: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
