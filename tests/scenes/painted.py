"""A small world whose pixels say which object they belong to, so that a box can be compared with what is seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.classes import ClassTable
from detaug.draws.balance import Balance, Order
from detaug.draws.donors import Donors
from detaug.draws.draw import Draw, Streams
from detaug.outline import Outline, polygon
from detaug.readers.catalog import Catalog, pack_names
from detaug.render.cpu import render
from detaug.render.picture import Opener
from detaug.render.source import Source
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage

# One class per outline and mirror rule, and a pair of partners.
ROWS: dict[str, dict[str, str]] = {
    "plate": {"outline": "rectangle", "mirror": "self"},
    "round": {"outline": "ellipse", "mirror": "never"},
    "warn": {"outline": "triangle_up", "mirror": "self"},
    "yield": {"outline": "triangle_down", "mirror": "self"},
    "stop": {"outline": "octagon", "mirror": "never"},
    "priority": {"outline": "diamond", "mirror": "self"},
    "left": {"outline": "ellipse", "mirror": "right"},
    "right": {"outline": "ellipse", "mirror": "left"},
}
TABLE = ClassTable.build(list(ROWS), ROWS, "test")
SUPER = 2  # sub-pixels per axis when the world is painted
CELL = 3  # objects stand in a grid of this many columns and rows, one to a cell


def world(images: int = 8, height: int = 1200, width: int = 1600, seed: int = 0) -> Catalog:
    """Images with up to five objects each, apart from each other, every class occurring."""
    rng = np.random.default_rng(seed)
    boxes: list[list[float]] = []
    labels: list[int] = []
    counts: list[int] = []
    for image in range(images):
        cells = rng.permutation(CELL * CELL)[: 1 + image % 5]
        for cell in cells:
            side = rng.uniform(0.5, 0.8, 2) * [width / CELL, height / CELL]
            room = np.array([width / CELL, height / CELL]) - side
            low = np.array([cell % CELL * width / CELL, cell // CELL * height / CELL]) + rng.uniform(0.1, 0.9) * room
            boxes.append([*low, *(low + side)])
            labels.append(len(labels) % len(ROWS))
        counts.append(len(cells))
    text, ends = pack_names([f"{i}.png" for i in range(images)])
    return Catalog(
        root=Path("nowhere"),
        classes=TABLE,
        text=text,
        ends=ends,
        sizes=np.tile(np.array([[height, width]], np.int32), (images, 1)),
        starts=np.cumsum([0, *counts]).astype(np.int64),
        boxes=np.array(boxes, np.float32),
        labels=np.array(labels, np.int32),
        flags=np.zeros(len(boxes), np.uint8),
        ids=np.arange(images, dtype=np.int64),
        splits=np.ones(images, np.uint8),
        groups=np.arange(images, dtype=np.int32),
        images_in=images,
        boxes_in=len(boxes),
    )


def colour_of(origin: int) -> tuple[int, int, int]:
    """Green says how much of the object a pixel shows; red and blue say which object it is."""
    return 25 * (origin % 10), 255, 25 * (origin // 10)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """Pixels as a file that cannot be divided has them."""

    pixels: NDArray[np.uint8]
    divides: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]

    def decode(self, by: int = 1) -> NDArray[np.uint8]:
        assert by == 1
        return self.pixels


def whole(read: Callable[[Path], NDArray[np.uint8]]) -> Opener:
    """Files whose pixels a function gives."""
    return lambda path: Whole(read(path))


class Painter:
    """Turns a path such as `nowhere/3.png` into the picture of image 3, objects on black."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.made: dict[str, NDArray[np.uint8]] = {}
        self.sources: dict[tuple[int, int], Source] = {}

    def __call__(self, path: Path) -> NDArray[np.uint8]:
        if path.name not in self.made:
            self.made[path.name] = self._painted(int(path.stem))
        return self.made[path.name]

    def source(self, size: tuple[int, int]) -> Source:
        """The pictures for a canvas, each reduced once."""
        return self.sources.setdefault(size, Source(self.catalog, size, open_file=whole(self)))

    def _painted(self, row: int) -> NDArray[np.uint8]:
        height, width = self.catalog.sizes[row].tolist()
        large = np.zeros((height * SUPER, width * SUPER, 3), np.uint8)
        objects = self.catalog.objects(row)
        for origin in range(objects.start, objects.stop):
            outline = int(TABLE.outline[self.catalog.labels[origin]])
            mask = inside(outline, self.catalog.boxes[origin].astype(float) * SUPER, large.shape[0], large.shape[1])
            large[mask] = colour_of(origin)
        return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def inside(outline: int, box: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """(H, W) whether a pixel's centre lies in an outline; by half-planes or the ellipse's equation."""
    result = np.zeros((height, width), bool)
    left, top, right, bottom = np.clip([*np.floor(box[:2]), *np.ceil(box[2:])], 0, [width, height] * 2).astype(int)
    near = result[top:bottom, left:right]  # no outline leaves its box
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    if outline == Outline.ELLIPSE:
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        near[:] = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 <= 1
        return result
    corners = polygon(outline, box)
    near[:] = True
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, 0), strict=True):
        near &= (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) >= 0
    return result


def stage(catalog: Catalog, size: tuple[int, int] = (120, 160), seed: int = 0) -> Stage:
    """A stage on a world, every class a donor."""
    factors = Balance(threshold=0.5).image_factors(catalog)
    return Stage(
        catalog=catalog,
        size=size,
        order=Order(factors, seed, len(catalog)),
        weights=np.ones(len(catalog.classes)),
        donors=Donors.of(catalog, np.ones(len(catalog.classes), bool)),
        streams=Streams(seed),
    )


def planned(recipe: Recipe, ground: Stage, slot: int, epoch: int = 0) -> Scene:
    """The scene of a slot, on black ground."""
    return replace(recipe.plan(Draw(epoch, slot, slot % len(ground.catalog)), ground), fill=(0, 0, 0))


def enlarged(scene: Scene, times: int) -> Scene:
    """The same scene on a canvas `times` as large."""
    matrix = np.diag([times, times, 1.0])
    return replace(scene.moved(matrix), size=(scene.size[0] * times, scene.size[1] * times))


def extents(scene: Scene, paint: Painter, group: int = 0, at: float = 0.5) -> dict[int, NDArray[np.float64]]:
    """The box round what is seen of each object, by origin, to a fraction of a pixel."""
    alone = replace(scene, opacity=tuple(float(g == 0 or g == group) for g in range(len(scene.opacity))))
    image = render(alone, paint.source(scene.size)).astype(np.float32)
    reds, greens, blues = cv2.split(image)
    share = greens / 255
    seen: dict[int, NDArray[np.float64]] = {}
    for origin in np.unique(scene.origin[scene.group[scene.layer] == group]).tolist():
        red, _, blue = colour_of(origin)
        near = (np.abs(reds - share * red) < 12) & (np.abs(blues - share * blue) < 12)
        # Where two objects meet, their mixed colours look like a third one's: a thin line, not the largest part.
        shown = ((share > 0.3) & near).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(shown)
        part = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
        count, parts, stats, _ = cv2.connectedComponentsWithStats(shown[part])
        if count > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            grown = cv2.dilate((parts == largest).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            own = np.zeros_like(share)
            own[part] = np.where(grown, share[part], 0)
            if own.max() <= at:
                continue  # a sliver
            x1, x2 = _crossings(own.max(0), at)
            y1, y2 = _crossings(own.max(1), at)
            seen[origin] = np.array([x1, y1, x2, y2])
    return seen


def _crossings(profile: NDArray[np.float32], at: float) -> tuple[float, float]:
    """Where a profile over pixels rises above a height and where it falls below it again, in edge coordinates."""
    over = np.flatnonzero(profile > at)
    padded = np.concatenate([[0.0], profile, [0.0]])
    first, last = int(over[0]), int(over[-1])
    rise = first + 0.5 - (profile[first] - at) / max(profile[first] - padded[first], 1e-6)
    fall = last + 0.5 + (profile[last] - at) / max(profile[last] - padded[last + 2], 1e-6)
    # At the canvas's border nothing is seen of what lies beyond: there the object ends with the canvas.
    low = 0.0 if first == 0 and profile[0] > 0.9 else float(rise)
    return low, (float(len(profile)) if last == len(profile) - 1 and profile[last] > 0.9 else float(fall))


def pixels_by_label(scene: Scene, paint: Painter, catalog: Catalog) -> dict[int, float]:
    """How many pixels each object covers by origin, counted by drawing one object at a time in white."""
    counted: dict[int, float] = {}
    for origin in np.unique(scene.origin).tolist():
        image = render(scene, Source(catalog, scene.size, open_file=whole(Highlighter(paint, origin))))
        counted[origin] = float(image[..., 1].sum()) / 255
    return counted


class Highlighter:
    """Paints one object of a world white and everything else black."""

    def __init__(self, paint: Painter, origin: int) -> None:
        self.paint = paint
        self.origin = origin

    def __call__(self, path: Path) -> NDArray[np.uint8]:
        catalog = self.paint.catalog
        row = int(path.stem)
        height, width = catalog.sizes[row].tolist()
        image = np.zeros((height, width, 3), np.uint8)
        objects = catalog.objects(row)
        if objects.start <= self.origin < objects.stop:
            outline = int(TABLE.outline[catalog.labels[self.origin]])
            image[inside(outline, catalog.boxes[self.origin].astype(float), height, width)] = 255
        return image
