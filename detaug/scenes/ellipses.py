"""Ellipses that one straight side cuts: what is left of them, exactly and for many at once."""

import math

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array, carried_points

_ROUNDING = 1e-9  # of a half axis; a side that only touches does not cut


def cut_once(box: Array, matrix: Array, region: Array, size: tuple[int, int]) -> tuple[NDArray[np.int64], Array, Array]:
    """What is seen of those ellipses that exactly one side of their region or the canvas cuts.

    As a circle of radius 1 about the origin each is cut by a chord, and what the chord takes away is a segment.

    Args:
        box: (K, 4) x1 y1 x2 y2 in source pixels that the ellipses are inscribed in.
        matrix: (K, 3, 3) source to canvas pixels.
        region: (K, 4) source pixels that their layers may show.
        size: canvas height and width.

    Returns:
        (P,) which ellipses these are, (P, 4) the canvas boxes round what is seen of them, and (P,) its share.

    >>> cut_once(np.array([[-2.0, 3, 2, 5]]), np.eye(3)[None], np.array([[-9.0, -9, 9, 9]]), (10, 10))
    (array([0]), array([[0., 3., 2., 5.]]), array([0.5]))
    """
    middle, half = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]) / 2
    centre, axes = carried_points(matrix, middle), matrix[:, :2, :2] * half[:, None]  # rows: circle to canvas x and y
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.sqrt(axes[:, :, 0] * axes[:, :, 0] + axes[:, :, 1] * axes[:, :, 1])  # half of the whole hull
        away = axes / reach[:, :, None]
        # How far the centre lies inside each side, in radii: left, top, right, bottom of the region and of the canvas.
        inside = np.concatenate(
            [
                (middle - region[:, :2]) / half, (region[:, 2:] - middle) / half,
                centre / reach, (np.array(size[::-1]) - centre) / reach,
            ],
            axis=1,
        )  # fmt: skip
        cuts = inside < 1 - _ROUNDING
        found = np.flatnonzero((cuts.sum(1) == 1) & (inside > _ROUNDING - 1).all(1) & np.isfinite(inside).all(1))
    side = cuts[found].argmax(1)
    every = np.arange(len(found))
    unit = np.broadcast_to(np.eye(2), (len(found), 2, 2))
    inwards = np.concatenate([unit, -unit, away[found], -away[found]], axis=1)[every, side]
    depth = inside[found][every, side]
    # Not numpy's arc cosine: its last digit may depend on how many there are.
    arc = np.array([math.acos(d) for d in depth.tolist()])
    chord = np.sqrt(1 - depth * depth)
    share = 1 - (arc - depth * chord) / math.pi
    return found, _hulls(centre[found], axes[found], reach[found], away[found], inwards, depth, chord), share


def _hulls(centre: Array, axes: Array, reach: Array, away: Array, inwards: Array, depth: Array, chord: Array) -> Array:
    """(P, 4) boxes round circles cut by a chord: they reach as far as the whole, or to one of the chord's ends."""
    along = np.stack([-inwards[:, 1], inwards[:, 0]], 1) * chord[:, None]
    nearest = -depth[:, None] * inwards
    one, other = (axes[:, :, 0] * end[:, :1] + axes[:, :, 1] * end[:, 1:] for end in (nearest + along, nearest - along))
    # How far inwards the points lie that reach furthest along x and y.
    towards = away[:, :, 0] * inwards[:, :1] + away[:, :, 1] * inwards[:, 1:]
    low = np.where(-towards >= -depth[:, None], -reach, np.minimum(one, other))
    high = np.where(towards >= -depth[:, None], reach, np.maximum(one, other))
    return np.concatenate([centre + low, centre + high], axis=1)
