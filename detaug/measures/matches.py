"""Which detection found which annotated box, worked out once as COCO does; all other measures count from it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detaug.measures.truth import Found, GroundTruth, pick, xywh

FOREGROUND = 0.5  # IoU from which a detection can be right
BACKGROUND = 0.1  # IoU up to which a detection has nothing to do with a box
THRESHOLDS = np.linspace(0.5, 0.95, 10)  # COCO's IoU thresholds
MOST = 100  # detections that count, of an image and class
_PAIRS = 1 << 20  # pairs that are compared at once, so that they take little memory


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs of a detection and a box of the same image that overlap by at least `BACKGROUND`.

    Attributes:
        found: (P,) int64, the detection, rising.
        truth: (P,) int64, the box.
        iou: (P,) float64; with a crowd the share of the detection that lies inside, as COCO has it.
    """

    found: NDArray[np.int64]
    truth: NDArray[np.int64]
    iou: NDArray[np.float64]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Pairs":
        """Those of `chosen`."""
        return Pairs(self.found[chosen], self.truth[chosen], self.iou[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The K detections that count, at most 100 of an image and class, and what each found at T IoU thresholds.

    Attributes:
        truth: the annotated boxes of the M scored images, N in all.
        classes: number of classes.
        image: (K,) int64, which of the M images.
        label: (K,) int64.
        score: (K,) float32.
        entry: (K,) int64, the detection's place in the `Found` it comes from.
        matched: (K, T) int64, the box of its class that it found, or -1.
        ignored: (K, T) bool, it lies in a crowd, or has a negative area, and counts neither way.
    """

    truth: GroundTruth
    classes: int
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float32]
    entry: NDArray[np.int64]
    matched: NDArray[np.int64]
    ignored: NDArray[np.bool_]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(K, T) whether the detection found a box."""
        found: NDArray[np.bool_] = (self.matched >= 0) & ~self.ignored
        return found

    def boxes(self) -> NDArray[np.int64]:
        """(C,) boxes to find, crowds left out."""
        return np.bincount(self.truth.labels[~self.truth.crowd], minlength=self.classes).astype(np.int64)


def match(truth: GroundTruth, found: Found, classes: int) -> Matches:
    """COCO's matching (Lin et al., 2014): best score first, each takes the free box of its class it overlaps most.

    Args:
        truth: the scored images' boxes, image i of it being image i of `found`.
        found: detections, labels below `classes`.
        classes: number of classes.
    """
    entry = counted(found)
    image, label, score = found.images()[entry], found.labels[entry], found.scores[entry]
    pairs = overlaps(truth, found, entry)
    same = pairs.take((label[pairs.found] == truth.labels[pairs.truth]) & (pairs.iou >= FOREGROUND))
    matched = greedy(same, image * classes + label, score, truth.crowd, THRESHOLDS)
    crowded = np.append(truth.crowd, False)[matched]  # the last one is for -1
    sides = xywh(found.boxes)[entry, 2:]
    ignored = crowded | ((matched < 0) & (sides.prod(axis=1) < 0)[:, None])  # COCO does not count a negative area
    return Matches(truth, classes, image, label, score, entry, matched, ignored)


def counted(found: Found) -> NDArray[np.int64]:
    """(K,) the detections that COCO counts: the best 100 of each image and class, in the order of `found`."""
    image = found.images()
    order = np.lexsort((-found.scores, found.labels, image))
    new = (np.diff(image[order], prepend=-1) != 0) | (np.diff(found.labels[order], prepend=-1) != 0)
    return np.sort(order[_place(new) < MOST])


def overlaps(truth: GroundTruth, found: Found, entry: NDArray[np.int64]) -> Pairs:
    """All pairs of the detections `entry`, numbered in that order, with boxes of their images.

    The arithmetic is pycocotools', so that both sides of a threshold are the same.
    """
    theirs, ours = xywh(found.boxes)[entry], xywh(truth.boxes)
    image = found.images()[entry]
    counts = np.diff(truth.starts)[image]
    parts = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    block = np.cumsum(counts) // _PAIRS
    for first, last in _runs(block):
        some = image[first:last]
        g, _ = pick(truth.starts, some)
        d = np.repeat(np.arange(first, last), counts[first:last])
        iou = _iou(theirs[d], ours[g], truth.crowd[g])
        parts.append(Pairs(d, g, iou).take(iou >= BACKGROUND))
    return Pairs(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("found", "truth", "iou")))


def greedy(
    pairs: Pairs,
    group: NDArray[np.int64],
    score: NDArray[np.float32],
    crowd: NDArray[np.bool_],
    thresholds: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Give each box to the first detection that may have it, best score first.

    A detection takes the free box with the largest IoU (of equal ones the later); failing that a crowd, which is never
    used up. All groups go on at once, one detection of each in a step.

    Args:
        pairs: which may meet.
        group: (K,) detections of different groups have no box in common.
        score: (K,) of each detection; of equal ones the earlier comes first.
        crowd: (N,) of each box.
        thresholds: (T,) lowest IoU.

    Returns:
        (K, T) int64, the box or -1.
    """
    matched = np.full((len(group), len(thresholds)), -1, np.int64)
    taken = np.zeros((len(crowd), len(thresholds)), bool)
    meeting = np.unique(pairs.found)
    order = meeting[np.lexsort((-score[meeting], group[meeting]))]
    step = np.zeros(len(group), np.int64)
    step[order] = _place(np.diff(group[order], prepend=-1) != 0)
    keys = (-pairs.truth, -pairs.iou, crowd[pairs.truth], pairs.found, step[pairs.found])
    pairs = pairs.take(np.lexsort(keys))
    for first, last in _runs(step[pairs.found]):
        now = pairs.take(np.arange(first, last))
        free = (now.iou[:, None] >= thresholds) & (~taken[now.truth] | crowd[now.truth, None])
        heads = np.flatnonzero(np.diff(now.found, prepend=-1))
        best = np.minimum.reduceat(np.where(free, np.arange(last - first)[:, None], last - first), heads, axis=0)
        detection, column = np.nonzero(best < last - first)
        box = now.truth[best[detection, column]]
        matched[now.found[heads[detection]], column] = box
        taken[box, column] = True
    return matched


def _iou(found: NDArray[np.float64], truth: NDArray[np.float64], crowd: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each pair of (P, 4) x y width height."""
    low, high = (
        np.maximum(found[:, :2], truth[:, :2]),
        np.minimum(found[:, :2] + found[:, 2:], truth[:, :2] + truth[:, 2:]),
    )
    sides = np.maximum(high - low, 0)
    shared = sides[:, 0] * sides[:, 1]
    own = found[:, 2] * found[:, 3]
    union = np.where(crowd, own, own + truth[:, 2] * truth[:, 3] - shared)
    iou: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return iou


def _place(new: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each entry's place in its group, from where groups begin.

    >>> _place(np.array([True, False, False, True])).tolist()
    [0, 1, 2, 0]
    """
    where = np.arange(len(new))
    place: NDArray[np.int64] = where - np.maximum.accumulate(np.where(new, where, 0))
    return place


def _runs(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where runs of equal values begin and end.

    >>> _runs(np.array([0, 0, 2])), _runs(np.zeros(0, np.int64))
    ([(0, 2), (2, 3)], [])
    """
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [(a, b) for a, b in pairwise(edges) if b > a]
