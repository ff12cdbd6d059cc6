"""Average precision of images drawn with replacement, from matches made once."""

import numpy as np
from numpy.typing import NDArray

from detaug.measures.curves import average_precision
from detaug.measures.matches import Matches

_CELLS = 1 << 22  # draws times detections that are counted at once, so that they take little memory


def resampled(matches: Matches, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """AP where image i occurs `times[b, i]` times, for B sets at once.

    The same as scoring the repeated images, but where an image has several detections of a class with equal scores:
    there COCO's order is by chance.

    Args:
        matches: of M images.
        times: (B, M) int64.

    Returns:
        (B, C, T) 0 to 1; NaN where a set has no box of the class.
    """
    truth = matches.truth
    ap = np.full((len(times), matches.classes, matches.matched.shape[1]), np.nan)
    box_image = np.repeat(np.arange(len(truth)), np.diff(truth.starts))
    order = np.lexsort((-matches.score, matches.label))
    ends = np.searchsorted(matches.label[order], np.arange(matches.classes + 1))
    for c in np.flatnonzero(matches.boxes()):
        own = order[ends[c] : ends[c + 1]]
        there = box_image[(truth.labels == c) & ~truth.crowd]
        size = max(1, _CELLS // max(1, len(own)))
        for first in range(0, len(times), size):
            some = times[first : first + size]
            boxes = some[:, there].sum(axis=1)
            ap[first : first + size, c] = _of_class(matches, own, some[:, matches.image[own]], boxes)
    return ap


def _of_class(
    matches: Matches, own: NDArray[np.int64], times: NDArray[np.int64], boxes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(B, T) AP of one class from its detections, best first, and how often each occurs."""
    right, ignored = matches.right[own], matches.ignored[own]
    every = np.cumsum(times, axis=1)
    columns = []
    for t in range(right.shape[1]):
        hit, out = np.flatnonzero(right[:, t]), np.flatnonzero(ignored[:, t])
        left_out = np.pad(np.cumsum(times[:, out], axis=1), ((0, 0), (1, 0)))[:, np.searchsorted(out, hit)]
        columns.append(average_precision(np.cumsum(times[:, hit], axis=1), every[:, hit] - left_out, boxes))
    return np.stack(columns, axis=1)


def class_mean(ap: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) mean of (B, C) over the classes that occur; NaN where none does."""
    there = ~np.isnan(ap)
    number = there.sum(axis=1)
    return np.where(number > 0, np.where(there, ap, 0).sum(axis=1) / np.maximum(number, 1), np.nan)
