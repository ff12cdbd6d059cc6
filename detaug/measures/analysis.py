"""All that a report says of the detections of one split, in one call."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.measures.confusion import Confusion, best_threshold, confusion
from detaug.measures.curves import Curve, curves
from detaug.measures.errors import Errors, errors
from detaug.measures.intervals import DRAWS, Intervals, intervals
from detaug.measures.matches import match
from detaug.measures.truth import Found, GroundTruth
from detaug.readers.catalog import Catalog


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What went right and wrong in M images with C classes.

    Attributes:
        names: the C class names, in label order.
        images: M.
        boxes: (C,) int64, annotated boxes, crowds left out.
        threshold: the score from which detections count in `confusion` and `errors_above`.
        curves: precision over recall at IoU 0.50, one per class.
        confusion: which class was taken for which.
        errors: of all detections, with the AP points that each type costs.
        errors_above: of the detections from `threshold` on: what a user of the detector sees.
        intervals: AP with 95 % bootstrap intervals.
    """

    names: tuple[str, ...]
    images: int
    boxes: NDArray[np.int64]
    threshold: float
    curves: tuple[Curve, ...]
    confusion: Confusion
    errors: Errors
    errors_above: Errors
    intervals: Intervals

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it, NaN as None; without the entries per detection."""
        return {
            "names": list(self.names),
            "images": self.images,
            "boxes": self.boxes.tolist(),
            "threshold": self.threshold,
            "curves": {name: curve.as_json() for name, curve in zip(self.names, self.curves, strict=True)},
            "confusion": self.confusion.as_json(),
            "errors": self.errors.as_json(),
            "errors_above": self.errors_above.as_json(),
            "intervals": self.intervals.as_json(),
        }


def analyse(
    catalog: Catalog,
    found: Found,
    rare: Collection[str],
    rng: np.random.Generator,
    *,
    threshold: float | None = None,
    draws: int = DRAWS,
) -> Analysis:
    """Compare what was found with what is there.

    Only images that occur in `found.rows` count. `detaug.measures.results.read_results` makes `found` of a run's
    `detections.json`.

    Args:
        catalog: the evaluated split; `found.rows` are its rows.
        found: detections, labels into `catalog.classes`.
        rare: names of the rare classes.
        rng: draws the bootstrap's images.
        threshold: lowest score in `confusion` and `errors_above`; None takes the one with the best F1.
        draws: of the bootstrap.
    """
    names = tuple(catalog.classes.names)
    truth = GroundTruth.of(catalog).take(found.rows)
    matches = match(truth, found, len(names))
    score = best_threshold(matches) if threshold is None else threshold
    above = found.above(score)
    return Analysis(
        names=names,
        images=len(truth),
        boxes=matches.boxes(),
        threshold=score,
        curves=curves(matches),
        confusion=confusion(truth, above, len(names)),
        errors=errors(truth, found, len(names)),
        errors_above=errors(truth, above, len(names)),
        intervals=intervals(matches, names, rare, rng, draws),
    )
