"""Buildings along the road and the skyline behind it."""

import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.roadside import Canvas, Thing, hull_of
from detaug.readers.drawn.sheet import Points
from detaug.readers.drawn.view import View
from detaug.readers.drawn.weather import Weather

_WALLS = (
    (196, 184, 164),
    (170, 104, 84),
    (214, 208, 198),
    (150, 146, 140),
    (206, 186, 138),
    (132, 116, 108),
    (178, 190, 196),
)
_ROOFS = ((128, 62, 46), (84, 78, 78), (104, 88, 76))
_LAMPLIGHT = ((150, 112, 62), (186, 150, 96), (110, 96, 84))


def house(rng: np.random.Generator, view: View, weather: Weather, x: float, z: float, length: float) -> Thing:
    """A house whose long side faces the road, from z to z + length; its gable faces the camera."""
    floors = int(rng.integers(3, 7)) if view.setting == "town" else int(rng.integers(1, 3))
    tall, depth = floors * 3.0 + 0.4, float(np.sign(x)) * rng.uniform(8, 13)
    wall = np.asarray(_WALLS[int(rng.integers(len(_WALLS)))]) + rng.uniform(-12, 12, 3)
    roof = _ROOFS[int(rng.integers(len(_ROOFS)))]
    pitched = view.setting != "town" or rng.random() < 0.4
    # The side towards the sun is lighter: walls right of the road face left.
    side_gain, front_gain = 0.85 - 0.2 * float(np.sign(x)) * weather.sun, 0.8
    lit = rng.random((2, floors, 8)) < 0.2
    ridge = tall + (abs(depth) * 0.35 if pitched else 0.0)

    def paint(canvas: Canvas) -> None:
        front = view.spots([x, x + depth, x + depth, x], [0, 0, tall, tall], z)
        side = view.spots(x, [0, 0, tall, tall], [z, z + length, z + length, z])
        if pitched:
            slope = view.spots(
                [x, x, x + depth / 2, x + depth / 2], [tall, tall, ridge, ridge], [z, z + length, z + length, z]
            )
            canvas.fill(slope, weather.tint(roof, z + length / 2, side_gain + 0.1))
            gable = view.spots([x, x + depth / 2, x + depth], [tall, ridge, tall], z)
            canvas.fill(gable, weather.tint(wall, z, front_gain))
        canvas.fill(front, weather.tint(wall, z, front_gain))
        canvas.fill(side, weather.tint(wall, z + length / 2, side_gain))
        for number, (face, wide) in enumerate(((front, abs(depth)), (side, length))):
            _windows(canvas, weather, face, lit[number, :, : max(2, int(wide / 2.6))], z)

    corners = view.spots([x, x + depth, x, x + depth / 2], [0, 0, tall, ridge], [z, z, z + length, z])
    return Thing(z, hull_of(np.vstack([corners, view.spots([x, x + depth], [tall, tall], z)])), paint)


def _windows(canvas: Canvas, weather: Weather, face: Points, lit: NDArray[np.bool_], z: float) -> None:
    """Rows of windows on a face given by its four corners, counted from the foot and the near corner."""
    floors, columns = lit.shape
    if abs(face[1, 0] - face[0, 0]) < 4 or z > 70:
        return
    floor, column = np.arange(floors)[:, None], np.arange(columns)[None]
    across = (column[..., None] + np.array([0.28, 0.72, 0.72, 0.28])) / columns
    up = (floor[..., None] + np.array([0.3, 0.3, 0.78, 0.78])) / floors
    panes = _on_wall(face, *np.broadcast_arrays(across, up))
    canvas.fill(panes[~lit], weather.tint((74, 86, 98), z))
    for tone, glow in enumerate(_LAMPLIGHT):
        canvas.fill(panes[lit & ((floor + column) % 3 == tone)], weather.tint((92, 92, 92), z), glow)


def _on_wall(face: Points, across: Points, up: Points) -> Points:
    """Points at the shares `across` and `up` (...) of a wall whose image has upright sides, (..., 2)."""
    # In perspective the middle of a receding wall is seen nearer its far, shorter side.
    near, far = face[3, 1] - face[0, 1], face[2, 1] - face[1, 1]
    share = (across * near / (across * near + (1 - across) * far))[..., None]
    foot = face[0] + (face[1] - face[0]) * share
    head = face[3] + (face[2] - face[3]) * share
    return np.asarray(foot + (head - foot) * up[..., None])


def skyline(rng: np.random.Generator, view: View, weather: Weather, canvas: Canvas) -> None:
    """Hills, and far roofs in a town, where the ground ends."""
    for far, high in ((420.0, 0.12), (160.0, 0.07)):
        knots = rng.uniform(0.15, 1, 9) * high * view.height
        columns = np.linspace(0, view.width, 65)
        rise = np.interp(columns, np.linspace(0, view.width, 9), knots) + rng.uniform(0, 2.5, 65)
        ridge = np.stack([columns, view.horizon - rise], 1)
        foot = np.array([[view.width, view.horizon + 2], [0, view.horizon + 2]])
        canvas.fill(np.vstack([ridge, foot]), weather.tint((66, 86, 58), far, 0.9))
    if view.setting == "country":
        return
    for left in rng.uniform(0, view.width, 24):
        wide, high = rng.uniform(8, 30), rng.uniform(6, 34 if view.setting == "town" else 16)
        block = np.array(
            [
                [left, view.horizon + 2],
                [left + wide, view.horizon + 2],
                [left + wide, view.horizon - high],
                [left, view.horizon - high],
            ]
        )
        canvas.fill(block, weather.tint((120, 112, 106), 110.0, rng.uniform(0.8, 1.1)))
