"""Light matching: how much a pasted patch is brightened and tinted so that it suits its new surroundings.

Planned from a small grid of mean colours per image, so no pixel is read. The colour of what happens to lie next to a
sign says little about the light on it (leaves are green, the sky is bright), so both steps are damped and bounded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.readers.colours import CELLS, Colours

BRIGHTNESS = (0.6, 1.6)
TINT = 0.15  # how far red and blue may go from green, as a share
_FLOOR = 8.0  # grey levels added to both sides: what is nearly black has no reliable ratio
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114  # ITU-R BT.601
_WHITE = 250.0
_CHUNK = 4096


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

    def gains(
        self, donor: NDArray[np.int64], donor_box: Array, host: NDArray[np.int64], host_box: Array, strength: float
    ) -> Array:
        """The factors on red, green and blue that bring donors' light towards their hosts'.

        Args:
            donor: (R,) rows of the images that the patches are cut from.
            donor_box: (R, 4) where they are cut, x1 y1 x2 y2 as shares of that image.
            host: (R,) rows of the images that they are pasted into.
            host_box: (R, 4) where, likewise.
            strength: 0 leaves the patches as they are, 1 follows the surroundings wholly.

        Returns:
            (R, 3); ones where the light of either image is not known.
        """
        theirs, ours = self.mean[donor].astype(np.float64), self.mean[host].astype(np.float64)
        known = np.asarray(theirs.any(1) & ours.any(1))
        near = (self._around(host, host_box, False) + _FLOOR) / (self._around(donor, donor_box, True) + _FLOOR)
        whole = (_luma(ours) + _FLOOR) / (_luma(theirs) + _FLOOR)
        # Half the place, half the picture: a sign before a bright sky is not lit by it, nor is one before a dark hedge.
        bright = np.clip(_powers(near * whole, 0.5 * strength), *BRIGHTNESS)
        ours, theirs = ours + _FLOOR, theirs + _FLOOR
        tint = [ours[:, c] / ours[:, 1] * theirs[:, 1] / theirs[:, c] for c in (0, 2)]
        red, blue = (np.clip(_powers(t, strength), 1 - TINT, 1 + TINT) for t in tint)
        return np.where(known[:, None], np.stack([bright * red, bright, bright * blue], axis=1), 1.0)

    def _around(self, row: NDArray[np.int64], box: Array, hollow: bool) -> Array:
        """(R,) mean luma of the cells near boxes; with `hollow` those that a box fills are left out."""
        cells = np.clip(box, 0.0, 1.0) * CELLS
        low = np.maximum(np.floor(cells[:, :2] - 0.5), 0).astype(np.int64)
        high = np.minimum(np.ceil(cells[:, 2:] + 0.5), CELLS).astype(np.int64)
        total, count = self._sum(row, low, high), (high - low)[:, 0] * (high - low)[:, 1]
        if hollow:
            filled = np.rint(cells).astype(np.int64)  # cells filled by more than half along each axis
            sides = np.maximum(filled[:, 2:] - filled[:, :2], 0)
            inner = sides[:, 0] * sides[:, 1]
            some = (inner > 0) & (inner < count)
            total = np.where(some, total - self._sum(row, filled[:, :2], filled[:, 2:]), total)
            count = np.where(some, count - inner, count)
        return total / count

    def _sum(self, row: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
        (left, top), (right, bottom), sums = low.T, high.T, self.sums
        places = (bottom, right), (top, right), (bottom, left), (top, left)
        whole, above, before, twice = (sums[row, y, x].astype(np.int64) for y, x in places)
        inside: NDArray[np.int64] = whole - above - before + twice
        return inside


def _powers(values: Array, exponent: float) -> Array:
    """Powers by Python: numpy's may round differently with the length of the array."""
    return np.array([v**exponent for v in values.tolist()])


def _luma(rgb: Array) -> Array:
    """(R,) of (R, 3)."""
    luma: Array = _RED * rgb[:, 0] + _GREEN * rgb[:, 1] + _BLUE * rgb[:, 2]
    return luma
