"""Which boxes can be used: finite, of a known class, right side out, inside the image."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

ROUNDING = 0.5  # pixels; leaving the image by less is rounding and not worth a note
TINY = 0.99  # pixels; a side of one pixel survives the rounding of normalised coordinates


GOOD = 0


class Fault(IntEnum):
    """What is wrong with a box; all but `CLIPPED_BOX` lose it."""

    BAD_NUMBER = 1
    UNKNOWN_CLASS = 2
    INSIDE_OUT_BOX = 3
    EMPTY_BOX = 4
    OUTSIDE_BOX = 5
    TINY_BOX = 6
    DOUBLED_BOX = 7
    CLIPPED_BOX = 8

    @property
    def kind(self) -> str:
        """The name that findings use, such as `empty-box`."""
        return self.name.lower().replace("_", "-")


def screen(
    boxes: NDArray[np.float64], sizes: NDArray[np.int32], owners: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Cut boxes to their images and find the faulty ones.

    Args:
        boxes: (N, 4) x1 y1 x2 y2 in pixels, anything may stand there.
        sizes: (N, 2) height and width of each box's image.
        owners: (N,) the image of each box.
        labels: (N,) class index, negative where the class is not known.

    Returns:
        (N, 4) boxes inside their images and (N,) `Fault` codes, `GOOD` where there is none. The first fault counts.

    >>> cut, faults = screen(np.array([[-4.0, 2, 6, 8]]), np.array([[9, 9]], np.int32), np.array([0]), np.array([0]))
    >>> cut.tolist(), Fault(faults[0]).kind
    ([[0.0, 2.0, 6.0, 8.0]], 'clipped-box')
    """
    finite = np.asarray(np.isfinite(boxes).all(1))
    whole = np.where(finite[:, None], boxes, 0.0)
    limits = sizes[:, [1, 0, 1, 0]].astype(np.float64)
    cut = np.clip(whole, 0.0, limits)
    sides = whole[:, 2:] - whole[:, :2]
    cut_sides = cut[:, 2:] - cut[:, :2]
    conditions = {
        Fault.BAD_NUMBER: ~finite,
        Fault.UNKNOWN_CLASS: labels < 0,
        Fault.INSIDE_OUT_BOX: (sides < 0).any(1),
        Fault.EMPTY_BOX: (sides == 0).any(1),
        Fault.OUTSIDE_BOX: (cut_sides <= 0).any(1),
        Fault.TINY_BOX: (cut_sides < TINY).any(1),
        Fault.CLIPPED_BOX: (np.abs(whole - cut) > ROUNDING).any(1),
    }
    codes = [np.uint8(code) for code in conditions]
    faults: NDArray[np.uint8] = np.asarray(np.select(list(conditions.values()), codes, np.uint8(GOOD)), np.uint8)
    usable = np.flatnonzero((faults == GOOD) | (faults == Fault.CLIPPED_BOX))
    keys = np.column_stack([owners[usable], labels[usable], boxes[usable]])
    first = np.unique(keys, axis=0, return_index=True)[1]
    faults[np.delete(usable, first)] = Fault.DOUBLED_BOX
    return cut, faults
