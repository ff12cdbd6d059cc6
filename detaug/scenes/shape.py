"""A pasted patch's own turn and shear, and its way to the canvas."""

import math

from detaug.outline import Array
from detaug.scenes.placement import Placed

Shape = tuple[float, float, float, float]  # a (2, 2) matrix row by row
Matrix = tuple[tuple[float, float, float], ...]


def shaped(degrees: float, shear_x: float, shear_y: float) -> Shape:
    """The matrix that shears, then turns clockwise on screen; all in degrees.

    >>> [round(v, 6) for v in shaped(90.0, 0.0, 0.0)]
    [0.0, -1.0, 1.0, 0.0]
    """
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = math.tan(math.radians(shear_x)), math.tan(math.radians(shear_y))
    return cos - sin * y, cos * x - sin, sin + cos * y, sin * x + cos


def reach(shape: Shape, half_width: float, half_height: float) -> tuple[float, float]:
    """Half the width and height of the box round a shaped box.

    >>> reach((0.0, -1.0, 1.0, 0.0), 3.0, 2.0)
    (2.0, 3.0)
    """
    a, b, c, d = shape
    return abs(a) * half_width + abs(b) * half_height, abs(c) * half_width + abs(d) * half_height


def carried(host: Array, place: Placed, shape: Shape, middle: tuple[float, float]) -> Matrix:
    """Donor pixels to canvas pixels: carried by the host, but not mirrored, since its own class decides on that.

    Args:
        host: (3, 3) host pixels to canvas pixels.
        place: where it stands in the host.
        shape: its own turn and shear.
        middle: x and y of the donor's centre in its image.

    Returns:
        The (3, 3) matrix as three rows.
    """
    (a, b, x), (c, d, y), _ = host.tolist()
    canvas_x, canvas_y = a * place.x + b * place.y + x, c * place.x + d * place.y + y
    if a * d < b * c:
        a, c = -a, -c
    p, q, r, s = (v * place.ratio for v in shape)
    m00, m01, m10, m11 = a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s
    return (
        (m00, m01, canvas_x - m00 * middle[0] - m01 * middle[1]),
        (m10, m11, canvas_y - m10 * middle[0] - m11 * middle[1]),
        (0.0, 0.0, 1.0),
    )
