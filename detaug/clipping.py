"""Convex polygons cut by boxes and by each other, as plain lists of points.

A sign's outline has few corners: for so few, Python's own floats are five times as fast as arrays.
"""

from collections.abc import Sequence

Points = list[tuple[float, float]]


def area(points: Points) -> float:
    """Area of a simple polygon, positive whatever its direction; the shoelace formula.

    >>> area([(0, 0), (2, 0), (2, 3), (0, 3)])
    6.0
    """
    return abs(_signed_area(points)) if len(points) >= 3 else 0.0


def clipped(points: Points, box: Sequence[float]) -> Points:
    """The part of a convex polygon inside an axis-aligned box x1 y1 x2 y2.

    >>> max(clipped([(0, 0), (4, 0), (0, 4)], (0, 0, 2, 2)))
    (2.0, 2.0)
    """
    if not points:
        return points
    x1, y1, x2, y2 = box
    across, down = zip(*points, strict=True)
    if min(across) < x1:
        points = _kept(points, [x - x1 for x, _ in points])
    if max(across) > x2:
        points = _kept(points, [x2 - x for x, _ in points])
    if min(down) < y1:
        points = _kept(points, [y - y1 for _, y in points])
    if max(down) > y2:
        points = _kept(points, [y2 - y for _, y in points])
    return points


def without(pieces: list[Points], cover: Points) -> list[Points]:
    """Convex pieces less a convex cover, again as convex pieces.

    Each side of the cover cuts off what lies outside it; what is inside all sides is dropped.
    """
    sign = 1.0 if _signed_area(cover) > 0 else -1.0
    left: list[Points] = []
    for piece in pieces:
        inside = piece
        for (x1, y1), (x2, y2) in zip(cover, cover[1:] + cover[:1], strict=True):
            a, b = (y1 - y2) * sign, (x2 - x1) * sign
            c = -(a * x1 + b * y1)
            outside = clip(inside, -a, -b, -c)
            if area(outside) > 1e-9:
                left.append(outside)
            inside = clip(inside, a, b, c)
            if len(inside) < 3:
                break
    return left


def clip(points: Points, a: float, b: float, c: float) -> Points:
    """The part of a convex polygon where a x + b y + c >= 0 (Sutherland and Hodgman, 1974)."""
    return _kept(points, [a * x + b * y + c for x, y in points])


def _kept(points: Points, sides: list[float]) -> Points:
    """The part of a convex polygon where a linear function is not negative, given its values at the corners."""
    if not sides or min(sides) >= 0:
        return points
    if max(sides) < 0:
        return []
    kept: Points = []
    before, side_before = points[-1], sides[-1]
    for point, side in zip(points, sides, strict=True):
        if (side >= 0) != (side_before >= 0):
            share = side_before / (side_before - side)
            (x, y), (u, v) = before, point
            kept.append((x + share * (u - x), y + share * (v - y)))
        if side >= 0:
            kept.append(point)
        before, side_before = point, side
    return kept


def _signed_area(points: Points) -> float:
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True)) / 2
