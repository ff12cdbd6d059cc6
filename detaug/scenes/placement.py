"""Where patches may stand: K places for each at once in the host images' own coordinates, and the first that fits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.draws.places import Places
from detaug.outline import Array
from detaug.scenes.finish import CORNERS_AREA
from detaug.scenes.scene import Role, Scene
from detaug.scenes.stage import Stage

TRIES = 48
_POLES = 4  # of them are tried first where a patch is to share a pole
_SHIFT_X, _SHIFT_Y = 0.16, 0.08  # whole width of the jitter, as a share of the picture
_RESIZE = 0.3  # whole width of the jitter of a template's size
_ROUNDING = 1e-9  # canvas pixels that touching boxes may share by rounding
_FILLED = np.array([CORNERS_AREA[k] / 4 for k in sorted(CORNERS_AREA)])  # an outline's share of its box

Span = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Hosts:
    """The tiles of a scene as places to paste on, and what is already taken; n tiles, T taken boxes.

    Attributes:
        size: canvas height and width.
        layer: (n,) index of each tile in the scene.
        matrix: (n, 3, 3) host pixels to canvas pixels.
        region: (n, 4) host pixels that are shown.
        sides: (n, 2) width and height of the whole host image.
        scale: (n,) canvas pixels per host pixel.
        signs: (S, 5) box in host pixels of each object of a tile, and the tile's place in `layer`.
        taken: (T, 4) canvas boxes of what must stay visible.
        room: (T,) canvas pixels of each that may be covered.
    """

    size: tuple[int, int]
    layer: NDArray[np.int64]
    matrix: Array
    region: Array
    sides: Array
    scale: Array
    signs: Array
    taken: Array
    room: Array

    @classmethod
    def of(cls, scene: Scene, stage: Stage, overlap: float) -> "Hosts":
        """The tiles of a scene and its objects, of each of which a share `overlap` may be covered."""
        layer = np.flatnonzero(scene.role == Role.TILE)
        matrix = scene.matrix[layer]
        # The boxes of the objects' boxes: what they take at most where a tile is turned.
        carried = scene.matrix[scene.layer]
        middle = 0.5 * (scene.box[:, :2] + scene.box[:, 2:])
        middle = np.einsum("nij,nj->ni", carried[:, :2, :2], middle) + carried[:, :2, 2]
        half = 0.5 * (scene.box[:, 2:] - scene.box[:, :2])
        spread = np.einsum("nij,nj->ni", np.abs(carried[:, :2, :2]), half)
        scale = np.abs(carried[:, 0, 0] * carried[:, 1, 1] - carried[:, 0, 1] * carried[:, 1, 0])
        place = np.searchsorted(layer, scene.layer)
        owned = scene.role[scene.layer] == Role.TILE
        return cls(
            scene.size,
            layer,
            matrix,
            scene.region[layer],
            stage.catalog.sizes[scene.image[layer]][:, ::-1].astype(np.float64),
            np.sqrt(np.abs(matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0])),
            np.column_stack([scene.box, place])[owned],
            np.concatenate([middle - spread, middle + spread], 1),
            4 * overlap * scale * half[:, 0] * half[:, 1] * _FILLED[scene.shape],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """P patches to be placed, and within which limits.

    Attributes:
        half: (P, 2) half their width and height in donor pixels.
        reach: (P, 2) the same once they are turned and sheared.
        times: (P,) factor on the size of the places.
        least: (P,) canvas pixels per donor pixel at least.
        most: canvas pixels per donor pixel at most.
        overlap: share of themselves that may lie over what is taken.
        margin: distance to what is taken, as a share of their own size.
        leave: share of their width or height that may lie outside the canvas.
        pole: (P,) bool, whether a place above or below a sign is tried first.
    """

    half: Array
    reach: Array
    times: Array
    least: Array
    most: float
    overlap: float
    margin: float
    leave: float
    pole: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A place that fits.

    Attributes:
        host: place in `Hosts.layer`.
        x, y: its centre in host pixels.
        ratio: host pixels per donor pixel.
        box: canvas box round the patch.
    """

    host: int
    x: float
    y: float
    ratio: float
    box: Span


def placed(
    wanted: Wanted, hosts: Hosts, places: Places, taken: list[Span], search: np.random.Generator
) -> list[Placed | None]:
    """For each patch the first of K random places that fits beside those before it, or None.

    Args:
        wanted: what is placed.
        hosts: where.
        places: the templates that positions and sizes are taken from.
        taken: canvas boxes of earlier patches, which later ones keep clear of.
        search: 6 P K random numbers are drawn.
    """
    count = len(wanted.times)
    chance = search.random((6, count, TRIES))
    host = (chance[0] * len(hosts.layer)).astype(np.int64)
    template = places.rows[(chance[1] * len(places)).astype(np.int64)]
    sides = hosts.sides[host]
    x = (template[..., 0] + (chance[2] - 0.5) * _SHIFT_X) * sides[..., 0]
    y = (template[..., 1] + (chance[3] - 0.5) * _SHIFT_Y) * sides[..., 1]
    short = template[..., 2] * np.maximum(sides[..., 0], sides[..., 1])
    size = (wanted.times / (2 * np.minimum(wanted.half[:, 0], wanted.half[:, 1])))[:, None]
    ratio = short * (1 + _RESIZE * (chance[4] - 0.5)) * size
    if wanted.pole.any() and len(hosts.signs):
        _on_poles(wanted, hosts, chance, host, x, y, ratio)
    reach_x, reach_y = ratio * wanted.reach[:, :1], ratio * wanted.reach[:, 1:]
    region, shown = hosts.region[host], ratio * hosts.scale[host]
    fits = (shown >= wanted.least[:, None]) & (shown <= wanted.most)
    fits &= (x - reach_x >= region[..., 0]) & (y - reach_y >= region[..., 1])
    fits &= (x + reach_x <= region[..., 2]) & (y + reach_y <= region[..., 3])
    found = np.flatnonzero(fits)
    host, x, y, ratio = (a.ravel()[found] for a in (host, x, y, ratio))
    carried = hosts.matrix[host][:, :2]
    middle = np.einsum("kij,kj->ki", carried[..., :2], np.stack([x, y], 1)) + carried[..., 2]
    reach = np.stack([reach_x.ravel()[found], reach_y.ravel()[found]], 1)
    spread = np.einsum("kij,kj->ki", np.abs(carried[..., :2]), reach)
    low, high = middle - spread, middle + spread
    covered, free = _free(low, high, spread, hosts, wanted)
    rows = np.flatnonzero(free)
    boxes = np.concatenate([low, high], 1)[rows].tolist()
    chosen: list[Placed | None] = [None] * count
    taken, room = list(taken), hosts.room
    for owner, row, box in zip((found[rows] // TRIES).tolist(), rows.tolist(), boxes, strict=True):
        if (
            chosen[owner] is not None
            or any(_meet(box, other) for other in taken)
            or (covered[row] > room + _ROUNDING).any()
        ):
            continue
        chosen[owner] = Placed(int(host[row]), float(x[row]), float(y[row]), float(ratio[row]), tuple(box))
        taken.append(tuple(box))
        room = room - np.maximum(covered[row] - _ROUNDING, 0)
    return chosen


def _free(low: Array, high: Array, spread: Array, hosts: Hosts, wanted: Wanted) -> tuple[Array, NDArray[np.bool_]]:
    """(k, T) canvas pixels of what is taken that each place covers, and (k,) whether each lies free on the canvas."""
    height, width = hosts.size
    off = 2 * wanted.leave * spread
    on = (low >= -off) & (high <= off + np.array([width, height]))
    away = (2 * wanted.margin) * spread
    least, most = (low - away)[:, None], (high + away)[:, None]
    shared = np.maximum(np.minimum(hosts.taken[:, 2:], most) - np.maximum(hosts.taken[:, :2], least), 0)
    covered = shared[..., 0] * shared[..., 1]
    own = (4 * wanted.overlap) * spread[:, 0] * spread[:, 1] + _ROUNDING
    enough = (covered <= own[:, None]).all(1)
    return covered, np.asarray(on[:, 0] & on[:, 1] & enough)


def _meet(one: list[float], other: Span) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _on_poles(
    wanted: Wanted, hosts: Hosts, chance: Array, host: NDArray[np.int64], x: Array, y: Array, ratio: Array
) -> None:
    """The first places of some patches put directly above or below a sign, touching it and about as wide."""
    for p in np.flatnonzero(wanted.pole).tolist():
        for k in range(_POLES):
            x1, y1, x2, y2, place = hosts.signs[int(chance[5, p, k] * len(hosts.signs))].tolist()
            size = (x2 - x1) * (0.9 + 0.2 * float(chance[4, p, k])) / (2 * float(wanted.half[p, 0]))
            high = 1.01 * size * float(wanted.reach[p, 1])
            host[p, k], ratio[p, k], x[p, k] = int(place), size, (x1 + x2) / 2
            y[p, k] = y2 + high if chance[1, p, k] < 0.5 else y1 - high
