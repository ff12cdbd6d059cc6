"""Cut-out patches: what is cut, the shape it is given, and its way onto the scenes as layers of their own."""

import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array, carried_points
from detaug.scenes.block import Block
from detaug.scenes.scene import Role

NO_LABEL = -1


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """R patches that are cut from images.

    Attributes:
        scene: (R,) the scene of the block that each is for, rising.
        image: (R,) catalog rows that they are cut from.
        box: (R, 4) x1 y1 x2 y2 in source pixels.
        outline: (R,) `Outline` codes of their masks.
        label: (R,) classes, or `NO_LABEL` for decoys.
        origin: (R,) their boxes' rows in the catalog, or -1.
        chance: (R, K) random numbers of each; see `detaug.scenes.paste`.
    """

    scene: NDArray[np.int64]
    image: NDArray[np.int64]
    box: Array
    outline: NDArray[np.uint8]
    label: NDArray[np.int64]
    origin: NDArray[np.int64]
    chance: Array

    def __len__(self) -> int:
        return len(self.scene)

    @property
    def half(self) -> Array:
        """(R, 2) half width and height in source pixels."""
        return (self.box[:, 2:] - self.box[:, :2]) / 2

    def take(self, rows: NDArray[Any]) -> "Patches":
        """Some of them, by index or by a mask."""
        return Patches(*(getattr(self, name)[rows] for name in [f.name for f in fields(Patches)]))


def shaped(degrees: Array, shear: Array) -> Array:
    """(R, 2, 2) matrices that shear, then turn clockwise on screen.

    Args:
        degrees: (R,) turns.
        shear: (R, 2) degrees along x and along y.

    >>> shaped(np.array([90.0]), np.zeros((1, 2))).round(6).tolist()
    [[[0.0, -1.0], [1.0, 0.0]]]
    """
    made = np.empty((len(degrees), 2, 2))
    for row, turn, (x, y) in zip(made, np.radians(degrees).tolist(), np.radians(shear).tolist(), strict=True):
        cos, sin, across, down = math.cos(turn), math.sin(turn), math.tan(x), math.tan(y)
        row[:] = (cos - sin * down, cos * across - sin), (sin + cos * down, sin * across + cos)
    return made


def reaches(shape: Array, half: Array) -> Array:
    """(R, 2) half the width and height of the boxes round shaped boxes.

    Args:
        shape: (R, 2, 2) what `shaped` gave.
        half: (R, 2) half the width and height before.

    >>> reaches(np.array([[[0.0, -1.0], [1.0, 0.0]]]), np.array([[3.0, 2.0]])).tolist()
    [[2.0, 3.0]]
    """
    wide = np.abs(shape) * half[:, None]
    reach: Array = wide[:, :, 0] + wide[:, :, 1]
    return reach


def carried(host: Array, centre: Array, ratio: Array, shape: Array, middle: Array) -> Array:
    """(R, 3, 3) donor pixels to canvas pixels: carried by the host, but not mirrored, as its own class decides on that.

    Args:
        host: (R, 3, 3) host pixels to canvas pixels.
        centre: (R, 2) where it stands in the host.
        ratio: (R,) host pixels per donor pixel.
        shape: (R, 2, 2) its own turn and shear.
        middle: (R, 2) the donor's centre in its image.
    """
    at = carried_points(host, centre)
    linear = host[:, :2, :2].copy()
    mirrored = linear[:, 0, 0] * linear[:, 1, 1] < linear[:, 0, 1] * linear[:, 1, 0]
    linear[mirrored, :, 0] *= -1
    own = shape * ratio[:, None, None]
    made = np.zeros((len(host), 3, 3))
    made[:, :2, :2] = linear[:, :, :1] * own[:, :1] + linear[:, :, 1:] * own[:, 1:]
    made[:, :2, 2] = at - made[:, :2, 0] * middle[:, :1] - made[:, :2, 1] * middle[:, 1:]
    made[:, 2, 2] = 1
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """How R patches lie on their scenes.

    Attributes:
        host: (R,) index of the layer of the block that each lies on.
        matrix: (R, 3, 3) source pixels to canvas pixels.
        gain: (R, 3) factor on red, green and blue.
        blend: (R,) `Blend` codes of their edges.
        soft: (R,) canvas pixels, see `Scene.soft`.
    """

    host: NDArray[np.int64]
    matrix: Array
    gain: Array
    blend: NDArray[np.uint8]
    soft: Array


T = TypeVar("T", Patches, Laid)


def both(one: T, other: T) -> T:
    """Two structs of arrays one after the other."""
    names = [f.name for f in fields(one)]
    return type(one)(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in names))


def with_laid(block: Block, patches: Patches, laid: Laid) -> Block:
    """The block with each patch as one more layer on top; those with a label bring an object."""
    if len(patches) == 0:
        return block
    signs = patches.label != NO_LABEL
    none = np.zeros((len(patches), 4), bool)
    return block.topped(
        {
            "scene": patches.scene,
            "image": patches.image,
            "region": patches.box,
            "matrix": laid.matrix,
            "role": np.where(signs, np.uint8(Role.PASTE), np.uint8(Role.DECOY)),
            "outline": patches.outline,
            "under": none,
            "free": none,
            "group": block.group[laid.host],
            "host": laid.host,
            "gain": laid.gain.astype(np.float32),
            "blend": laid.blend,
            "soft": laid.soft.astype(np.float32),
            "box": patches.box[signs],
            "layer": len(block.scene) + np.flatnonzero(signs),
            "label": patches.label[signs],
            "shape": patches.outline[signs],
            "origin": patches.origin[signs],
        }
    )
