"""The images that a run was scored on, and what it found in them, brought together again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detaug.batches.parts import Parts, divided, with_file
from detaug.errors import InputError
from detaug.measures.results import read_results
from detaug.measures.truth import Found, GroundTruth
from detaug.readers.catalog import Catalog, Split
from detaug.readers.read import read
from detaug.reports.run_files import RunFiles


@dataclass(frozen=True, slots=True, eq=False)
class RunData:
    """A run's dataset.

    Attributes:
        whole: all images, divided as in the run.
        train: the training images; None where there are none.
        evaluated: the images that `metrics.json` tells of.
        found: what the model found there, labels into `names`; its rows are rows of `evaluated`.
    """

    whole: Catalog
    train: Catalog | None
    evaluated: Catalog
    found: Found

    @property
    def names(self) -> Sequence[str]:
        """The class names, in label order."""
        return self.whole.classes.names


def run_data(run: RunFiles, root: Path | None = None) -> RunData:
    """Read the dataset of a run and divide it as the run did.

    Args:
        run: the run's files.
        root: where the dataset lies now; None is where it lay then.

    Raises:
        InputError: the dataset is not there, or it is no longer what the run was scored on.
    """
    if run.metrics is None or run.detections is None:
        raise InputError(f"{run.folder}: there are no scores of this run, metrics.json with detections.json.")
    place = root or run.setting("data", "root") or run.metrics.get("root")
    if not isinstance(place, str | Path) or not Path(place).is_dir():
        raise InputError(f"{place}: the run's dataset is not there; `detaug report RUN --data ROOT` says where it is.")
    settings = run.config.get("data")
    settings = settings if isinstance(settings, dict) else {}
    catalog = read(place, settings.get("format") or "auto", settings.get("classes"))
    catalog = with_file(catalog, settings.get("splits"), settings.get("fold"))
    for training in (True, False):
        parts = _divided(catalog, settings, training)
        if parts is not None and (found := _matching(run, parts)) is not None:
            return found
    raise InputError(f"{place}: this is not the dataset that the run was scored on, or it is divided otherwise now.")


def _divided(catalog: Catalog, settings: dict[str, Any], training: bool) -> Parts | None:
    """The dataset as the configuration divides it; None where it cannot."""
    share, seed, fold = settings.get("val_share", 0.2), settings.get("seed", 0), settings.get("fold")
    try:
        return Parts(divided(catalog, fold, share, seed, training, {}, settings.get("splits") is not None))
    except InputError:
        return None


def _matching(run: RunFiles, parts: Parts) -> RunData | None:
    """The run's data in these parts; None where numbers or detections do not fit."""
    assert run.metrics is not None
    assert run.detections is not None
    name = str(run.metrics.get("split"))
    try:
        evaluated = parts.part(name)
        lost = set(run.metrics.get("images_not_decoded") or ())
        rows = np.array([r for r in range(len(evaluated)) if evaluated.name(r) not in lost], np.int64)
        found = read_results(run.detections, evaluated, str(run.folder / "detections.json")).take(rows)
        same = _same_boxes(run.metrics, GroundTruth.of(evaluated).take(rows), evaluated)
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    if len(rows) != run.metrics.get("images") or not same:
        return None
    train = parts.part("train") if parts.has(Split.TRAIN) else None
    return RunData(parts.whole, train, evaluated, found)


def _same_boxes(metrics: dict[str, Any], truth: GroundTruth, catalog: Catalog) -> bool:
    """Whether each class has as many boxes as the run has counted."""
    counts = np.bincount(truth.labels[~truth.crowd], minlength=len(catalog.classes)).tolist()
    counted = {name: row.get("boxes") for name, row in metrics.get("per_class", {}).items()}
    return counted == dict(zip(catalog.classes.names, counts, strict=True))
