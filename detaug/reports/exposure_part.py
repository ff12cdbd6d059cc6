"""How often an epoch has shown each class, against how often the data has it."""

from dataclasses import dataclass

import numpy as np

from detaug.errors import InputError
from detaug.reports.figures import Drawing, before_and_after
from detaug.reports.run_files import RunFiles


@dataclass(frozen=True, slots=True)
class Shown:
    """One class.

    Attributes:
        name: of the class.
        rare: whether it is rare in training.
        boxes: training boxes.
        before: its share of all training boxes.
        shown: how often an epoch shows it, mean of the epochs.
        after: its share of all that is shown.
        pasted: the share of these that is pasted.
    """

    name: str
    rare: bool
    boxes: int
    before: float
    shown: float
    after: float
    pasted: float


@dataclass(frozen=True, slots=True)
class Exposures:
    """All classes, the most frequent first, and the figure; None where it would have one point only."""

    rows: tuple[Shown, ...]
    drawing: Drawing | None
    images: float
    epochs: int


def exposures(run: RunFiles) -> Exposures:
    """What training was shown.

    Raises:
        InputError: it was not counted.
    """
    counted = run.exposure
    if counted is None:
        raise InputError("What training was shown was not counted: this run has no exposure.json.")
    names = sorted(counted["classes"], key=lambda name: -counted["classes"][name]["boxes"])
    of_class = [counted["classes"][name] for name in names]
    boxes = np.array([row["boxes"] for row in of_class], np.float64)
    shown = np.array([np.mean(row["shown"]) for row in of_class], np.float64)
    pasted = np.array([np.mean(row["paste"]) for row in of_class], np.float64)
    rare = np.array([name in ((run.metrics or {}).get("rare_classes") or ()) for name in names], bool)
    before, after = boxes / max(boxes.sum(), 1), shown / max(shown.sum(), 1)
    rows = tuple(
        Shown(name, bool(r), int(b), float(was), float(s), float(now), float(p / max(s, 1e-9)))
        for name, r, b, was, s, now, p in zip(names, rare, boxes, before, shown, after, pasted, strict=True)
    )
    drawing = None
    if len(names) > 1 and shown.any():
        raised = sum(row.after > row.before for row in rows)
        alt = f"Each of {len(names)} classes by its training boxes and how often an epoch shows it; {raised} have a "
        drawing = before_and_after("Before and after", alt + "larger share than in the data.", boxes, shown, rare)
    return Exposures(rows, drawing, float(np.mean(counted["images"])), len(counted["epochs"]))
