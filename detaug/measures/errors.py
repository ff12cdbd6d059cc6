"""What kind of mistake each detection and each missed box is, after TIDE (Bolya et al., ECCV 2020)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.measures.curves import average_precision
from detaug.measures.matches import BACKGROUND, FOREGROUND, Matches, Pairs, match, overlaps
from detaug.measures.truth import Found, GroundTruth

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, OTHER, MISSED = range(6)
RIGHT, IGNORED = -1, -2  # IGNORED: in a crowd, or beyond the best 100 of its image and class


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """K detections and N boxes, each with its kind.

    Every detection is right, ignored or one of the first five kinds. Every box outside crowds is found, missed, or
    covered by a detection that would find it with another class or place.

    Attributes:
        kind: (K,) int8, per entry of the `Found`: place in `KINDS`, `RIGHT` or `IGNORED`.
        truth: (K,) int64, the box that the detection found or that its mistake is about, or -1.
        found: (N,) bool, per box of the truth.
        covered: (N,) bool, not found, but a classification or localisation error is about it.
        missed: (N,) bool, neither; crowds are in none of the three.
        ap50: mean AP at IoU 0.50 of the classes that occur; NaN where none does.
        points: by kind, what `ap50` gains where this kind alone is put right; they do not add up.
        all_fixed: `ap50` where all kinds are put right.
    """

    kind: NDArray[np.int8]
    truth: NDArray[np.int64]
    found: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    ap50: float
    points: dict[str, float]
    all_fixed: float

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        wrong = {name: int((self.kind == i).sum()) for i, name in enumerate(KINDS[:MISSED])}
        return {**wrong, KINDS[MISSED]: int(self.missed.sum())}

    def as_json(self) -> dict[str, Any]:
        """The counts and AP points, 0 to 1."""

        def plain(value: float) -> float | None:
            return None if np.isnan(value) else value

        return {
            "detections": len(self.kind),
            "right": int((self.kind == RIGHT).sum()),
            "ignored": int((self.kind == IGNORED).sum()),
            "boxes": int((self.found | self.covered | self.missed).sum()),
            "covered": int(self.covered.sum()),
            "counts": self.counts(),
            "AP50": plain(self.ap50),
            "AP50_points": {name: plain(value) for name, value in self.points.items()},
            "AP50_points_add_up": False,
            "AP50_all_fixed": plain(self.all_fixed),
        }


def errors(truth: GroundTruth, found: Found, classes: int) -> Errors:
    """Tell the kinds apart, at foreground IoU 0.50 and background IoU 0.10, in the order of the authors' program.

    A wrong detection is, the first that holds: *localisation*, the box of its class that it overlaps most has an IoU
    from 0.10 to below 0.50; *classification*, it overlaps a box of another class by 0.50; *duplicate*, it overlaps a
    box of its class by 0.50, which a better one has found; *background*, no box reaches above 0.10; else *both*.

    Putting right: a classification or localisation error becomes right where it has the best score of those about
    the same box and the box was not found, and is left out else; the other kinds are left out; missed boxes are not
    asked for. A class of which nothing is then asked has AP 1 where no detection of it is left, and else 0.

    Args:
        truth: the scored images' boxes, image i of it being image i of `found`.
        found: detections; those beyond the best 100 of an image and class are ignored.
        classes: number of classes.
    """
    matches = match(truth, found, classes)
    pairs = overlaps(truth, found, matches.entry)
    kind, about = _kinds(matches, pairs.take(~truth.crowd[pairs.truth]))
    reached = np.zeros(len(truth.boxes), bool)
    reached[about[kind == RIGHT]] = True
    covered = np.zeros_like(reached)
    covered[about[(kind == CLASSIFICATION) | (kind == LOCALISATION)]] = True
    covered &= ~reached
    missed = ~(reached | covered | truth.crowd)
    fixable = _fixable(matches, kind, about, covered)
    ap50 = _fixed(matches, kind, about, fixable, missed, ())
    return Errors(
        kind=_spread(kind, matches.entry, len(found.boxes), IGNORED).astype(np.int8),
        truth=_spread(about, matches.entry, len(found.boxes), -1),
        found=reached,
        covered=covered,
        missed=missed,
        ap50=ap50,
        points={name: _fixed(matches, kind, about, fixable, missed, (i,)) - ap50 for i, name in enumerate(KINDS)},
        all_fixed=_fixed(matches, kind, about, fixable, missed, range(len(KINDS))),
    )


def _kinds(matches: Matches, pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each detection's kind and the box it is about."""
    same = matches.label[pairs.found] == matches.truth.labels[pairs.truth]
    own, own_box = _largest(pairs.take(same), len(matches.label))
    other, other_box = _largest(pairs.take(~same), len(matches.label))
    right, ignored = matches.right[:, 0], matches.ignored[:, 0]
    cases = [ignored, right, (own >= BACKGROUND) & (own < FOREGROUND), other >= FOREGROUND, own >= FOREGROUND]
    kind = np.select(
        [*cases, other <= BACKGROUND], [IGNORED, RIGHT, LOCALISATION, CLASSIFICATION, DUPLICATE, OTHER], BOTH
    )
    of_others = (kind == CLASSIFICATION) | (kind == BOTH)
    boxes = [np.where(right, matches.matched[:, 0], own_box), other_box]
    about = np.select([np.isin(kind, (RIGHT, LOCALISATION, DUPLICATE)), of_others], boxes, -1)
    return kind, about


def _largest(pairs: Pairs, detections: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of each detection the largest IoU and the box, of equal ones the first; 0 and -1 where it meets none."""
    iou, box = np.zeros(detections), np.full(detections, -1, np.int64)
    last = np.lexsort((-pairs.truth, pairs.iou, pairs.found))
    iou[pairs.found[last]] = pairs.iou[last]  # of a detection's pairs, sorted by rising IoU, the last one stays
    box[pairs.found[last]] = pairs.truth[last]
    return iou, box


def _fixable(
    matches: Matches, kind: NDArray[np.int64], about: NDArray[np.int64], covered: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which errors become right: of those about one box, not found, the one with the best score."""
    wrong = np.flatnonzero((kind == CLASSIFICATION) | (kind == LOCALISATION))
    wrong = wrong[covered[about[wrong]]]
    wrong = wrong[np.argsort(-matches.score[wrong], kind="stable")]
    _, first = np.unique(about[wrong], return_index=True)
    fixable = np.zeros(len(kind), bool)
    fixable[wrong[first]] = True
    return fixable


def _fixed(
    matches: Matches,
    kind: NDArray[np.int64],
    about: NDArray[np.int64],
    fixable: NDArray[np.bool_],
    missed: NDArray[np.bool_],
    fix: "range | tuple[int, ...]",
) -> float:
    """Mean AP at IoU 0.50 with these kinds put right."""
    mended = np.isin(kind, fix)
    kept = np.flatnonzero((kind != IGNORED) & (~mended | fixable))
    right = (kind[kept] == RIGHT) | mended[kept]
    label = np.where(mended[kept], np.append(matches.truth.labels, -1)[about[kept]], matches.label[kept])
    boxes = matches.boxes()
    left = boxes.copy()
    if MISSED in fix:
        left -= np.bincount(matches.truth.labels[missed], minlength=matches.classes)
    by_class = []
    for c in np.flatnonzero(boxes):
        own = label == c
        order = np.argsort(-matches.score[kept[own]], kind="stable")
        places = np.flatnonzero(right[own][order])[None]
        ap = average_precision(np.arange(1, places.size + 1)[None], places + 1, left[c : c + 1])
        by_class.append(float(ap[0]) if left[c] else float(not own.any()))
    return float(np.mean(by_class)) if by_class else float("nan")


def _spread(values: NDArray[np.int64], entries: NDArray[np.int64], size: int, absent: int) -> NDArray[np.int64]:
    """`values` at their `entries` of an array of this size."""
    whole = np.full(size, absent, np.int64)
    whole[entries] = values
    return whole
