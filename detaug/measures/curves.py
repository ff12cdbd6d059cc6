"""Precision over recall, and the area below it as COCO takes it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.measures.matches import Matches

RECALLS = np.linspace(0, 1, 101)  # where COCO reads a curve
_TINY = np.spacing(1)  # COCO adds it to every divisor


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One class at IoU 0.50; K detections by falling score, crowds' left out.

    Attributes:
        boxes: how many there are to find; with 0 there is no curve and `ap50` is NaN.
        scores: (K,) float32.
        recall: (K,) float64, the share of the boxes found down to this score.
        precision: (K,) float64, the share of the detections that are right, down to this score.
        interpolated: (101,) float64, the best precision at recall 0.00, 0.01 ... 1.00 or beyond; 0 where none is.
        scores_at: (101,) float64, the score at which that recall is first reached; NaN where it never is.
    """

    boxes: int
    scores: NDArray[np.float32]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    interpolated: NDArray[np.float64]
    scores_at: NDArray[np.float64]

    @property
    def ap50(self) -> float:
        """The mean of `interpolated`, COCO's AP at IoU 0.50."""
        return float(self.interpolated.mean()) if self.boxes else math.nan

    def as_json(self) -> dict[str, Any]:
        """The curve at the 101 recalls; no points where the class has no box."""
        at = [None if math.isnan(s) else s for s in self.scores_at.tolist()]
        points = {"recall": RECALLS.tolist(), "precision": self.interpolated.tolist(), "score": at}
        some = points if self.boxes else {name: [] for name in points}
        return {"boxes": self.boxes, "AP50": self.ap50 if self.boxes else None, **some}


def curves(matches: Matches) -> tuple[Curve, ...]:
    """The curve of each class."""
    boxes = matches.boxes()
    right, use = matches.right[:, 0], ~matches.ignored[:, 0]
    chosen = [np.flatnonzero(use & (matches.label == c)) for c in range(matches.classes)]
    return tuple(_curve(matches.score[k], right[k], int(n)) for k, n in zip(chosen, boxes, strict=True))


def _curve(scores: NDArray[np.float32], right: NDArray[np.bool_], boxes: int) -> Curve:
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    recall, precision = hits / max(boxes, 1), hits / (np.arange(1, len(order) + 1) + _TINY)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    first = np.searchsorted(recall, RECALLS, side="left")
    at = np.append(scores[order].astype(np.float64), np.nan)
    return Curve(boxes, scores[order], recall, precision, best[first], at[first])


def average_precision(
    hits: NDArray[np.integer], counts: NDArray[np.integer], boxes: NDArray[np.integer]
) -> NDArray[np.float64]:
    """The mean of the interpolated precision, from the right detections alone, for B sets at once.

    Precision is best where a detection is right, so that those places make the curve.

    Args:
        hits: (B, J) right detections down to each of J right ones, best score first.
        counts: (B, J) detections down to there, right or wrong.
        boxes: (B,) to find.

    Returns:
        (B,) 0 to 1; NaN where there is nothing to find.

    >>> average_precision(np.array([[1, 2]]), np.array([[1, 4]]), np.array([2])).round(3).tolist()
    [0.752]
    """
    precision = hits / (counts + _TINY)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, hits / np.maximum(boxes, 1)[:, None], side="right")
    share = np.diff(reached, axis=1, prepend=0)
    return np.where(boxes > 0, (best * share).sum(axis=1) / len(RECALLS), np.nan)
