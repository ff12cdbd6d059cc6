"""How much of each pixel an outline covers: the mask of a pasted sign, the same for every renderer."""

import math

import numpy as np
from numpy.typing import NDArray

from detaug.outline import UNIT_POLYGONS, Array, Outline

Spread = tuple[float, float, float, float]  # the rows a b, c d of a matrix: as plain numbers a tenth of an array's time
_CORNERS = {code: [(u, v) for u, v in corners.tolist()] for code, corners in UNIT_POLYGONS.items()}


def coverage(outline: int, box: Array, matrix: Array, window: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """The share of each pixel inside a transformed outline, from its distance to the edges.

    A pixel whose centre lies d pixels inside the nearest edge is covered by d + 0.5, within 0 and 1: exact for a
    straight edge along the pixel grid, and within 0.04 for others. The arguments are those of `depth`.

    Returns:
        (y2 - y1, x2 - x1) float32.
    """
    return np.clip(depth(outline, box, matrix, window) + 0.5, 0, 1).astype(np.float32)


def depth(outline: int, box: Array, matrix: Array, window: tuple[int, int, int, int]) -> Array:
    """How many canvas pixels each pixel's centre lies inside a transformed outline; negative outside.

    Args:
        outline: an `Outline` code.
        box: (4,) source pixels that the outline is inscribed in.
        matrix: (3, 3) source to canvas pixels.
        window: x1, y1, x2, y2 of the canvas pixels asked for.

    Returns:
        (y2 - y1, x2 - x1) float64.
    """
    x1, y1, x2, y2 = window
    (a, b, shift_x), (c, d, shift_y) = matrix[:2].tolist()
    left, top, right, bottom = box.tolist()
    u, v, half_x, half_y = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
    x = np.arange(x1, x2) + (0.5 - (a * u + b * v + shift_x))
    y = np.arange(y1, y2) + (0.5 - (c * u + d * v + shift_y))
    spread = a * half_x, b * half_y, c * half_x, d * half_y  # unit square to canvas
    return _in_ellipse(spread, x, y) if outline == Outline.ELLIPSE else _in_polygon(outline, spread, x, y)


def _in_polygon(outline: int, spread: Spread, x: Array, y: Array) -> Array:
    """Distance to the nearest side's line, positive inside."""
    a, b, c, d = spread
    corners = [(a * u + b * v, c * u + d * v) for u, v in _CORNERS[outline]]
    # Clockwise on screen has its inside to the right of each side; a mirroring matrix turns that round.
    turn = 1.0 if a * d > b * c else -1.0
    sides = []
    for (u1, v1), (u2, v2) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = turn * math.hypot(u2 - u1, v2 - v1)
        sides.append(((v1 - v2) / length, (u2 - u1) / length, (v1 * u2 - v2 * u1) / length))
    across, down, offset = np.array(sides).T[:, :, None]
    # All sides at once: for patches of few pixels it is the number of calls that counts.
    nearest: Array = ((down * y - offset)[:, :, None] + (across * x)[:, None]).min(0)
    return nearest


def _in_ellipse(spread: Spread, x: Array, y: Array) -> Array:
    """Distance to the ellipse's edge to first order, positive inside: (1 - r) / |gradient of r|.

    With the inverse B of the spread, r is the length of B p at a point p, and its gradient is B'B p / r.
    """
    a, b, c, d = spread
    area = (a * d - b * c) ** 2
    xx, xy, yy = (c * c + d * d) / area, -(a * c + b * d) / area, (a * a + b * b) / area  # B'B
    y = y[:, None]
    slope_x, slope_y = xx * x + xy * y, xy * x + yy * y
    square = np.maximum(x * slope_x + y * slope_y, 1e-12)
    distance: Array = (np.sqrt(square) - square) / np.sqrt(np.maximum(slope_x * slope_x + slope_y * slope_y, 1e-24))
    return distance
