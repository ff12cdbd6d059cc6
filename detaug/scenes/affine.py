"""Turning, scaling, shearing and shifting the whole canvas."""

import math
from dataclasses import dataclass

import numpy as np

from detaug.outline import Array, inverse
from detaug.scenes.operation import Operation, wider_log
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage
from detaug.scenes.window import KEEP_SIDE, widened


@dataclass(frozen=True, kw_only=True)
class Affine(Operation):
    """Turn, scale, shear and shift the scene about its centre.

    Attributes:
        degrees_range: turn; bounded by what the classes in view may still be turned.
        scale_range: scale; not so small that a sign of 8 or more pixels comes out under 8.
        shear_range: degrees, drawn for each axis.
        shift_range: share of the canvas, drawn for each axis.
        multiply: how many times as wide the ranges of turn, scale and shear are where a rare class is in the scene; its
            turning limit holds all the same.
    """

    p: float = 0.8
    degrees_range: tuple[float, float] = (-7.0, 7.0)
    scale_range: tuple[float, float] = (0.7, 1.4)
    shear_range: tuple[float, float] = (-3.0, 3.0)
    shift_range: tuple[float, float] = (-0.1, 0.1)
    multiply: float = 1.0

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene carried by one matrix; tiles show more of their image where it would reveal the ground."""
        drawn = rng.random(6).tolist()
        factor = self.multiply if self.multiply != 1 and stage.multiplies(scene) else 1.0
        low, high = wider_log(self.scale_range, factor)
        scale = low * (high / low) ** drawn[1]
        degrees = factor * _between(self.degrees_range, drawn[0])
        shear = factor * _between(self.shear_range, drawn[2]), factor * _between(self.shear_range, drawn[3])
        shift = _between(self.shift_range, drawn[4]), _between(self.shift_range, drawn[5])
        if len(scene.label):
            limit = max(float((stage.catalog.classes.turn[scene.label] - _turned(scene)[scene.layer]).min()), 0.0)
            degrees = min(max(degrees, -limit), limit)
            scale = max(scale, _least_scale(scene))
        matrix = about_centre(scene.size, degrees=degrees, scale=scale, shear=shear, shift=shift)
        return widened(scene, stage, _reach(matrix, scene.size)).moved(matrix)


def _between(value_range: tuple[float, float], chance: float) -> float:
    return value_range[0] + chance * (value_range[1] - value_range[0])


def _reach(matrix: Array, size: tuple[int, int]) -> float:
    """How many canvas pixels beyond the canvas a matrix brings into view."""
    height, width = size
    (a, b, x), (c, d, y) = inverse(matrix)[:2].tolist()
    across = [a * u + b * v + x for u, v in ((0, 0), (width, 0), (width, height), (0, height))]
    down = [c * u + d * v + y for u, v in ((0, 0), (width, 0), (width, height), (0, height))]
    return float(max(-min(across), -min(down), max(across) - width, max(down) - height, 0.0))


def _turned(scene: Scene) -> Array:
    """(L,) degrees that each layer is turned already, either way; a mirrored one is compared with its mirror image."""
    a, b, c, d = scene.matrix[:, 0, 0], scene.matrix[:, 0, 1], scene.matrix[:, 1, 0], scene.matrix[:, 1, 1]
    side = np.sign(a * d - b * c)
    turned: Array = np.abs(np.degrees(np.arctan2(side * c, side * a)))
    return turned


def _least_scale(scene: Scene) -> float:
    """How far the scene may shrink until the smallest sign that is large enough now no longer is; at most 1."""
    boxes = scene.hulls()
    sides = (boxes[:, 2:] - boxes[:, :2]).min(1)
    large = sides[sides >= KEEP_SIDE]
    return KEEP_SIDE / float(large.min()) if len(large) else 1.0


def about_centre(
    size: tuple[int, int],
    *,
    degrees: float = 0.0,
    scale: float = 1.0,
    shear: tuple[float, float] = (0.0, 0.0),
    shift: tuple[float, float] = (0.0, 0.0),
) -> Array:
    """The canvas matrix (3, 3) that shears, scales, turns and then shifts about the centre.

    Args:
        size: canvas height and width.
        degrees: turn, clockwise on screen.
        scale: of both axes.
        shear: degrees along x and along y.
        shift: share of the width and of the height.

    >>> about_centre((100, 200), scale=2.0).tolist()
    [[2.0, 0.0, -100.0], [0.0, 2.0, -50.0], [0.0, 0.0, 1.0]]
    """
    height, width = size
    turn = math.radians(degrees)
    cosine, sine = scale * math.cos(turn), scale * math.sin(turn)
    across, down = math.tan(math.radians(shear[0])), math.tan(math.radians(shear[1]))
    a, b, c, d = cosine - sine * down, cosine * across - sine, sine + cosine * down, sine * across + cosine
    x, y = width / 2, height / 2
    shift_x, shift_y = x - a * x - b * y + shift[0] * width, y - c * x - d * y + shift[1] * height
    return np.array([[a, b, shift_x], [c, d, shift_y], [0.0, 0.0, 1.0]])
