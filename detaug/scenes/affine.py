"""Turning, scaling, shearing and shifting the whole canvas."""

import math
from dataclasses import dataclass

import numpy as np

from detaug.outline import Array, inverse, moved
from detaug.scenes.operation import Operation, within, within_log
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
    """

    p: float = 0.8
    degrees_range: tuple[float, float] = (-7.0, 7.0)
    scale_range: tuple[float, float] = (0.7, 1.4)
    shear_range: tuple[float, float] = (-3.0, 3.0)
    shift_range: tuple[float, float] = (-0.1, 0.1)

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene carried by one matrix; tiles show more of their image where it would reveal the ground."""
        degrees = within(self.degrees_range, rng)
        scale = within_log(self.scale_range, rng)
        shear = within(self.shear_range, rng), within(self.shear_range, rng)
        shift = within(self.shift_range, rng), within(self.shift_range, rng)
        if len(scene.label):
            limit = max(float((stage.catalog.classes.turn[scene.label] - _turned(scene)[scene.layer]).min()), 0.0)
            degrees = min(max(degrees, -limit), limit)
            scale = max(scale, _least_scale(scene))
        height, width = scene.size
        matrix = about_centre(scene.size, degrees=degrees, scale=scale, shear=shear, shift=shift)
        seen = moved(np.array([[0, 0], [width, 0], [width, height], [0, height]], float), inverse(matrix))
        reach = max(-seen.min(), (seen.max(0) - [width, height]).max(), 0.0)
        return widened(scene, stage, float(reach)).moved(matrix)


def _turned(scene: Scene) -> Array:
    """(L,) degrees that each layer is turned already, either way; a mirrored one is compared with its mirror image."""
    along = scene.matrix[:, :2, 0] * np.sign(np.linalg.det(scene.matrix[:, :2, :2]))[:, None]
    turned: Array = np.abs(np.degrees(np.arctan2(along[:, 1], along[:, 0])))
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
    sheared = np.array([[1, math.tan(math.radians(shear[0]))], [math.tan(math.radians(shear[1])), 1]])
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ sheared
    centre = np.array([width / 2, height / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ centre + np.array([shift[0] * width, shift[1] * height])
    return matrix
