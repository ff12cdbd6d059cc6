"""Turning, scaling, shearing and shifting the whole canvas."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array, inverse, products
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation, between, between_logs, wider_log
from detaug.scenes.stage import Stage
from detaug.scenes.window import KEEP_SIDE, widened


@dataclass(frozen=True, kw_only=True)
class Affine(BlockOperation):
    """Turn, scale, shear and shift the scene about its centre.

    Attributes:
        degrees_range: turn; bounded by what the classes in view may still be turned.
        scale_range: scale, even in the logarithm; bounded by `keep_side`.
        shear_range: degrees, drawn for each axis.
        shift_range: share of the canvas, drawn for each axis.
        multiply: how many times as wide the ranges of turn, scale and shear are where a rare class is in the scene; its
            turning limit holds all the same. Where nearly every scene holds one it only makes all samples stronger,
            which cost 2.3 points of AP on drawn scenes (`benchmarks/proof/screen.csv`); hence off by default.
        keep_side: canvas pixels; a scene is not shrunk so far that a sign of at least this side comes out under it,
            since nothing is learnt from signs of a few pixels. 0 is no bound.
    """

    p: float = 0.8
    degrees_range: tuple[float, float] = (-7.0, 7.0)
    scale_range: tuple[float, float] = (0.7, 1.4)
    shear_range: tuple[float, float] = (-3.0, 3.0)
    shift_range: tuple[float, float] = (-0.1, 0.1)
    multiply: float = 1.0
    keep_side: float = KEEP_SIDE

    def __post_init__(self) -> None:
        BlockOperation.__post_init__(self)
        if not self.keep_side >= 0:
            raise InputError(f"affine.keep_side is a number of pixels of at least 0, not {self.keep_side}.")

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """Turn, scale, two of shear, two of shift."""
        return 6

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """Each scene carried by one matrix; tiles show more of their image where it would reveal the ground."""
        scenes = np.flatnonzero(on)
        if len(scenes) == 0:
            return block
        factor = stage.varied(block, self.multiply).tolist()
        limit, least = _turning_limit(block, stage).tolist(), _least_scale(block, self.keep_side).tolist()
        matrix, reach = np.zeros((len(block), 3, 3)), np.zeros(len(block))
        matrix[:] = np.eye(3)
        for i, drawn in zip(scenes.tolist(), chance[scenes].tolist(), strict=True):
            one = self._matrix(block.size, drawn, factor[i], limit[i], least[i])
            matrix[i], reach[i] = one, _reach(one, block.size)
        block = widened(block, stage, reach)
        return block.changed(matrix=products(matrix[block.scene], block.matrix))

    def _matrix(self, size: tuple[int, int], drawn: list[float], factor: float, limit: float, least: float) -> Array:
        """A scene's canvas matrix from its random numbers, the widening, and the bounds on turn and scale."""
        degrees = factor * between(self.degrees_range, drawn[0])
        return about_centre(
            size,
            degrees=min(max(degrees, -limit), limit),
            scale=max(between_logs(wider_log(self.scale_range, factor), drawn[1]), least),
            shear=(factor * between(self.shear_range, drawn[2]), factor * between(self.shear_range, drawn[3])),
            shift=(between(self.shift_range, drawn[4]), between(self.shift_range, drawn[5])),
        )


def _reach(matrix: Array, size: tuple[int, int]) -> float:
    """How many canvas pixels beyond the canvas a matrix brings into view."""
    height, width = size
    (a, b, x), (c, d, y) = inverse(matrix)[:2].tolist()
    across = [a * u + b * v + x for u, v in ((0, 0), (width, 0), (width, height), (0, height))]
    down = [c * u + d * v + y for u, v in ((0, 0), (width, 0), (width, height), (0, height))]
    return float(max(-min(across), -min(down), max(across) - width, max(down) - height, 0.0))


def _turning_limit(block: Block, stage: Stage) -> Array:
    """(B,) degrees that each scene may be turned either way, by its objects' classes; infinite without objects."""
    left = stage.catalog.classes.turn[block.label] - _turned(block)[block.layer]
    limit = np.full(len(block), np.inf)
    np.minimum.at(limit, block.scene[block.layer], left)
    return np.asarray(np.maximum(limit, 0.0))


def _turned(block: Block) -> Array:
    """(L,) degrees that each layer is turned already, either way; a mirrored one is compared with its mirror image."""
    a, b, c, d = block.matrix[:, 0, 0], block.matrix[:, 0, 1], block.matrix[:, 1, 0], block.matrix[:, 1, 1]
    turned, side = np.zeros(len(a)), np.sign(a * d - b * c)
    some = np.flatnonzero((c != 0) | (side * a < 0))
    pairs = zip((side * c)[some].tolist(), (side * a)[some].tolist(), strict=True)
    turned[some] = [abs(math.degrees(math.atan2(y, x))) for y, x in pairs]
    return turned


def _least_scale(block: Block, keep: float) -> Array:
    """(B,) how far a scene may shrink: until the smallest sign whose side is at least `keep` pixels no longer is.

    1 where no sign is large enough, 0 where there is none or no bound.
    """
    least = np.zeros(len(block))
    if keep == 0:
        return least
    boxes, owner = block.hulls(), block.scene[block.layer]
    sides = (boxes[:, 2:] - boxes[:, :2]).min(1)
    large = sides >= keep
    smallest = np.full(len(block), np.inf)
    np.minimum.at(smallest, owner[large], sides[large])
    found = np.isfinite(smallest)
    least[owner] = 1.0
    least[found] = keep / smallest[found]
    return least


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
