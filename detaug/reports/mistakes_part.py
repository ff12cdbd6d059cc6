"""The worst mistakes as pictures."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.measures.analysis import Analysis
from detaug.measures.errors import CLASSIFICATION, OTHER
from detaug.measures.truth import Found, GroundTruth
from detaug.reports.pictures import Card, Mark, card
from detaug.reports.run_data import RunData
from detaug.reports.samples_part import Strip

EACH = 8  # pictures of a kind


def worst(data: RunData, analysis: Analysis) -> list[Strip]:
    """The largest boxes missed, and the best-scored detections of a wrong class or of nothing.

    Raises:
        InputError: there is no such mistake, or no image can be shown.
    """
    data.evaluated.require_images()
    truth = GroundTruth.of(data.evaluated).take(data.found.rows)
    found = data.found.above(analysis.threshold)
    errors = analysis.errors_above
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
    missed = _first(np.flatnonzero(errors.missed), sides.prod(1))
    wrong = _first(np.flatnonzero(errors.kind == CLASSIFICATION), found.scores)
    nothing = _first(np.flatnonzero(errors.kind == OTHER), found.scores)
    strips = [
        Strip("Missed", "Boxes that nothing has found, the largest first.", _missed(data, truth, missed)),
        Strip(
            "Wrong class", "Right place, wrong class, the surest first.",
            _wrong(data, truth, found, wrong, errors.truth),
        ),
        Strip("Confident background", "Found where nothing is annotated, the surest first: look for forgotten "
              "annotations.", _nothing(data, found, nothing)),
    ]  # fmt: skip
    strips = [strip for strip in strips if strip.cards]
    if not strips:
        raise InputError(f"From score {analysis.threshold:.2f} on nothing is missed, of a wrong class or of nothing.")
    return strips


def _first(places: NDArray[np.int64], rank: NDArray[np.float32]) -> list[int]:
    chosen: list[int] = places[np.argsort(-rank[places], kind="stable")][:EACH].tolist()
    return chosen


def _missed(data: RunData, truth: GroundTruth, boxes: Iterable[int]) -> tuple[Card, ...]:
    image = np.repeat(np.arange(len(truth)), np.diff(truth.starts))
    made = []
    for i in boxes:
        name, row = data.names[truth.labels[i]], int(data.found.rows[image[i]])
        wide, high = (truth.boxes[i, 2:] - truth.boxes[i, :2]).tolist()
        lines = (f"{name} was not found", f"{wide:.0f} × {high:.0f} pixels", data.evaluated.name(row))  # noqa: RUF001
        marks = [Mark(truth.boxes[i], str(name), truth=True)]
        made.append(card(data.evaluated, row, marks, lines, f"Missed: {name}, {wide:.0f} by {high:.0f} pixels"))
    return tuple(c for c in made if c is not None)


def _wrong(
    data: RunData, truth: GroundTruth, found: Found, detections: Iterable[int], about: NDArray[np.int64]
) -> tuple[Card, ...]:
    image = found.images()
    made = []
    for i in detections:
        row, box = int(found.rows[image[i]]), int(about[i])
        name, score, there = data.names[found.labels[i]], float(found.scores[i]), data.names[truth.labels[box]]
        marks = [Mark(found.boxes[i], f"{name} {score:.2f}", truth=False), Mark(truth.boxes[box], there, truth=True)]
        lines = (f"{there} taken for {name}", f"score {score:.2f}", data.evaluated.name(row))
        made.append(card(data.evaluated, row, marks, lines, f"{there} taken for {name}, score {score:.2f}"))
    return tuple(c for c in made if c is not None)


def _nothing(data: RunData, found: Found, detections: Iterable[int]) -> tuple[Card, ...]:
    image = found.images()
    made = []
    for i in detections:
        row, name, score = int(found.rows[image[i]]), data.names[found.labels[i]], float(found.scores[i])
        lines = (f"{name}, but nothing is annotated", f"score {score:.2f}", data.evaluated.name(row))
        marks = [Mark(found.boxes[i], f"{name} {score:.2f}", truth=False)]
        made.append(card(data.evaluated, row, marks, lines, f"{name} found where nothing is annotated, {score:.2f}"))
    return tuple(c for c in made if c is not None)
