"""Where patches may stand: K places for each in the host images' own coordinates, and the first that fits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.draws.places import Places
from detaug.outline import Array, carried_points, spread_sides
from detaug.readers.catalog import spans
from detaug.scenes.hosts import Hosts

TRIES = 48
NUMBERS = 6 * TRIES
_EARLY = 4  # of them are looked at first
_POLES = 4  # of them are tried first where a patch is to share a pole
_SHIFT_X, _SHIFT_Y = 0.16, 0.08  # whole width of the jitter, as a share of the picture
_RESIZE = 0.3  # whole width of the jitter of a template's size
_ROUNDING = 1e-9  # canvas pixels that touching boxes may share by rounding
_PAIRS = 1 << 18  # of places and boxes that are looked at together
_NOWHERE = np.array([np.inf, np.inf, -np.inf, -np.inf])


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """R patches to be placed, and within which limits.

    Attributes:
        scene: (R,) the scene that each is for, rising; those of a scene are placed one after the other.
        half: (R, 2) half their width and height in donor pixels.
        reach: (R, 2) the same once they are turned and sheared.
        times: (R,) factor on the size of the places.
        least: (R,) canvas pixels per donor pixel at least.
        pole: (R,) bool, whether a place above or below a sign is tried first.
        most: canvas pixels per donor pixel at most.
        overlap: share of themselves that may lie over what is taken.
        margin: distance to what is taken, as a share of their own size.
        leave: share of their width or height that may lie outside the canvas.
    """

    scene: NDArray[np.int64]
    half: Array
    reach: Array
    times: Array
    least: Array
    pole: NDArray[np.bool_]
    most: float
    overlap: float
    margin: float
    leave: float


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The places of those patches that found one, P of them.

    Attributes:
        rows: (P,) which patches, rising.
        host: (P,) place in `Hosts.layer`.
        centre: (P, 2) in host pixels.
        ratio: (P,) host pixels per donor pixel.
        taken: (B, 4) arrays of canvas boxes, one patch of each scene in each; infinitely small where there is none.
    """

    rows: NDArray[np.int64]
    host: NDArray[np.int64]
    centre: Array
    ratio: Array
    taken: tuple[Array, ...]


def placed(wanted: Wanted, hosts: Hosts, places: Places, taken: tuple[Array, ...], chance: Array) -> Placed:
    """For each patch the first of K random places that fits beside those before it.

    Args:
        wanted: what is placed.
        hosts: where.
        places: the templates that positions and sizes are taken from.
        taken: canvas boxes of earlier patches, as in `Placed`, which later ones keep clear of.
        chance: (R, `NUMBERS`) random numbers.
    """
    rows, host, centre, ratio = _fitting(wanted, hosts, *_tries(wanted, hosts, places, chance.reshape(-1, 6, TRIES)))
    matrix = hosts.matrix[host]
    middle, spread = carried_points(matrix, centre), spread_sides(matrix, ratio[:, None] * wanted.reach[rows])
    boxes = np.concatenate([middle - spread, middle + spread], 1)
    height, width = hosts.size
    off = 2 * wanted.leave * spread
    on = np.flatnonzero(((boxes[:, :2] >= -off) & (boxes[:, 2:] <= off + np.array([width, height]))).all(1))
    count, scene = len(wanted.scene), wanted.scene[rows]
    begun = np.searchsorted(rows[on], np.arange(count + 1))
    rank = np.arange(count) - np.searchsorted(wanted.scene, wanted.scene)
    chosen, room, taken = np.full(count, -1), hosts.room, (*taken,)
    for turn in range(int(rank.max(initial=-1)) + 1):
        own = np.flatnonzero(rank == turn)
        look = on[spans(begun[own], begun[own + 1] - begun[own])]
        for others in taken:
            look = look[~_meet(boxes[look], others[scene[look]])]
        # A patch's first places are looked at before its others: most often one of them is free.
        early = np.arange(len(look)) - np.searchsorted(rows[look], rows[look]) < _EARLY
        for some in (look[early], look[~early]):
            left = some[chosen[rows[some]] < 0]
            left = left[_free(wanted, hosts, room, scene[left], boxes[left], spread[left])]
            patch, first = np.unique(rows[left], return_index=True)
            chosen[patch] = left[first]
        some = own[chosen[own] >= 0]
        room = _filled(wanted, hosts, room, wanted.scene[some], boxes[chosen[some]], spread[chosen[some]])
        mine = np.tile(_NOWHERE, (len(hosts.first) - 1, 1))
        mine[wanted.scene[some]] = boxes[chosen[some]]
        taken = (*taken, mine)
    found = np.flatnonzero(chosen >= 0)
    best = chosen[found]
    return Placed(found, host[best], centre[best], ratio[best], taken)


def _tries(
    wanted: Wanted, hosts: Hosts, places: Places, chance: Array
) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """(R, K) the tile in `Hosts.layer`, the centre's x and y there, and host pixels per donor pixel, of each try."""
    tiles = (hosts.first[1:] - hosts.first[:-1])[wanted.scene]
    host = hosts.first[wanted.scene][:, None] + (chance[:, 0] * tiles[:, None]).astype(np.int64)
    template = places.rows[(chance[:, 1] * len(places)).astype(np.int64)]
    sides = hosts.sides[host]
    x = (template[..., 0] + (chance[:, 2] - 0.5) * _SHIFT_X) * sides[..., 0]
    y = (template[..., 1] + (chance[:, 3] - 0.5) * _SHIFT_Y) * sides[..., 1]
    short = template[..., 2] * np.maximum(sides[..., 0], sides[..., 1])
    size = (wanted.times / (2 * np.minimum(wanted.half[:, 0], wanted.half[:, 1])))[:, None]
    ratio = short * (1 + _RESIZE * (chance[:, 4] - 0.5)) * size
    signs = hosts.first_sign[wanted.scene + 1] - hosts.first_sign[wanted.scene]
    poles = np.flatnonzero(wanted.pole & (signs > 0))
    if len(poles):
        _on_poles(wanted, hosts, chance, poles, signs, host, x, y, ratio)
    return host, x, y, ratio


def _on_poles(
    wanted: Wanted, hosts: Hosts, chance: Array, poles: NDArray[np.int64], signs: NDArray[np.int64],
    host: NDArray[np.int64], x: Array, y: Array, ratio: Array,
) -> None:  # fmt: skip
    """The first places of some patches put directly above or below a sign, touching it and about as wide."""
    some = chance[poles, :, :_POLES]
    sign = hosts.first_sign[wanted.scene[poles]][:, None] + (some[:, 5] * signs[poles, None]).astype(np.int64)
    x1, y1, x2, y2 = (hosts.signs[sign, k] for k in range(4))
    size = (x2 - x1) * (0.9 + 0.2 * some[:, 4]) / (2 * wanted.half[poles, :1])
    high = 1.01 * size * wanted.reach[poles, 1:]
    host[poles, :_POLES], ratio[poles, :_POLES], x[poles, :_POLES] = hosts.place[sign], size, (x1 + x2) / 2
    y[poles, :_POLES] = np.where(some[:, 1] < 0.5, y2 + high, y1 - high)


def _fitting(
    wanted: Wanted, hosts: Hosts, host: NDArray[np.int64], x: Array, y: Array, ratio: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]:
    """(k,) patch, tile, centre (k, 2) and ratio of the tries that have the right size and lie inside their tile."""
    reach_x, reach_y = ratio * wanted.reach[:, :1], ratio * wanted.reach[:, 1:]
    region, shown = hosts.region[host], ratio * hosts.scale[host]
    fits = (shown >= wanted.least[:, None]) & (shown <= wanted.most)
    fits &= (x - reach_x >= region[..., 0]) & (y - reach_y >= region[..., 1])
    fits &= (x + reach_x <= region[..., 2]) & (y + reach_y <= region[..., 3])
    rows, at = np.nonzero(fits)
    return rows, host[rows, at], np.stack([x[rows, at], y[rows, at]], 1), ratio[rows, at]


def _free(
    wanted: Wanted, hosts: Hosts, room: Array, scene: NDArray[np.int64], boxes: Array, spread: Array
) -> NDArray[np.bool_]:
    """(k,) whether places cover little enough of what is taken."""
    free = np.ones(len(boxes), bool)
    own = (4 * wanted.overlap) * spread[:, 0] * spread[:, 1]
    for place, other, covered in _covered(wanted, hosts, scene, boxes, spread):
        much = (covered > own[place] + _ROUNDING) | (covered > room[other] + _ROUNDING)
        free[place[much]] = False
    return free


def _filled(wanted: Wanted, hosts: Hosts, room: Array, scene: NDArray[np.int64], boxes: Array, spread: Array) -> Array:
    """(T,) what is left of the room once patches lie in these places, at most one in a scene."""
    left = room.copy()
    for _, other, covered in _covered(wanted, hosts, scene, boxes, spread):
        left[other] -= np.maximum(covered - _ROUNDING, 0)
    return left


def _covered(
    wanted: Wanted, hosts: Hosts, scene: NDArray[np.int64], boxes: Array, spread: Array
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Array]]:
    """Place, index of a taken box of its scene that may meet it, and canvas pixels that they share; some at once."""
    away = (2 * wanted.margin) * spread
    # Columns, and a look at one axis first: most pairs lie far apart.
    left, top, right, bottom = np.concatenate([boxes[:, :2] - away, boxes[:, 2:] + away], 1).T.copy()
    x1, y1, x2, y2 = hosts.taken.T.copy()
    counts = hosts.first_taken[scene + 1] - hosts.first_taken[scene]
    sums = np.concatenate([[0], np.cumsum(counts)])
    begun = 0
    while begun < len(scene):
        ended = max(begun + 1, int(np.searchsorted(sums, sums[begun] + _PAIRS, side="right")) - 1)
        place = np.repeat(np.arange(begun, ended), counts[begun:ended])
        other = spans(hosts.first_taken[scene[begun:ended]], counts[begun:ended])
        across = np.minimum(x2[other], right[place]) - np.maximum(x1[other], left[place])
        near = np.flatnonzero(across > 0)
        place, other = place[near], other[near]
        down = np.minimum(y2[other], bottom[place]) - np.maximum(y1[other], top[place])
        yield place, other, across[near] * np.maximum(down, 0)
        begun = ended


def _meet(boxes: Array, others: Array) -> NDArray[np.bool_]:
    """(k,) whether boxes share some of their area with others, one by one."""
    low, high = boxes[:, :2] < others[:, 2:], others[:, :2] < boxes[:, 2:]
    return np.asarray((low & high).all(1))
