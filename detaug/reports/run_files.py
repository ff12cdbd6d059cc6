"""What a training has left in its folder, read with patience: a file that is absent or broken is a note."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from detaug.errors import InputError

KNOWN = ("metrics.csv", "metrics.json", "config.yaml", "diagnosis.json")  # one of them makes a folder a run's


@dataclass(frozen=True, slots=True, eq=False)
class RunFiles:
    """The files of a run folder; None where one is absent or cannot be read.

    Attributes:
        folder: the run's folder.
        metrics: `metrics.json`.
        detections: `detections.json`, COCO results.
        diagnosis: `diagnosis.json`.
        exposure: `exposure.json`.
        suspects: `suspects.json`.
        environment: `environment.json`.
        config: `config.yaml`, parsed.
        config_text: the same as it is written.
        rows: the lines of `metrics.csv`, empty cells left out.
        notes: a sentence for each file that is there and cannot be used.
    """

    folder: Path
    metrics: dict[str, Any] | None
    detections: list[Any] | None
    diagnosis: dict[str, Any] | None
    exposure: dict[str, Any] | None
    suspects: list[Any] | None
    environment: dict[str, Any] | None
    config: dict[str, Any]
    config_text: str | None
    rows: tuple[dict[str, float], ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """The run's name and number."""
        folder = self.folder.resolve()
        return f"{folder.parent.name}/{folder.name}" if folder.name.isdecimal() else folder.name

    def setting(self, *keys: str) -> Any:
        """A value of the configuration; None where it has none."""
        value: Any = self.config
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def read_run(folder: Path) -> RunFiles:
    """Read a run folder.

    Raises:
        InputError: there is no such folder, or no training has written into it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such run folder.")
    if not any((folder / name).is_file() for name in KNOWN):
        raise InputError(f"{folder}: this is no run folder: it has none of {', '.join(KNOWN)}.")
    notes: list[str] = []

    def load(name: str, kind: type, parse: Callable[[str], Any] = json.loads) -> Any:
        text = _text(folder / name, notes)
        if text is None:
            return None
        try:
            value = parse(text)
        except (ValueError, RecursionError, yaml.YAMLError, csv.Error):
            notes.append(f"{name} cannot be read: it is broken.")
            return None
        if not isinstance(value, kind):
            notes.append(f"{name} cannot be used: it holds no {'list' if kind is list else 'names with values'}.")
            return None
        return value

    suspects = load("suspects.json", object)
    if isinstance(suspects, dict):
        suspects = suspects.get("suspects")
    return RunFiles(
        folder=folder,
        metrics=load("metrics.json", dict),
        detections=load("detections.json", list),
        diagnosis=load("diagnosis.json", dict),
        exposure=load("exposure.json", dict),
        suspects=suspects if isinstance(suspects, list) else None,
        environment=load("environment.json", dict),
        config=load("config.yaml", dict, yaml.safe_load) or {},
        config_text=_text(folder / "config.yaml", []),
        rows=tuple(load("metrics.csv", list, _csv_rows) or ()),
        notes=tuple(notes),
    )


def _text(path: Path, notes: list[str]) -> str | None:
    """A file's text; None where there is none, with a note where there is one."""
    if not path.exists():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        notes.append(f"{path.name} cannot be read.")
        return None


def _csv_rows(text: str) -> list[dict[str, float]]:
    """The numbers of each line by column."""
    rows = []
    for line in csv.DictReader(text.splitlines()):
        row: dict[str, float] = {}
        for name, value in line.items():
            if isinstance(name, str) and isinstance(value, str) and value.strip():
                try:
                    row[name] = float(value)
                except ValueError:
                    continue
        rows.append(row)
    return rows
