"""One drawn scene: planned, painted from far to near, photographed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.houses import house, skyline
from detaug.readers.drawn.lens import photograph
from detaug.readers.drawn.mount import branch, mount, pole
from detaug.readers.drawn.plates import DECOY, Plate, meet, place
from detaug.readers.drawn.road import ground
from detaug.readers.drawn.roadside import Canvas, Thing, car, lamp, traffic_light, tree
from detaug.readers.drawn.shares import scene_labels
from detaug.readers.drawn.sheet import Image
from detaug.readers.drawn.view import View, draw_view
from detaug.readers.drawn.weather import Floats, Weather, draw_weather, light_map, sky

SIZE = (384, 640)


def draw_scene(
    rng: np.random.Generator, labels: Sequence[int] | None = None, *, size: tuple[int, int] = SIZE
) -> tuple[Image, NDArray[np.float32], NDArray[np.int64]]:
    """A road with signs.

    Args:
        rng: all of the scene's chance.
        labels: the classes to show, indices into `NAMES`; those that find no room are left out. None draws them.
        size: height and width, pixels.

    Returns:
        The image (H, W, 3) uint8, RGB; boxes (N, 4) float32, x1 y1 x2 y2 in pixels, edges, tight around the signs'
        outlines without their poles; labels (N,) int64.
    """
    if labels is None:
        labels = scene_labels(int(rng.integers(2**31)), "train", int(rng.integers(2**20)))
    view, plates = plan(rng, labels, size)
    weather = draw_weather(rng)
    image, glow, light = _backdrop(rng, view, weather, plates)
    for plate in plates:
        pole(image, view, plate, light)
    for plate in sorted(plates, key=lambda p: -p.z):
        cover = mount(rng, image, plate, light, weather)
        if plate.label != DECOY and rng.random() < 0.12:
            branch(rng, image, plate, cover, plates, light)
    signs = [p for p in plates if p.label != DECOY]
    boxes = np.array([p.box for p in signs], np.float32).reshape(len(signs), 4)
    return photograph(rng, image, glow, weather), boxes, np.array([p.label for p in signs], np.int64)


def plan(rng: np.random.Generator, labels: Sequence[int], size: tuple[int, int]) -> tuple[View, list[Plate]]:
    """The camera and what stands before it, without a pixel drawn; the same that `draw_scene` draws from `rng`."""
    view = draw_view(rng, *size)
    return view, place(rng, view, list(labels))


def _backdrop(
    rng: np.random.Generator, view: View, weather: Weather, plates: list[Plate]
) -> tuple[Floats, Image, Floats]:
    """All but the plates: the lit image, what glows, and the light's gain."""
    above, below = sky(rng, view, weather), ground(rng, view, weather)
    painted = np.vstack([above, below])
    stars = np.maximum(painted - 255, 0) if weather.dark else np.float32(0)
    canvas = Canvas(
        np.clip(painted, 0, 255).astype(np.uint8), np.zeros((view.height, view.width, 3), np.uint8), weather.dark
    )
    skyline(rng, view, weather, canvas)
    for thing in sorted(_things(rng, view, weather), key=lambda t: -t.z):
        if not any(thing.z < p.z and meet(thing.hull, p.keep()) for p in plates):
            thing.paint(canvas)
    light = light_map(rng, view, weather)
    lit = np.multiply(canvas.image, light, dtype=np.float32)
    if weather.dark:
        lit += stars * light + canvas.glow
    return lit, canvas.glow, light


def _things(rng: np.random.Generator, view: View, weather: Weather) -> list[Thing]:
    """Trees, houses, lamps and traffic, as many as the setting has."""
    left, right = view.edges
    trees = {"country": (8, 24), "suburb": (5, 14), "town": (1, 7)}[view.setting]
    things = []
    for _ in range(int(rng.integers(*trees))):
        x, z = rng.uniform(2.5, 16), rng.uniform(7, 90)
        things.append(tree(rng, view, weather, right + x if rng.random() < 0.5 else left - x, z))
    if view.setting != "country":
        for side in (left - rng.uniform(3, 6), right + rng.uniform(3, 6)):
            things += _row_of_houses(rng, view, weather, side)
    gap, start = rng.uniform(16, 32), rng.uniform(6, 20)
    if rng.random() < 0.6:
        edge = (left - 0.7) if rng.random() < 0.5 else (right + 0.7)
        things += [lamp(rng, view, weather, edge, start + gap * i) for i in range(5)]
    if view.setting == "town" and rng.random() < 0.3:
        things.append(traffic_light(rng, view, weather, right + 0.6, rng.uniform(9, 40)))
    for _ in range(int(rng.choice(4, p=[0.35, 0.35, 0.2, 0.1]))):
        lane = rng.choice([0.0, left + 1.7 if left < -4 else 0.0])
        things.append(car(rng, view, weather, float(lane), rng.uniform(9, 60)))
    return things


def _row_of_houses(rng: np.random.Generator, view: View, weather: Weather, x: float) -> list[Thing]:
    houses, z = [], rng.uniform(4, 12)
    while z < 90:
        length = rng.uniform(8, 16)
        houses.append(house(rng, view, weather, x + rng.uniform(0, 1) * np.sign(x), z, length))
        z += length + (rng.uniform(0.5, 2) if view.setting == "town" else rng.uniform(3, 14))
    return houses
