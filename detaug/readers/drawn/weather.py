"""Sky, light and haze of a scene."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.sheet import Colour
from detaug.readers.drawn.view import View

Floats = NDArray[np.float32]

# What the sky's top, its foot, its clouds and the light look like, and how often: the share is the first number.
_KINDS: dict[str, tuple[float, Colour, Colour, Colour, tuple[float, float, float]]] = {
    "clear": (0.26, (70, 128, 205), (188, 214, 236), (250, 250, 250), (1.06, 1.03, 0.98)),
    "cloudy": (0.24, (104, 148, 200), (206, 218, 228), (232, 234, 238), (0.95, 0.96, 0.98)),
    "overcast": (0.2, (158, 164, 172), (204, 208, 212), (184, 188, 194), (0.78, 0.80, 0.83)),
    "dusk": (0.14, (66, 78, 132), (244, 176, 120), (214, 132, 120), (0.72, 0.58, 0.54)),
    "night": (0.16, (70, 80, 120), (140, 132, 130), (110, 112, 130), (0.13, 0.14, 0.19)),
}


@dataclass(frozen=True, slots=True)
class Weather:
    """The state of the air and the sun.

    Attributes:
        kind: `clear`, `cloudy`, `overcast`, `dusk` or `night`.
        top: colour of the sky overhead.
        low: colour of the sky at the horizon, and of the haze.
        cloud: colour of the clouds.
        cover: share of the sky with clouds, 0 to 1.
        light: gain of red, green and blue.
        sun: where the sun stands, -1 left to 1 right.
        sight: metres after which haze takes two thirds of a colour.
    """

    kind: str
    top: Colour
    low: Colour
    cloud: Colour
    cover: float
    light: tuple[float, float, float]
    sun: float
    sight: float

    @property
    def dark(self) -> bool:
        """Whether lamps are lit."""
        return self.kind in ("night", "dusk")

    def tint(self, colour: Iterable[float], z: float, gain: float = 1.0) -> Colour:
        """A colour as it looks from z metres away, lit with `gain`."""
        # Plain Python, for this is called some hundred times per scene and numpy is slow on three numbers.
        clear = exp(-z / self.sight)
        seen = (c * gain * clear + far * (1 - clear) for c, far in zip(colour, self.low, strict=True))
        r, g, b = (min(max(round(value), 0), 255) for value in seen)
        return r, g, b


def draw_weather(rng: np.random.Generator) -> Weather:
    """Weather by chance; a scene in six is at night."""
    kinds = tuple(_KINDS)
    kind = kinds[int(rng.choice(len(kinds), p=[_KINDS[k][0] for k in kinds]))]
    _, top, low, cloud, light = _KINDS[kind]
    cover = {"clear": rng.uniform(0, 0.3), "overcast": 1.0}.get(kind, rng.uniform(0.2, 0.8))
    sight = rng.uniform(50, 120) if rng.random() < 0.12 else rng.uniform(150, 600)
    gain = rng.uniform(0.8, 1.15) * rng.uniform(0.96, 1.04, 3)
    r, g, b = (np.asarray(light) * gain).tolist()
    return Weather(kind, _near(rng, top), _near(rng, low), cloud, cover, (r, g, b), rng.uniform(-1, 1), sight)


def _near(rng: np.random.Generator, colour: Colour) -> Colour:
    r, g, b = np.clip(np.asarray(colour) + rng.uniform(-14, 14, 3), 0, 255).astype(int).tolist()
    return r, g, b


def clouds(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int]) -> Floats:
    """Smooth chance from 0 to 1: four layers of noise, each twice as fine and half as strong.

    Args:
        rng: the source of chance.
        height: of the result, pixels.
        width: of the result, pixels.
        cells: rows and columns of the coarsest layer.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(4):
        coarse = rng.random((cells[0] << octave, cells[1] << octave), dtype=np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * 0.5 ** (octave + 1)
    return total


def sky(rng: np.random.Generator, view: View, weather: Weather) -> Floats:
    """The sky down to the horizon's row, (R, W, 3) float32, RGB 0 to 255, unlit."""
    rows = int(np.ceil(view.horizon))
    climb = np.linspace(1, 0, rows, dtype=np.float32)[:, None, None] ** 0.8
    colours = np.asarray(weather.top, np.float32) * climb + np.asarray(weather.low, np.float32) * (1 - climb)
    thickness = clouds(rng, rows, view.width, (4, 3))
    wisps = np.clip((thickness - 0.75 + 0.45 * weather.cover) * 6, 0, 1)[..., None] * min(1.0, 0.5 + weather.cover)
    shade = (0.8 + 0.4 * thickness)[..., None] * np.asarray(weather.cloud, np.float32)
    painted: Floats = np.broadcast_to(colours, (rows, view.width, 3)) * (1 - wisps) + shade * wisps
    if weather.kind == "night":
        stars = rng.random((rows, view.width)) > 0.9993
        painted[stars & (wisps[..., 0] < 0.2)] = 900  # far above white: the night's gain is applied later
    return painted


def light_map(rng: np.random.Generator, view: View, weather: Weather) -> Floats:
    """The gain of each pixel, (H, W, 3) float32; by night the headlights add a pool on the road that falls off."""
    y: Floats = np.arange(view.height, dtype=np.float32)[:, None]
    x: Floats = np.arange(view.width, dtype=np.float32)[None]
    slope = 1 + 0.1 * weather.sun * (2 * x / view.width - 1)
    corner = 1 - 0.12 * ((x / view.width - 0.5) ** 2 + (y / view.height - 0.5) ** 2)
    gain: Floats = np.asarray((slope * corner)[..., None] * np.asarray(weather.light, np.float32), np.float32)
    if weather.kind == "night":
        below = (y - view.horizon) / view.height
        stray = 0.12 * np.exp(-((below / 0.25) ** 2))
        reach = np.exp(-(((below - 0.12) / np.where(below < 0.12, 0.1, 0.16)) ** 2)) + stray
        pool = reach * np.exp(-(((x - view.vanish) / (0.34 * view.width)) ** 2)) * rng.uniform(0.45, 0.9)
        gain = gain + pool[..., None].astype(np.float32) * np.array([1.0, 0.95, 0.82], np.float32)
    return gain
