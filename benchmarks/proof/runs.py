"""Runs that are trained once: a row of a table each, which several processes fill at the same time."""

import csv
import fcntl
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from detaug.writing import write_whole

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURES = ("AP", "AP50", "rare", "common")

Row = dict[str, str]
Numbers = Callable[[Path], Row]


@dataclass(frozen=True, slots=True)
class Job:
    """One training.

    Attributes:
        arm: its recipe's name.
        unit: the fold, `1/3`, or the seed.
        epochs: how long.
        settings: of train.py, after `fit`.
    """

    arm: str
    unit: str
    epochs: int
    settings: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from other rows of the table."""
        return self.arm, self.unit, str(self.epochs)

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"{self.arm}_{self.unit.replace('/', 'of')}_{self.epochs}"


def scores(folder: Path) -> Row:
    """The figures of a finished run."""
    numbers = json.loads((folder / "metrics.json").read_text())
    return {key: f"{numbers[key]:.4f}" for key in FIGURES}


def run_all(jobs: Iterable[Job], out: Path, numbers: Numbers = scores) -> None:
    """Train what the table lacks and no other process is training.

    Args:
        jobs: all trainings, asked for one by one.
        out: the folder of the table, `runs.csv`, and of the runs.
        numbers: what the table says of a run besides, from its folder; of each run the same columns.
    """
    table = out / "runs.csv"
    for job in jobs:
        with claimed(out / f".{job.name}.lock") as mine:
            if mine and job.key not in {(r["arm"], r["unit"], r["epochs"]) for r in rows(table)}:
                append(table, _trained(job, out, numbers))


def _trained(job: Job, out: Path, numbers: Numbers) -> Row:
    command = [sys.executable, "train.py", "fit", *job.settings]
    command += ["--name", job.name, "--runs", str(out.resolve()), "--report", "false"]
    command += ["--trainer.max_epochs", str(job.epochs), "--trainer.enable_progress_bar", "false"]
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    minutes = (time.monotonic() - begun) / 60
    folder = max((p for p in (out / job.name).iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
    place = {"arm": job.arm, "unit": job.unit, "epochs": str(job.epochs), "steps": str(_steps(folder))}
    return {**place, "minutes": f"{minutes:.1f}", **numbers(folder), "folder": str(folder.relative_to(out))}


def _steps(folder: Path) -> int:
    """Optimiser steps of a run, by its log."""
    with (folder / "metrics.csv").open(newline="") as file:
        return 1 + max(int(r["step"]) for r in csv.DictReader(file) if r["step"])


@contextmanager
def claimed(path: Path, wait: bool = False) -> Iterator[bool]:
    """Whether this process alone holds the file; it is free again when the process ends, however it ends.

    Args:
        path: the file; it is made.
        wait: until no other process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True


def rows(table: Path) -> list[Row]:
    """The finished runs."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def append(table: Path, row: Row) -> None:
    """One more finished run."""
    with table.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = io.StringIO()
        lines = csv.DictWriter(text, list(row), lineterminator="\n")
        lines.writeheader()
        lines.writerows([*rows(table), row])
        write_whole(table, text.getvalue().encode())
