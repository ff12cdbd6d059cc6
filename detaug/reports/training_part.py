"""The verdict and the curves of a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detaug.errors import InputError
from detaug.reports.figures import Drawing, Line, curves
from detaug.reports.run_curves import Curves
from detaug.reports.run_files import RunFiles

WORDS = {
    "underfitting": "Underfitting",
    "still_learning": "Still learning",
    "healthy": "Healthy",
    "overfitting": "Overfitting",
    "diverging": "Diverging",
    "suspicious": "Suspicious",
    "too_short": "Too short to tell",
}
LOSSES = (
    ("train/loss", "train, augmented", 3, 2),
    ("clean/loss", "train, clean", 1, 1),
    ("val/loss", "validation", 0, 0),
    ("clean/chance_loss", "knowing class frequencies only", 6, 3),
)
PRECISIONS = (
    ("clean/AP50", "AP50, train, clean", 1, 3),
    ("clean/AP", "AP, train, clean", 1, 1),
    ("val/AP50", "AP50, validation", 0, 2),
    ("val/AP", "AP, validation", 0, 0),
    ("val/AP_rare", "AP, rare classes", 2, 0),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict as the page shows it.

    Attributes:
        state: the diagnosis' name of it.
        word: the same as people read it.
        sentence: what was found.
        reasons: why.
        knobs: what to turn next: the setting as it is written, and why.
        confidence: in words; empty where it is not known.
        memorised: classes known by heart.
    """

    state: str
    word: str
    sentence: str
    reasons: tuple[str, ...]
    knobs: tuple[tuple[str, str], ...]
    confidence: str
    memorised: tuple[str, ...]


def verdict(run: RunFiles) -> Judged:
    """What the diagnosis says.

    Raises:
        InputError: there is none.
    """
    found = run.diagnosis
    if found is None:
        raise InputError("No verdict was made: this run has no diagnosis.json.")
    state = str(found.get("state", ""))
    knobs = [k for k in _listed(found.get("knobs")) if isinstance(k, dict)]
    sure = found.get("confidence")
    return Judged(
        state=state if state in WORDS else "unknown",
        word=WORDS.get(state, state or "Unknown"),
        sentence=str(found.get("sentence", "")),
        reasons=tuple(str(r) for r in _listed(found.get("reasons"))),
        knobs=tuple((str(k.get("setting", "")), str(k.get("why", ""))) for k in knobs),
        confidence=f"{sure:.0%}" if isinstance(sure, int | float) and state != "too_short" else "",
        memorised=tuple(str(name) for name in _listed(found.get("memorised"))),
    )


def loss_curves(logged: Curves | None) -> list[Drawing]:
    """Loss over the epochs.

    Raises:
        InputError: none was logged.
    """
    lines = _lines(logged, LOSSES)
    if logged is None or not lines:
        raise InputError("No loss was logged: metrics.csv is absent or has no column train/loss or val/loss.")
    without = "" if logged.get("clean/loss") else " This run has no clean-train probe."
    drawing = curves(
        "Loss",
        _told("Loss over epochs", lines, logged),
        lines,
        best=logged.best,
        closing=_shaded(logged),
        note=_below(logged) + " The augmented training loss is of harder pictures and is not to be compared." + without,
    )
    return [drawing]


def precision_curves(logged: Curves | None) -> list[Drawing]:
    """Average precision over the epochs.

    Raises:
        InputError: none was logged.
    """
    lines = _lines(logged, PRECISIONS)
    if logged is None or not lines:
        raise InputError("No average precision was logged: metrics.csv is absent or has no column val/AP.")
    told = _told("Average precision over epochs", lines, logged)
    note = _below(logged)
    return [curves("Average precision", told, lines, best=logged.best, closing=_shaded(logged), share=True, note=note)]


def _lines(logged: Curves | None, wanted: Sequence[tuple[str, str, int, int]]) -> list[Line]:
    lines = []
    for column, name, colour, dash in wanted:
        points = None if logged is None else logged.get(column)
        if points is not None and np.isfinite(points[1]).any():
            lines.append(Line(name, *points, colour, dash))
    return lines


def _shaded(logged: Curves) -> tuple[float, float] | None:
    return None if logged.closing is None else (logged.closing - 0.5, logged.last + 0.5)


def _below(logged: Curves) -> str:
    best = "" if logged.best is None else f"Dotted: epoch {logged.best:g}, whose weights were kept ({logged.monitor})."
    closing = "" if logged.closing is None else f" Shaded: the closing epochs, from {logged.closing:g} on."
    return best + closing


def _told(what: str, lines: Sequence[Line], logged: Curves) -> str:
    """The figure in words: where each line begins, ends and is best."""

    def one(line: Line) -> str:
        y = line.y[np.isfinite(line.y)]
        return f"{line.name}: from {y[0]:.3g} to {y[-1]:.3g}, lowest {y.min():.3g}, highest {y.max():.3g}"

    return f"{what} 0 to {logged.last:g}. {'; '.join(one(line) for line in lines)}."


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
