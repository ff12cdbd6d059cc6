"""Which class was taken for which, and from which score on detections are worth looking at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.measures.matches import FOREGROUND, Matches, greedy, overlaps
from detaug.measures.truth import Found, GroundTruth

NO_THRESHOLD = 0.5  # where no detection is right


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Counts of C classes and the background.

    Attributes:
        counts: (C + 1, C + 1) int64, rows the annotated class, columns the detected one, the last of both the
            background: its column has what was missed, its row what was found where nothing is annotated.
        ignored: detections in crowds, which are not in `counts`; nor are the crowds.
    """

    counts: NDArray[np.int64]
    ignored: int

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {"counts": self.counts.tolist(), "ignored": self.ignored}


def confusion(truth: GroundTruth, found: Found, classes: int) -> Confusion:
    """Match detections and boxes one to one at IoU 0.50 whatever their class, best score first, and count.

    Each row but the last adds up to the boxes of that class, each column but the last to the detections of that class
    that lie in no crowd.

    Args:
        truth: the scored images' boxes, image i of it being image i of `found`.
        found: the detections that are to count; all of them do, however many an image has.
        classes: number of classes.
    """
    pairs = overlaps(truth, found, np.arange(len(found.boxes)))
    at = np.array([FOREGROUND])
    matched = greedy(pairs.take(pairs.iou >= FOREGROUND), found.images(), found.scores, truth.crowd, at)[:, 0]
    hit = np.flatnonzero(matched >= 0)
    ignored = np.zeros(len(matched), bool)
    ignored[hit] = truth.crowd[matched[hit]]
    hit = hit[~ignored[hit]]
    actual = np.full(len(matched), classes)
    actual[hit] = truth.labels[matched[hit]]
    missed = ~truth.crowd
    missed[matched[hit]] = False
    side = classes + 1
    cells = np.concatenate([(actual * side + found.labels)[~ignored], truth.labels[missed] * side + classes])
    return Confusion(np.bincount(cells, minlength=side * side).reshape(side, side).astype(np.int64), int(ignored.sum()))


def best_threshold(matches: Matches) -> float:
    """The lowest score to keep so that F1 over all classes is best at IoU 0.50; 0.5 where no detection is right.

    F1 = 2 right / (detections + boxes), all classes counted together; of equally good scores the highest.
    """
    use = ~matches.ignored[:, 0]
    order = np.argsort(-matches.score[use], kind="stable")
    scores, hits = matches.score[use][order], np.cumsum(matches.right[use, 0][order])
    if not hits.any():
        return NO_THRESHOLD
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + matches.boxes().sum())
    last = np.append(scores[1:] != scores[:-1], True)  # equal scores are kept or dropped together
    return float(scores[np.argmax(np.where(last, f1, -1.0))])
