"""A training's curves over its epochs, from the lines of `metrics.csv`."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.reports.run_files import RunFiles

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What was logged while a training ran.

    Attributes:
        columns: for each logged name the epochs, (P,) float64, and its values there, (P,) float64. Epochs count from 0
            as in `metrics.csv`; validations within an epoch lie between whole numbers.
        best: the epoch whose weights were kept; None where nothing was validated.
        monitor: by which value that was decided.
        closing: the first epoch without mosaic, mixup and paste; None where the recipe has none of them.
        last: the last epoch.
    """

    columns: dict[str, tuple[Floats, Floats]]
    best: float | None
    monitor: str
    closing: float | None
    last: float

    def get(self, name: str) -> tuple[Floats, Floats] | None:
        """Epochs and values of a name; None where it was never logged."""
        return self.columns.get(name)


def curves_of(run: RunFiles) -> Curves | None:
    """The curves of a run; None where `metrics.csv` has none.

    The scoring of the kept weights after the last epoch is no point of a curve and is left out.
    """
    trained = [row["epoch"] for row in run.rows if "epoch" in row and any(n.startswith("train/") for n in row)]
    if not trained:
        return None
    last = max(trained)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in run.rows:
        if row.get("epoch", last + 1) > last:
            continue
        for name, value in row.items():
            if name.partition("/")[0] in ("train", "clean", "val"):
                found[name].append((row["epoch"], value))
    columns = {name: _spread(points) for name, points in found.items()}
    monitor, mode = _monitor(run)
    return Curves(columns, _best(columns.get(monitor), mode), monitor, _closing(run, last), last)


def _spread(points: list[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Points in order; several within an epoch share the way from the epoch before."""
    array = np.array(points, np.float64)
    array = array[np.argsort(array[:, 0], kind="stable")]
    epochs, first, counts = np.unique(array[:, 0], return_index=True, return_counts=True)
    x = array[:, 0].copy()
    for epoch, start, count in zip(epochs, first, counts, strict=True):
        x[start : start + count] = epoch - 1 + np.arange(1, count + 1) / count
    return x, array[:, 1]


def _monitor(run: RunFiles) -> tuple[str, str]:
    """By what the best weights were chosen, and whether more or less of it is better."""
    callbacks = run.setting("trainer", "callbacks")
    for callback in callbacks if isinstance(callbacks, list) else []:
        arguments = callback.get("init_args") if isinstance(callback, dict) else None
        if isinstance(arguments, dict) and str(callback.get("class_path")).endswith("ModelCheckpoint"):
            monitor = arguments.get("monitor")
            if isinstance(monitor, str):
                return monitor, str(arguments.get("mode", "min"))
    return "val/AP", "max"


def _best(points: tuple[Floats, Floats] | None, mode: str) -> float | None:
    if points is None or not np.isfinite(points[1]).any():
        return None
    x, y = points
    return float(x[np.nanargmax(np.where(np.isfinite(y), y if mode == "max" else -y, np.nan))])


def _closing(run: RunFiles, last: float) -> float | None:
    """The first epoch without mixing: as counted where it was counted, else as the configuration says."""
    recipe = run.setting("data", "recipe")
    if not (isinstance(recipe, dict) and any(recipe.get(name) for name in ("mosaic", "mixup", "paste"))):
        return None
    counted = _closing_counted(run.exposure)
    if counted is not None:
        return counted if counted <= last else None
    until, planned = run.setting("data", "mix_until_epoch"), run.setting("trainer", "max_epochs")
    share = run.setting("data", "closing_share")
    if until is None and isinstance(planned, int) and planned > 0 and isinstance(share, int | float):
        # A training that stopped early has still run its closing epochs, which then are its last ones.
        until = round(planned * (1 - share)) if last + 1 >= planned else last + 1 - round(planned * share)
    return float(until) if isinstance(until, int | float) and 0 <= until <= last else None


def _closing_counted(exposure: dict[str, Any] | None) -> float | None:
    """The epoch from which no partner and no paste was shown; past the last one where they never stopped."""
    try:
        assert exposure is not None
        epochs = [float(e) for e in exposure["epochs"]]
        kinds = [np.array(row[kind]) for row in exposure["classes"].values() for kind in ("partner", "mixup", "paste")]
        mixed = np.flatnonzero(np.sum(kinds, axis=0).reshape(len(epochs)))
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
        return None
    if len(mixed) == 0 or not epochs:
        return None
    return epochs[int(mixed[-1])] + 1
