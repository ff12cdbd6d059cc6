"""Light matching: how much a pasted patch is brightened and tinted so that it suits its new surroundings.

Planned from a small grid of mean colours per image, so no pixel is read. The colour of what happens to lie next to a
sign says little about the light on it (leaves are green, the sky is bright), so both steps are damped and bounded.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.readers.colours import CELLS, Colours

BRIGHTNESS = (0.6, 1.6)
TINT = 0.15  # how far red and blue may go from green, as a share
_FLOOR = 8.0  # grey levels added to both sides: what is nearly black has no reliable ratio
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114  # ITU-R BT.601
_WHITE = 250.0
_CHUNK = 4096

Gain = tuple[float, float, float]
Span = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """The light of M images.

    Attributes:
        sums: (M, 9, 9) uint16, sum of the luma of the grid's cells above and to the left of each corner.
        mean: (M, 3) float32, mean RGB of the whole image; all zero where it is not known.
        most: (N,) float32, how much each box of the catalog may be brightened before its white is lost, at least 1.
    """

    sums: NDArray[np.uint16]
    mean: NDArray[np.float32]
    most: NDArray[np.float32]

    @classmethod
    def of(cls, colours: Colours) -> "Light":
        """The light of the images that were measured."""
        count = len(colours.grid)
        sums = np.zeros((count, CELLS + 1, CELLS + 1), np.uint16)
        mean = np.zeros((count, 3), np.float32)
        for k in range(0, count, _CHUNK):  # so that the grid is never held in floating point as a whole
            part = colours.grid[k : k + _CHUNK].astype(np.float64)
            sums[k : k + _CHUNK, 1:, 1:] = np.rint(part @ [_RED, _GREEN, _BLUE]).cumsum(1).cumsum(2)
            mean[k : k + _CHUNK] = part.mean((1, 2))
        most = np.maximum(_WHITE / np.maximum(np.nan_to_num(colours.brightest, nan=1.0), 1.0), 1.0)
        return cls(sums, mean, most.astype(np.float32))

    def gain(self, donor: int, donor_box: Span, host: int, host_box: Span, strength: float) -> Gain:
        """The factor on red, green and blue that brings a donor's light towards its host's.

        Args:
            donor: row of the image that the patch is cut from.
            donor_box: where it is cut, x1 y1 x2 y2 as shares of that image.
            host: row of the image that it is pasted into.
            host_box: where, likewise.
            strength: 0 leaves the patch as it is, 1 follows the surroundings wholly.
        """
        theirs, ours = self.mean[donor].tolist(), self.mean[host].tolist()
        if not (any(theirs) and any(ours)):
            return 1.0, 1.0, 1.0
        near = (self._around(host, host_box, False) + _FLOOR) / (self._around(donor, donor_box, True) + _FLOOR)
        whole = (_luma(ours) + _FLOOR) / (_luma(theirs) + _FLOOR)
        # Half the place, half the picture: a sign before a bright sky is not lit by it, nor is one before a dark hedge.
        bright = bounded((near * whole) ** (0.5 * strength), *BRIGHTNESS)
        red, blue = (
            ((ours[c] + _FLOOR) / (ours[1] + _FLOOR) * (theirs[1] + _FLOOR) / (theirs[c] + _FLOOR)) ** strength
            for c in (0, 2)
        )
        return bright * bounded(red, 1 - TINT, 1 + TINT), bright, bright * bounded(blue, 1 - TINT, 1 + TINT)

    def _around(self, row: int, box: Span, hollow: bool) -> float:
        """Mean luma of the cells near a box; with `hollow` those that the box fills are left out."""
        x1, y1, x2, y2 = (bounded(v, 0.0, 1.0) * CELLS for v in box)
        left, top = max(int(x1 - 0.5), 0), max(int(y1 - 0.5), 0)
        right, bottom = min(math.ceil(x2 + 0.5), CELLS), min(math.ceil(y2 + 0.5), CELLS)
        total, count = self._sum(row, left, top, right, bottom), (right - left) * (bottom - top)
        if hollow:
            a, b, c, d = round(x1), round(y1), round(x2), round(y2)  # cells filled by more than half along each axis
            filled = max(c - a, 0) * max(d - b, 0)
            if 0 < filled < count:
                total, count = total - self._sum(row, a, b, c, d), count - filled
        return total / count

    def _sum(self, row: int, left: int, top: int, right: int, bottom: int) -> int:
        at = self.sums.item
        return at(row, bottom, right) - at(row, top, right) - at(row, bottom, left) + at(row, top, left)


def _luma(rgb: list[float]) -> float:
    return _RED * rgb[0] + _GREEN * rgb[1] + _BLUE * rgb[2]


def bounded(value: float, low: float, high: float) -> float:
    """A value kept within low and high.

    >>> bounded(2.0, 0.6, 1.6)
    1.6
    """
    return min(max(value, low), high)
