"""The scores of a run: in all, by class, by size, and which class was taken for which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detaug.errors import InputError
from detaug.measures.analysis import Analysis
from detaug.measures.curves import RECALLS
from detaug.measures.errors import KINDS
from detaug.reports.figures import Drawing, Line, bars, precision_recall
from detaug.reports.part import share
from detaug.reports.run_files import RunFiles

MATRIX = 12  # classes up to which the confusion is a matrix
PAIRS = 25  # most confused pairs that are listed
_COLOURS = (1, 2, 4, 7, 5, 6)  # of the classes' curves beside the mean's; so many are drawn
_MEANINGS = {
    "classification": "right place, wrong class",
    "localisation": "right class, wrong place (IoU 0.1 to 0.5)",
    "both": "wrong class and wrong place",
    "duplicate": "found once more",
    "background": "nothing is there (IoU up to 0.1)",
    "missed": "a box that nothing found",
}


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class; NaN where a number is not known.

    Attributes:
        name: of the class.
        rare: whether it is rare in training.
        memorised: whether the diagnosis says that it is known by heart.
        training: training boxes, or None.
        boxes: boxes that were to be found.
        ap: average precision, 0 to 1.
        low: lower end of its 95 % interval.
        high: upper end.
        ap50: at IoU 0.50.
        clean: `ap` on clean training images.
    """

    name: str
    rare: bool
    memorised: bool
    training: int | None
    boxes: int
    ap: float
    low: float
    high: float
    ap50: float
    clean: float


def tiles(run: RunFiles, analysis: Analysis | None) -> tuple[tuple[str, str, str], ...]:
    """The main numbers: name, value, and its interval in words."""
    metrics = run.metrics
    if metrics is None:
        return ()
    names = (("AP", "AP"), ("AP50", "AP50"), ("rare", "AP, rare"), ("common", "AP, common"), ("loss", "loss"))
    within = {} if analysis is None else {
        "AP": analysis.intervals.ap, "AP50": analysis.intervals.ap50,
        "rare": analysis.intervals.rare, "common": analysis.intervals.common,
    }  # fmt: skip
    return tuple(
        (title, share(metrics[key]), f"{share(i.low)} to {share(i.high)}" if (i := within.get(key)) else "")
        for key, title in names
        if isinstance(metrics.get(key), int | float)
    )


def class_rows(run: RunFiles, analysis: Analysis | None) -> tuple[ClassRow, ...]:
    """Each class, the one with the most training boxes first.

    Raises:
        InputError: nothing was scored.
    """
    metrics = run.metrics
    if metrics is None:
        raise InputError("There are no scores: this run has no metrics.json.")
    rare, known = metrics.get("rare_classes") or (), (run.diagnosis or {}).get("memorised") or ()
    clean = metrics.get("clean")
    clean = clean.get("per_class", clean) if isinstance(clean, dict) else {}
    rows = [
        _row(name, scored, clean.get(name), name in rare, name in known, analysis)
        for name, scored in metrics["per_class"].items()
    ]
    return tuple(sorted(rows, key=lambda row: -(row.training or 0)))


def _row(
    name: str, scored: dict[str, Any], clean: Any, rare: bool, memorised: bool, analysis: Analysis | None
) -> ClassRow:
    within = None if analysis is None else analysis.intervals.classes.get(name)
    clean = clean.get("AP") if isinstance(clean, dict) else clean
    return ClassRow(
        name, rare, memorised, scored.get("training_boxes"), int(scored["boxes"]), _number(scored.get("AP")),
        within.ap.low if within else math.nan, within.ap.high if within else math.nan, _number(scored.get("AP50")),
        _number(clean),
    )  # fmt: skip


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def precision_curves(analysis: Analysis, rows: Sequence[ClassRow]) -> Drawing:
    """Precision over recall of the mean and, of many classes, of those with the lowest AP50.

    Raises:
        InputError: there is no box to find.
    """
    there = [(c, name) for c, name in enumerate(analysis.names) if analysis.boxes[c]]
    if not there:
        raise InputError("There are no curves: the scored images have no box to find.")
    mean = np.mean([analysis.curves[c].interpolated for c, _ in there], axis=0)
    if len(there) > len(_COLOURS):
        there = sorted(there, key=lambda item: analysis.curves[item[0]].ap50)[: len(_COLOURS)]
        which = f"The mean of all classes and the {len(_COLOURS)} with the lowest AP50."
    else:
        which = "The mean and each class."
    place = {row.name: i for i, row in enumerate(rows)}
    there.sort(key=lambda item: place.get(item[1], 0))
    lines = []
    for i, (c, name) in enumerate(there):
        curve = analysis.curves[c]
        lines.append(Line(f"{name} ({curve.ap50:.2f})", RECALLS, curve.interpolated, _COLOURS[i], (1 + i) % 4, True))
    lines.insert(0, Line(f"mean ({mean.mean():.2f})", RECALLS, mean, 0))
    told = "; ".join(f"{line.name}: precision {line.y[50]:.2f} at recall 0.5" for line in lines)
    return precision_recall(
        "Precision over recall",
        f"Precision over recall. {told}.",
        lines,
        f"{which} IoU 0.50, interpolated as COCO does.",
    )


@dataclass(frozen=True, slots=True)
class Confused:
    """Which class was taken for which.

    Attributes:
        names: of a matrix' rows and columns, the background last; empty where there are too many classes for one.
        counts: the matrix, rows what is there, columns what was found.
        shares: the same, each row as shares of its sum.
        pairs: what is there, what was found, how often, and the share of what is there; the most frequent first.
        threshold: the score from which detections count.
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    pairs: tuple[tuple[str, str, int, float], ...]
    threshold: float


def confused(analysis: Analysis) -> Confused:
    """The confusion as a matrix or, for many classes, as its largest entries."""
    counts = analysis.confusion.counts
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    shares[-1] = counts[-1] / max(counts[-1].max(), 1)  # of the background there is no total
    names = (*analysis.names, "background")
    if len(analysis.names) <= MATRIX:
        rows = tuple(tuple(int(n) for n in row) for row in counts)
        return Confused(names, rows, tuple(tuple(row) for row in shares.tolist()), (), analysis.threshold)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    places = [divmod(int(i), len(names)) for i in order if wrong.flat[i]]
    last = len(analysis.names)
    pairs = tuple(
        ("nothing" if r == last else names[r], "missed" if c == last else names[c], int(wrong[r, c]),
         math.nan if r == last else float(shares[r, c]))
        for r, c in places
    )  # fmt: skip
    return Confused((), (), (), pairs, analysis.threshold)


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Errors by type.

    Attributes:
        rows: type, meaning, count from the threshold on, count of all detections, AP50 points.
        drawings: AP points and counts as bars.
        threshold: the score from which detections count.
        detections: how many there are from that score on.
        right: how many of these are right.
        boxes: how many there were to find.
    """

    rows: tuple[tuple[str, str, int, int, float], ...]
    drawings: tuple[Drawing, ...]
    threshold: float
    detections: int
    right: int
    boxes: int


def mistakes(analysis: Analysis) -> Mistakes:
    """Errors by type after TIDE."""
    above, every = analysis.errors_above.counts(), analysis.errors.counts()
    points = [100 * analysis.errors.points[kind] for kind in KINDS]
    told = ", ".join(f"{kind} {value:.1f}" for kind, value in zip(KINDS, points, strict=True))
    numbers = [above[kind] for kind in KINDS]
    counted = ", ".join(f"{kind} {n}" for kind, n in above.items())
    drawings = (
        bars("AP50 points that each type costs (not additive)", f"AP50 points by type: {told}.", KINDS, points,
             [f"{v:.1f}" for v in points]),
        bars(f"Errors from score {analysis.threshold:.2f} on", f"Errors by type: {counted}.", KINDS, numbers,
             [str(n) for n in numbers]),
    )  # fmt: skip
    summary = analysis.errors_above.as_json()
    rows = tuple(
        (kind, _MEANINGS[kind], above[kind], every[kind], value) for kind, value in zip(KINDS, points, strict=True)
    )
    return Mistakes(rows, drawings, analysis.threshold, summary["detections"], summary["right"], summary["boxes"])


def sizes(run: RunFiles) -> Drawing:
    """AP by size.

    Raises:
        InputError: nothing was scored.
    """
    found = (run.metrics or {}).get("by_size")
    if not isinstance(found, dict):
        raise InputError("There are no scores by size: this run has no metrics.json.")
    sides = {"small": "small, under 32²", "medium": "medium", "large": "large, over 96²"}
    values = [_number(found.get(name)) for name in sides]
    told = ", ".join(f"{name} {share(value)}" for name, value in zip(sides, values, strict=True))
    shown = ["no box" if math.isnan(value) else f"{value:.3f}" for value in values]
    return bars("AP by size, original pixels", f"AP by size: {told}.", list(sides.values()), values, shown)
