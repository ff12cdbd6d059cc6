"""Cut-out patches laid on a scene as layers of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detaug.scenes.scene import Role, Scene

NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class Cut:
    """What is cut out.

    Attributes:
        image: catalog row that it is cut from.
        box: x1 y1 x2 y2 in source pixels.
        outline: `Outline` code of its mask.
        label: its class, or `NO_LABEL` for a decoy.
        origin: its box's row in the catalog, or -1.
    """

    image: int
    box: tuple[float, float, float, float]
    outline: int
    label: int
    origin: int


@dataclass(frozen=True, slots=True)
class Laid:
    """A cut in its place.

    Attributes:
        cut: what it is.
        host: index of the tile that it lies on.
        matrix: three rows, source pixels to canvas pixels.
        gain: factor on red, green and blue.
        blend: `Blend` code of its edge.
        soft: canvas pixels, see `Scene.soft`.
    """

    cut: Cut
    host: int
    matrix: tuple[tuple[float, float, float], ...]
    gain: tuple[float, float, float]
    blend: int
    soft: float


def with_laid(scene: Scene, patches: Sequence[Laid]) -> Scene:
    """The scene with each patch as one more layer on top; those with a label bring an object."""
    if not patches:
        return scene
    boxes = np.array([p.cut.box for p in patches])
    outlines = np.array([p.cut.outline for p in patches], np.uint8)
    labels = np.array([p.cut.label for p in patches], np.int64)
    host = np.array([p.host for p in patches], np.int64)
    signs = labels != NO_LABEL
    none = np.zeros((len(patches), 4), bool)
    added = {
        "image": np.array([p.cut.image for p in patches], np.int64),
        "region": boxes,
        "matrix": np.array([p.matrix for p in patches]),
        "role": np.where(signs, np.uint8(Role.PASTE), np.uint8(Role.DECOY)),
        "outline": outlines,
        "under": none,
        "free": none,
        "group": scene.group[host],
        "host": host,
        "gain": np.array([p.gain for p in patches], np.float32),
        "blend": np.array([p.blend for p in patches], np.uint8),
        "soft": np.array([p.soft for p in patches], np.float32),
        "box": boxes[signs],
        "layer": len(scene.image) + np.flatnonzero(signs),
        "label": labels[signs],
        "shape": outlines[signs],
        "origin": np.array([p.cut.origin for p in patches], np.int64)[signs],
    }
    whole = {name: np.concatenate([getattr(scene, name), array]) for name, array in added.items()}
    return scene.changed(**whole)
