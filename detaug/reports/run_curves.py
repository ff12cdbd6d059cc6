"""A training's curves over its epochs, from the lines of `metrics.csv`."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.reports.run_files import RunFiles

Floats = NDArray[np.float64]
LAST = "the last ones"  # which weights were kept where no value decided


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What was logged while a training ran.

    Attributes:
        columns: for each logged name the epochs, (P,) float64, and its values there, (P,) float64. Epochs count from 0
            as in `metrics.csv`; validations within an epoch lie between whole numbers.
        best: the epoch whose weights were kept; None where nothing was validated.
        monitor: by which value that was decided, or `LAST`.
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
    return Curves(columns, _kept(columns, monitor, mode), monitor, _closing(run, last), last)


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
    """By what the scored weights were chosen, and whether more or less of it is better; `LAST` for the last ones.

    As the training program keeps them: by the first ModelCheckpoint that keeps any; where there is none, by what early
    stopping watches, else by `val/AP`. The last weights are scored where none were kept, or not by a value.
    """
    given = run.setting("trainer", "callbacks")
    callbacks = [c for c in (given if isinstance(given, list) else [given]) if isinstance(c, dict)]
    kept = [_arguments(c) for c in callbacks if _kind(c) == "ModelCheckpoint"]
    if kept:
        chosen = next((a for a in kept if a.get("save_top_k") != 0), {})
        monitor = chosen.get("monitor")
        return (monitor, str(chosen.get("mode", "min"))) if isinstance(monitor, str) else (LAST, "max")
    if run.setting("trainer", "enable_checkpointing") is False:
        return LAST, "max"
    stopping = next((c for c in callbacks if _kind(c).endswith("EarlyStopping")), None)
    monitor = "val/AP" if stopping is None else str(_arguments(stopping).get("monitor", "val/AP"))
    asked = "max" if stopping is None else _arguments(stopping).get("mode")
    return monitor, str(asked or ("min" if "loss" in monitor else "max"))


def _kind(callback: dict[str, Any]) -> str:
    return str(callback.get("class_path")).rpartition(".")[2]


def _arguments(callback: dict[str, Any]) -> dict[str, Any]:
    arguments = callback.get("init_args")
    return arguments if isinstance(arguments, dict) else {}


def _kept(columns: Mapping[str, tuple[Floats, Floats]], monitor: str, mode: str) -> float | None:
    """The epoch whose weights were scored."""
    if monitor == LAST:
        validated = [float(x[-1]) for name, (x, _) in columns.items() if name.startswith("val/")]
        return max(validated, default=None)
    x, y = columns.get(monitor, (np.empty(0), np.empty(0)))
    if not np.isfinite(y).any():
        return None
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
