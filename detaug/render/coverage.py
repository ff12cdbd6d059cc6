"""How much of each pixel an outline covers: the mask of a pasted sign, the same for every renderer."""

import numpy as np
from numpy.typing import NDArray

from detaug.outline import UNIT_POLYGONS, Array, Outline


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
    centre = matrix[:2, :2] @ ((box[:2] + box[2:]) / 2) + matrix[:2, 2]
    spread = matrix[:2, :2] * ((box[2:] - box[:2]) / 2)  # unit square to canvas
    x = np.arange(x1, x2) + 0.5 - centre[0]
    y = np.arange(y1, y2) + 0.5 - centre[1]
    return _in_ellipse(spread, x, y) if outline == Outline.ELLIPSE else _in_polygon(outline, spread, x, y)


def _in_polygon(outline: int, spread: Array, x: Array, y: Array) -> Array:
    """Distance to the nearest side's line, positive inside."""
    corners = UNIT_POLYGONS[outline] @ spread.T
    sides = np.roll(corners, -1, axis=0) - corners
    # Clockwise on screen has its inside to the right of each side; a mirroring matrix turns that round.
    normals = np.stack([-sides[:, 1], sides[:, 0]], 1) * np.sign(np.linalg.det(spread))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    offsets = (normals * corners).sum(1)
    nearest = np.full((len(y), len(x)), np.inf)
    for (nx, ny), offset in zip(normals, offsets, strict=True):
        np.minimum(nearest, (nx * x)[None, :] + (ny * y - offset)[:, None], out=nearest)
    return nearest


def _in_ellipse(spread: Array, x: Array, y: Array) -> Array:
    """Distance to the ellipse's edge to first order, positive inside: (1 - r) / |gradient of r|."""
    inverse = np.linalg.inv(spread)
    u = (inverse[0, 0] * x)[None, :] + (inverse[0, 1] * y)[:, None]
    v = (inverse[1, 0] * x)[None, :] + (inverse[1, 1] * y)[:, None]
    radius = np.maximum(np.hypot(u, v), 1e-6)
    slope_x = (u * inverse[0, 0] + v * inverse[1, 0]) / radius
    slope_y = (u * inverse[0, 1] + v * inverse[1, 1]) / radius
    distance: Array = (1 - radius) / np.hypot(slope_x, slope_y)
    return distance
