"""Boxes as text that gives the same float32 corners when our readers have done their arithmetic on it."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Exact = NDArray[np.float64]

_DECIMALS = (6, 8, 10, 12, 14)  # of shares; what any tool expects first
_STEPS = (0, 1, -1, 2, -2)  # units in the last place that a share is moved by


def corner_words(boxes: Boxes) -> list[list[str]]:
    """(N, 4) corners in as few digits as tell them from other float32 values; whole numbers without a point.

    >>> corner_words(np.array([[0, 0.1, 12, 1e-5]], np.float32))
    [['0', '0.1', '12', '1e-05']]
    """
    words = boxes.reshape(-1).astype(str).tolist()
    short = [word.removesuffix(".0") for word in words]
    return [short[i : i + 4] for i in range(0, len(short), 4)]


def left_top_sides(boxes: Boxes) -> Exact:
    """(N, 4) x y width height such that x + width and y + height give x2 and y2 in float32.

    >>> left_top_sides(np.array([[0.1, 2, 10.3, 9]], np.float32)).tolist()
    [[0.1, 2.0, 10.2, 7.0]]
    """
    short = boxes.astype(str).astype(np.float64)
    sides = np.round(short[:, 2:] - short[:, :2], 6)
    good = (short[:, :2] + sides).astype(np.float32) == boxes[:, 2:]
    exact = boxes.astype(np.float64)
    start = np.where(good, short[:, :2], exact[:, :2])
    return np.concatenate([start, np.where(good, sides, exact[:, 2:] - exact[:, :2])], 1)


def centre_sides(boxes: Boxes, sizes: NDArray[np.int32]) -> tuple[Exact, int]:
    """(N, 4) centre x, centre y, width, height as shares of the image, and how many boxes they do not give exactly.

    Doubles cannot give a corner that is above 0 and under about a millionth of a pixel; such a box is off by less.

    Args:
        boxes: (N, 4) corners.
        sizes: (N, 2) height and width of each box's image.

    >>> centre_sides(np.array([[0, 8, 32, 24]], np.float32), np.array([[32, 64]], np.int32))[0].tolist()
    [[0.25, 0.5, 0.5, 0.5]]
    """
    x, width, good_x = _axis(boxes[:, 0], boxes[:, 2], sizes[:, 1])
    y, height, good_y = _axis(boxes[:, 1], boxes[:, 3], sizes[:, 0])
    return np.stack([x, y, width, height], 1), int((~(good_x & good_y)).sum())


def _axis(
    low: NDArray[np.float32], high: NDArray[np.float32], size: NDArray[np.int32]
) -> tuple[Exact, Exact, NDArray[np.bool_]]:
    """(N,) centre and side as shares, and where they give both ends again."""
    start, end, whole = low.astype(np.float64), high.astype(np.float64), size.astype(np.float64)
    side = (end - start) / whole
    centre = np.where(start == 0, side / 2, (start + end) / 2 / whole)
    found_centre, found_side = centre.copy(), side.copy()
    good = np.zeros(len(low), bool)
    tries = [(_rounded(centre, digits), _rounded(side, digits)) for digits in _DECIMALS]
    tries += [(_nudged(centre, a), _nudged(side, b)) for a in _STEPS for b in _STEPS]
    for tried_centre, tried_side in tries:
        first = np.clip((tried_centre - tried_side / 2) * whole, 0, whole).astype(np.float32) == low
        last = np.clip((tried_centre + tried_side / 2) * whole, 0, whole).astype(np.float32) == high
        new = first & last & ~good
        found_centre[new], found_side[new] = tried_centre[new], tried_side[new]
        good |= new
        if good.all():
            break
    return found_centre, found_side, good


def _rounded(values: Exact, digits: int) -> Exact:
    return np.asarray(np.round(values, digits), np.float64)


def _nudged(values: Exact, steps: int) -> Exact:
    """The values, moved by so many units in their last place."""
    for _ in range(abs(steps)):
        values = np.nextafter(values, np.inf if steps > 0 else -np.inf)
    return values
