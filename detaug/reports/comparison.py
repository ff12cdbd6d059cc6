"""Several runs side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from detaug.errors import InputError
from detaug.reports.figures import DASHES, Drawing, Line, curves
from detaug.reports.page import comparison_page
from detaug.reports.part import DASH, part
from detaug.reports.run_curves import Curves, curves_of
from detaug.reports.run_files import RunFiles, read_run
from detaug.reports.training_part import verdict
from detaug.writing import write_whole

FILE = "comparison.html"
_COLOURS = 8
_OWN = ("name", "runs", "ckpt_path", "_instantiator")  # settings that differ between any two runs
_CURVES = (
    ("val/loss", "Validation loss", False),
    ("clean/loss", "Clean training loss", False),
    ("val/AP", "Validation AP", True),
    ("val/AP_rare", "Validation AP of the rare classes", True),
)
_NUMBERS = {
    "AP": ("AP",), "AP50": ("AP50",), "AP75": ("AP75",), "AR100": ("AR100",), "AP, rare": ("rare",),
    "AP, common": ("common",), "AP, small": ("by_size", "small"), "AP, medium": ("by_size", "medium"),
    "AP, large": ("by_size", "large"), "loss": ("loss",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A number and how far it is from the first run's; NaN where one is not known."""

    value: float
    change: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its name, a remark, and a cell for each run."""

    name: str
    remark: str
    cells: tuple[Cell, ...]


def write_comparison(runs: Sequence[Path], out: Path | None = None) -> Path:
    """Write a page that shows runs side by side; the first is what the others are compared with.

    Args:
        runs: at least two run folders.
        out: the file; None is `comparison.html` in the first one.

    Returns:
        The file.

    Raises:
        InputError: one is no run folder, or the file cannot be written.
    """
    files = [read_run(run) for run in runs]
    names = _names(files)
    logged = [part("logged", "", partial(curves_of, run)).content for run in files]
    parts = (
        part("numbers", "Scores", lambda: _numbers(files)),
        part("curves", "Curves", lambda: _overlaid(names, logged)),
        part("classes", "Average precision by class", lambda: _classes(files)),
        part("settings", "Settings that differ", lambda: _settings(files)),
    )
    judged = [part("verdict", name, partial(verdict, run)) for name, run in zip(names, files, strict=True)]
    told = [(*run.notes, *_unlike(run, files[0])) for run in files]
    notes = [f"{name}: {note}" for name, all_notes in zip(names, told, strict=True) for note in all_notes]
    target = runs[0] / FILE if out is None else out
    page = comparison_page(names=names, verdicts=judged, parts=parts, notes=notes)
    try:
        write_whole(target, page.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"{target}: the comparison cannot be written ({error.strerror}).") from error
    return target


def _names(files: Sequence[RunFiles]) -> list[str]:
    """A name for each run; where two have the same, their folders."""
    names = [run.title for run in files]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in files]


def _unlike(run: RunFiles, first: RunFiles) -> list[str]:
    """A sentence where a run was not scored on what the first one was scored on."""

    def scored(one: RunFiles) -> tuple[Any, ...]:
        metrics = one.metrics or {}
        classes = metrics.get("per_class")
        boxes = {n: c.get("boxes") for n, c in classes.items()} if isinstance(classes, dict) else None
        return metrics.get("images"), metrics.get("split"), boxes

    if run.metrics is None or first.metrics is None or scored(run) == scored(first):
        return []
    return ["it was scored on other images than the first run, so its numbers are not to be compared."]


def _cells(values: Sequence[Any]) -> tuple[Cell, ...]:
    numbers = [float(v) if isinstance(v, int | float) else math.nan for v in values]
    return tuple(Cell(v, math.nan if i == 0 else v - numbers[0]) for i, v in enumerate(numbers))


def _numbers(files: Sequence[RunFiles]) -> tuple[Row, ...]:
    rows = []
    for name, keys in _NUMBERS.items():
        values = []
        for run in files:
            value: Any = run.metrics
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            values.append(value)
        if any(isinstance(v, int | float) for v in values):
            rows.append(Row(name, "", _cells(values)))
    if not rows:
        raise InputError("None of these runs was scored.")
    return tuple(rows)


def _classes(files: Sequence[RunFiles]) -> tuple[Row, ...]:
    """AP of each class that any run knows, the one with the most training boxes first."""
    tables = [(run.metrics or {}).get("per_class") or {} for run in files]
    trained: dict[str, int] = {}
    for table in tables:
        for name, row in table.items():
            trained[name] = max(trained.get(name, 0), row.get("training_boxes") or 0)
    if not trained:
        raise InputError("None of these runs was scored.")
    return tuple(
        Row(name, str(count), _cells([table.get(name, {}).get("AP") for table in tables]))
        for name, count in sorted(trained.items(), key=lambda item: (-item[1], item[0]))
    )


def _overlaid(names: Sequence[str], logged: Sequence[Curves | None]) -> list[Drawing]:
    """One figure for each value that any run has logged."""
    made = []
    for column, title, is_share in _CURVES:
        lines = [
            Line(name, *points, i % _COLOURS, (i + i // _COLOURS) % len(DASHES))
            for i, (name, one) in enumerate(zip(names, logged, strict=True))
            if one is not None and (points := one.get(column)) is not None
        ]
        if lines:
            told = "; ".join(f"{line.name} ends at {line.y[-1]:.3g}" for line in lines)
            made.append(curves(title, f"{title} over epochs: {told}.", lines, share=is_share))
    if not made:
        raise InputError("None of these runs has logged a curve.")
    return made


def _settings(files: Sequence[RunFiles]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Names of settings and the value of each run, a dash where it has none.

    Raises:
        InputError: there is none.
    """
    flat = [_flat(run.config) for run in files]
    names = sorted({name for settings in flat for name in settings})
    found = tuple(
        (name, values)
        for name in names
        if len(set(values := tuple(settings.get(name, DASH) for settings in flat))) > 1
        and name.partition(".")[0] not in _OWN
    )
    if not found:
        raise InputError("The configurations are the same.")
    return found


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Settings by their whole names, values as text."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if _of_dicts(value) else None
    if inner is None or not value:
        return {name: "null" if value is None else str(value)}
    found: dict[str, str] = {}
    for key, one in inner:
        found |= _flat(one, f"{name}.{key}" if name else str(key))
    return found


def _of_dicts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)
