"""The shapes that signs have: their polygons, tight boxes and areas.

An outline is inscribed in its box: it touches all four sides. Points are (x, y) in pixels, edges.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Outline(IntEnum):
    """The silhouette of a class of signs."""

    RECTANGLE = 0
    ELLIPSE = 1
    TRIANGLE_UP = 2
    TRIANGLE_DOWN = 3
    OCTAGON = 4
    DIAMOND = 5


_ELLIPSE_VERTICES = 64
_STUMP = np.tan(np.pi / 8)  # half an octagon's side, as a share of half its width


def _unit_polygons() -> dict[int, Array]:
    """Corner points in the unit square [-1, 1], clockwise on screen (y points down)."""
    turn = np.arange(_ELLIPSE_VERTICES) * (2 * np.pi / _ELLIPSE_VERTICES)
    e = _STUMP
    return {
        Outline.RECTANGLE: np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float),
        Outline.ELLIPSE: np.stack([np.cos(turn), np.sin(turn)], 1),
        Outline.TRIANGLE_UP: np.array([[0, -1], [1, 1], [-1, 1]], float),
        Outline.TRIANGLE_DOWN: np.array([[-1, -1], [1, -1], [0, 1]], float),
        Outline.OCTAGON: np.array([[-e, -1], [e, -1], [1, -e], [1, e], [e, 1], [-e, 1], [-1, e], [-1, -e]]),
        Outline.DIAMOND: np.array([[0, -1], [1, 0], [0, 1], [-1, 0]], float),
    }


UNIT_POLYGONS: dict[int, Array] = _unit_polygons()
# (6, 2, 8): the corners of each outline, repeated to eight; the ellipse's are not used.
_ELLIPSE = int(Outline.ELLIPSE)
_CORNERS = np.stack([np.resize(UNIT_POLYGONS[code], (8, 2)).T for code in Outline])


def polygon(outline: int, box: NDArray[np.floating]) -> Array:
    """The outline's corners in a box.

    Args:
        outline: an `Outline` code.
        box: (4,) x1 y1 x2 y2.

    Returns:
        (K, 2) float64, clockwise on screen; an ellipse is a 64-gon (0.1 % of the radius short between its corners).

    >>> polygon(Outline.DIAMOND, np.array([0.0, 0.0, 4.0, 2.0])).tolist()
    [[2.0, 0.0], [4.0, 1.0], [2.0, 2.0], [0.0, 1.0]]
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    half = np.array([(x2 - x1) / 2, (y2 - y1) / 2])
    corners: Array = centre + UNIT_POLYGONS[outline] * half
    return corners


def moved(points: Array, matrix: Array) -> Array:
    """Points (K, 2) carried by an affine matrix (3, 3) or (2, 3)."""
    carried: Array = points @ matrix[:2, :2].T + matrix[:2, 2]
    return carried


def inverse(matrix: Array) -> Array:
    """The inverse of a (3, 3) affine matrix, written out: a third of the time of a general one."""
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    whole = a * d - b * c
    a, b, c, d = d / whole, -b / whole, -c / whole, a / whole
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y], [0, 0, 1.0]])


def inverses(matrices: Array) -> Array:
    """The inverses of K affine matrices (K, 3, 3)."""
    a, b, x = (matrices[:, 0, k] for k in range(3))
    c, d, y = (matrices[:, 1, k] for k in range(3))
    whole = a * d - b * c
    a, b, c, d = d / whole, -b / whole, -c / whole, a / whole
    return affine(a, b, -a * x - b * y, c, d, -c * x - d * y)


def affine(a: Array, b: Array, x: Array, c: Array, d: Array, y: Array) -> Array:
    """(K, 3, 3) matrices with the rows a b x, c d y and 0 0 1; each (K,)."""
    made = np.zeros((len(x), 3, 3))
    made[:, 0, 0], made[:, 0, 1], made[:, 0, 2] = a, b, x
    made[:, 1, 0], made[:, 1, 1], made[:, 1, 2] = c, d, y
    made[:, 2, 2] = 1
    return made


def products(after: Array, before: Array) -> Array:
    """(K, 3, 3) affine matrices `after` (K, 3, 3) times `before` (K, 3, 3), written out.

    The products of numpy may round differently with the number of matrices; these do not.
    """
    made = after[:, :, :1] * before[:, :1] + after[:, :, 1:2] * before[:, 1:2]
    made[:, :, 2] += after[:, :, 2]
    return made


def carried_points(matrix: Array, point: Array) -> Array:
    """(K, 2) points carried by affine matrices (K, 3, 3)."""
    carried: Array = matrix[:, :2, 0] * point[:, :1] + matrix[:, :2, 1] * point[:, 1:] + matrix[:, :2, 2]
    return carried


def spread_sides(matrix: Array, half: Array) -> Array:
    """(K, 2) half the sides of the boxes round boxes of half sides (K, 2) that affine matrices carry."""
    spread: Array = np.abs(matrix[:, :2, 0]) * half[:, :1] + np.abs(matrix[:, :2, 1]) * half[:, 1:]
    return spread


def hulls(outlines: NDArray[np.integer], boxes: NDArray[np.floating], matrices: Array) -> Array:
    """Tight boxes of transformed outlines.

    Args:
        outlines: (N,) `Outline` codes.
        boxes: (N, 4) x1 y1 x2 y2 before the transformation.
        matrices: (N, 3, 3) affine.

    Returns:
        (N, 4) float64. For an ellipse with half axes a, b the half width is hypot(m00 a, m01 b), which is exact.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) * 0.5
    half = (boxes[:, 2:] - boxes[:, :2]) * 0.5
    linear = matrices[:, :2, :2]
    # Sums written out: for matrices this small they are twice as fast as a product of stacks.
    middle = linear[:, :, 0] * centre[:, :1] + linear[:, :, 1] * centre[:, 1:] + matrices[:, :2, 2]
    spread = linear * half[:, None, :]  # the columns: where the half axes go
    unit = _CORNERS[outlines]
    corners = spread[:, :, :1] * unit[:, None, 0] + spread[:, :, 1:] * unit[:, None, 1]
    low, high = corners.min(2), corners.max(2)
    round_ = outlines == _ELLIPSE
    if round_.any():
        reach = np.sqrt(spread[:, :, 0] * spread[:, :, 0] + spread[:, :, 1] * spread[:, :, 1])
        low, high = np.where(round_[:, None], -reach, low), np.where(round_[:, None], reach, high)
    return np.concatenate([middle + low, middle + high], axis=1)
