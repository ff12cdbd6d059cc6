"""What stands beside the road and carries no meaning: trees, lamps, cars; each a `Thing` with its distance."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.sheet import Colour, Image, Points
from detaug.readers.drawn.view import View
from detaug.readers.drawn.weather import Weather

_LEAVES = ((62, 96, 40), (84, 112, 48), (48, 82, 46), (104, 118, 56), (150, 112, 44), (70, 90, 60))
_PAINTS = ((170, 24, 28), (38, 60, 120), (226, 226, 224), (40, 42, 46), (128, 132, 138), (92, 104, 84), (196, 160, 60))


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is painted on, from far to near.

    Attributes:
        image: (H, W, 3) uint8, RGB, unlit.
        glow: (H, W, 3) uint8, RGB, light that things give off themselves; what is nearer hides it.
        dark: whether anything glows at all.
    """

    image: Image
    glow: Image
    dark: bool

    def fill(self, points: Points, colour: Colour, glow: Colour = (0, 0, 0)) -> None:
        """Fill a polygon (K, 2) or many (N, K, 2), pixels, with soft edges; sixteenths of a pixel count."""
        fixed = list(np.rint((points - 0.5) * 16).astype(np.int32).reshape(-1, *points.shape[-2:]))
        cv2.fillPoly(self.image, fixed, colour, cv2.LINE_AA, shift=4)
        if self.dark:
            cv2.fillPoly(self.glow, fixed, glow, cv2.LINE_AA, shift=4)

    def disc(self, centre: NDArray[np.floating], radius: float, colour: Colour, glow: Colour = (0, 0, 0)) -> None:
        """Fill a circle about `centre` (2,), pixels."""
        at, reach = (round((float(centre[0]) - 0.5) * 16), round((float(centre[1]) - 0.5) * 16)), round(radius * 16)
        cv2.circle(self.image, at, reach, colour, -1, cv2.LINE_AA, 4)
        if self.dark:
            cv2.circle(self.glow, at, reach, glow, -1, cv2.LINE_AA, 4)


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands in the scene.

    Attributes:
        z: metres ahead of its near side.
        hull: (4,) float64, x1 y1 x2 y2 of all it may cover, pixels.
        paint: draws it.
    """

    z: float
    hull: NDArray[np.float64]
    paint: Callable[[Canvas], None]


def hull_of(points: Points) -> NDArray[np.float64]:
    """x1 y1 x2 y2 of points (..., 2)."""
    flat = points.reshape(-1, 2)
    return np.concatenate([flat.min(0), flat.max(0)])


def _mast(foot: Points, top: Points, half: float) -> Points:
    """An upright bar from foot to top that tapers a little, `half` its half width at the foot."""
    side = np.array([half, 0])
    return np.array([foot - side, foot + side, top + side * 0.7, top - side * 0.7])


def tree(rng: np.random.Generator, view: View, weather: Weather, x: float, z: float) -> Thing:
    """A broad-leaved tree or a bush: blobs of leaves, lighter towards the sun."""
    tall = rng.uniform(4, 11) if rng.random() < 0.75 else rng.uniform(1.0, 2.2)
    foot, crown = view.spots([x, x], [0, tall * 0.62], [z, z])
    scale = view.focal / z
    wide, high = tall * scale * rng.uniform(0.22, 0.36), tall * scale * 0.38
    count = int(np.clip(wide * 1.6, 14, 90))
    turn, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    offsets = np.stack([np.cos(turn) * reach * wide, np.sin(turn) * reach * high], 1)
    offsets = offsets[np.argsort(-offsets[:, 1])]
    radii = np.maximum(wide * rng.uniform(0.14, 0.34, count), 1)
    lit = (
        0.82 + 0.2 * offsets[:, 0] / wide * weather.sun - 0.22 * offsets[:, 1] / high + rng.uniform(-0.13, 0.13, count)
    )
    leaf = np.asarray(_LEAVES[int(rng.integers(len(_LEAVES)))]) + rng.uniform(-12, 12, 3)
    bark = weather.tint((84, 68, 54), z)

    def paint(canvas: Canvas) -> None:
        trunk = max(tall * scale * 0.022, 0.7)
        canvas.fill(foot + np.array([[-trunk, 0], [trunk, 0], [trunk * 0.6, -high], [-trunk * 0.6, -high]]), bark)
        for offset, radius, gain in zip(offsets, radii, lit, strict=True):
            canvas.disc(crown + offset, float(radius), weather.tint(leaf, z, float(gain)))

    reach_px = np.array([wide, high]) * 1.35
    return Thing(z, hull_of(np.stack([crown - reach_px, crown + reach_px, foot])), paint)


def lamp(rng: np.random.Generator, view: View, weather: Weather, x: float, z: float) -> Thing:
    """A street lamp whose arm reaches over the road, or a plain mast."""
    tall, arm = rng.uniform(5, 8), rng.choice([0.0, 1.6]) * (-1 if x > 0 else 1)
    foot, top, head = view.spots([x, x, x + arm], [0, tall, tall + 0.2], [z, z, z])
    colour = weather.tint((108, 110, 112), z, rng.uniform(0.6, 1.2))
    thick = max(view.focal / z * 0.06, 0.6)

    def paint(canvas: Canvas) -> None:
        canvas.fill(_mast(foot, top, thick), colour)
        if arm:
            below = np.array([0, thick])
            canvas.fill(np.array([top, head, head + below, top + below]), colour)
            canvas.disc(head + below, thick * 1.6, weather.tint((214, 214, 206), z), (255, 214, 150))

    return Thing(z, hull_of(np.stack([foot - thick, foot + thick, top - thick, head - thick, head + thick])), paint)


def car(rng: np.random.Generator, view: View, weather: Weather, x: float, z: float) -> Thing:
    """A car from behind, or from the front where it comes the other way."""
    oncoming = x < -1.2
    wide, tall = rng.uniform(1.65, 1.9), rng.uniform(1.35, 1.9)
    body = np.asarray(_PAINTS[int(rng.integers(len(_PAINTS)))]) + rng.uniform(-10, 10, 3)
    glass, dark = weather.tint((52, 62, 74), z), weather.tint((26, 26, 28), z)
    lamps = (255, 246, 220) if oncoming else (235, 30, 26)

    def at(points: list[tuple[float, float]]) -> Points:
        across, up = np.array(points).T
        return view.spots(x + across * wide / 2, up * tall, z)

    def paint(canvas: Canvas) -> None:
        canvas.fill(at([(-1.1, 0.0), (1.1, 0.0), (1.15, -0.06), (-1.15, -0.06)]), weather.tint((30, 32, 36), z))
        for side in (-0.8, 0.8):
            canvas.fill(at([(side - 0.14, 0), (side + 0.14, 0), (side + 0.14, 0.3), (side - 0.14, 0.3)]), dark)
        canvas.fill(
            at([(-1, 0.16), (1, 0.16), (1, 0.55), (0.94, 0.64), (-0.94, 0.64), (-1, 0.55)]), weather.tint(body, z)
        )
        canvas.fill(at([(-0.94, 0.62), (0.94, 0.62), (0.7, 1), (-0.7, 1)]), weather.tint(body, z, 0.85))
        canvas.fill(at([(-0.82, 0.65), (0.82, 0.65), (0.64, 0.94), (-0.64, 0.94)]), glass)
        canvas.fill(at([(-0.28, 0.3), (0.28, 0.3), (0.28, 0.39), (-0.28, 0.39)]), weather.tint((222, 222, 212), z))
        for side in (-0.82, 0.82):
            light = at([(side - 0.13, 0.42), (side + 0.13, 0.42), (side + 0.13, 0.54), (side - 0.13, 0.54)])
            canvas.fill(light, weather.tint(lamps, z, 0.8), lamps)

    return Thing(z, hull_of(at([(-1.15, -0.06), (1.15, 1)])), paint)


def traffic_light(rng: np.random.Generator, view: View, weather: Weather, x: float, z: float) -> Thing:
    """A traffic light on its mast; it is no class of ours."""
    tall, lit = rng.uniform(2.6, 3.4), int(rng.integers(3))
    scale = view.focal / z
    foot, top = view.spots([x, x], [0, tall], [z, z])
    colours = ((236, 40, 30), (250, 180, 30), (40, 210, 110))

    def paint(canvas: Canvas) -> None:
        thick = max(0.05 * scale, 0.6)
        canvas.fill(_mast(foot, top, thick), weather.tint((90, 92, 94), z))
        box = np.array([[-0.16, -0.5], [0.16, -0.5], [0.16, 0.5], [-0.16, 0.5]]) * scale + top
        canvas.fill(box, weather.tint((28, 30, 30), z))
        for i, colour in enumerate(colours):
            spot = top + np.array([0, (i - 1) * 0.31 * scale])
            gain = 1.0 if i == lit else 0.2
            canvas.disc(spot, 0.12 * scale, weather.tint(colour, z, gain), colour if i == lit else (0, 0, 0))

    return Thing(
        z, hull_of(np.stack([foot - 0.06 * scale, foot + 0.06 * scale, top - 0.5 * scale, top + 0.5 * scale])), paint
    )
