"""What is drawn on the signs: rims, arrows and walkers, each a few shapes on a `Sheet`."""

import numpy as np

from detaug.outline import UNIT_POLYGONS, Outline
from detaug.readers.drawn.sheet import Colour, Points, Sheet

RED: Colour = (190, 22, 32)
BLUE: Colour = (18, 72, 160)
WHITE: Colour = (242, 242, 238)
BLACK: Colour = (22, 22, 24)
YELLOW: Colour = (246, 186, 14)

ASPECTS = {Outline.TRIANGLE_UP: 0.875, Outline.TRIANGLE_DOWN: 0.875}  # near sqrt(3) / 2, in whole face pixels


def blank(outline: Outline, ground: Colour) -> Sheet:
    """A sheet of the outline's aspect, all in `ground`."""
    return Sheet(ASPECTS.get(outline, 1.0), ground)


def inset(outline: Outline, share: float) -> Points:
    """The outline shrunk about the centre of its inscribed circle, so that the rim is equally wide on all sides.

    Returns:
        (K, 2) in shares of the sheet's width.
    """
    aspect = ASPECTS.get(outline, 1.0)
    points = (UNIT_POLYGONS[outline] + 1) / 2 * np.array([1.0, aspect])
    height = {Outline.TRIANGLE_UP: 2 / 3, Outline.TRIANGLE_DOWN: 1 / 3}.get(outline, 1 / 2) * aspect
    middle = np.array([0.5, height])
    return np.asarray(middle + (points - middle) * share)


def mirrored(points: Points) -> Points:
    """Points with left and right exchanged."""
    return np.asarray(points * np.array([-1.0, 1.0]) + np.array([1.0, 0.0]))


def ring(rim: Colour, inner: Colour) -> Sheet:
    """A round plate with a coloured rim."""
    sheet = blank(Outline.ELLIPSE, rim)
    sheet.disc(0.5, 0.5, 0.385, inner)
    return sheet


def disc(colour: Colour) -> Sheet:
    """A plain round plate with a thin white rim."""
    sheet = blank(Outline.ELLIPSE, WHITE)
    sheet.disc(0.5, 0.5, 0.475, colour)
    return sheet


def square(colour: Colour) -> Sheet:
    """A plain square plate with a thin white rim."""
    sheet = blank(Outline.RECTANGLE, WHITE)
    sheet.polygon(inset(Outline.RECTANGLE, 0.95), colour)
    return sheet


def warning(outline: Outline = Outline.TRIANGLE_UP) -> Sheet:
    """A white triangle with a red rim."""
    sheet = blank(outline, RED)
    sheet.polygon(inset(outline, 0.66), WHITE)
    return sheet


def arrow(sheet: Sheet, path: Points, width: float, colour: Colour) -> None:
    """A line along `path` (K, 2) that ends in a head; the head's tip is the path's last point."""
    along = path[-1] - path[-2]
    along = along / np.hypot(*along)
    side = np.array([-along[1], along[0]])
    neck = path[-1] - along * width * 1.5
    sheet.stroke(np.vstack([path[:-1], neck + along * width * 0.1]), width, colour)
    sheet.polygon(np.array([path[-1], neck + side * width * 1.35, neck - side * width * 1.35]), colour)


def bow(x: float, y: float, radius: float, start: float, end: float) -> Points:
    """Points on a circle from `start` to `end` degrees, clockwise on screen from three o'clock."""
    turn = np.radians(np.linspace(start, end, 24))
    return np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1)


def walker(sheet: Sheet, x: float, y: float, size: float, colour: Colour) -> None:
    """A person walking to the left; (x, y) is the hip, `size` the person's height."""

    def limb(*steps: tuple[float, float], width: float = 0.1) -> None:
        points = np.array(steps) * size + np.array([x, y])
        sheet.stroke(points, width * size, colour)
        sheet.disc(float(points[-1, 0]), float(points[-1, 1]), width * size / 2, colour)

    sheet.disc(x - 0.02 * size, y - 0.45 * size, 0.095 * size, colour)
    limb((0.0, -0.3), (0.0, 0.0), width=0.2)
    limb((0.0, -0.3), (-0.17, -0.13), (-0.29, -0.1))
    limb((0.0, -0.3), (0.16, -0.14), (0.2, 0.0))
    limb((0.0, 0.0), (-0.11, 0.2), (-0.22, 0.44), width=0.12)
    limb((0.0, 0.0), (0.1, 0.2), (0.26, 0.42), width=0.12)


def stripes(sheet: Sheet, x1: float, x2: float, y1: float, y2: float, colour: Colour) -> None:
    """The bars of a crossing, leaning outwards to the bottom."""
    edges = np.linspace(x1, x2, 10)
    middle = (x1 + x2) / 2
    for a, b in zip(edges[:-1:2], edges[1::2], strict=True):
        top = (np.array([a, b]) - middle) * 0.8 + middle
        sheet.polygon(np.array([[top[0], y1], [top[1], y1], [b, y2], [a, y2]]), colour)
