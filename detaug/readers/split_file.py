"""The file that says which split and group each image belongs to: CSV with `image,split,group`."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detaug.errors import Finding, InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.content import read_text
from detaug.readers.findings import bounded
from detaug.readers.root import SPLITS, printable

_NAMES = {**SPLITS, "none": Split.NONE}
_LARGEST = 1 << 30  # bytes


@dataclass(frozen=True, slots=True)
class _Row:
    """A line's number, the split it gives and its group's name; None where the file has no column for groups."""

    line: int
    split: Split
    group: str | None


def split_csv(catalog: Catalog) -> str:
    """The catalog's images, relative to its root, with their split and the number of their group."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("image", "split", "group"))
    names = {split: split.name.lower() for split in Split}
    for row in range(len(catalog)):
        rows.writerow((catalog.name(row), names[Split(catalog.splits[row])], int(catalog.groups[row])))
    return text.getvalue()


def with_split_file(catalog: Catalog, file: str | Path) -> Catalog:
    """The catalog with the splits of a file, and with its groups where it has a third column.

    The file may be edited: commas, semicolons or tabs part its columns; groups may be any words, and an image without
    one is a group of its own. The split is `train`, `val`, `test` (or their longer forms), or `none` for an image that
    is not used. An image of the dataset that the file does not name is in no split, and one that only the file names
    is left out: each is a finding.

    Raises:
        InputError: the file cannot be read or is no such table, a split is not known, an image stands there twice, or
            it names none of the dataset's images.
    """
    path = Path(file)
    rows = _read(path)
    names = [catalog.name(row) for row in range(len(catalog))]
    found = [rows.get(name) for name in names]
    if not any(found) and names:
        raise InputError(f"{path}: it names none of the images of {catalog.root}, such as {printable(names[0])!r}.")
    value = f"{path} does not name it, so it is in no split"
    findings = [Finding("unlisted-image", name, value) for name, row in zip(names, found, strict=True) if row is None]
    for name in rows.keys() - set(names):
        value = f"line {rows[name].line} names {name!r}, which is no usable image of the dataset"
        findings.append(Finding("unknown-image", path.name, value))
    findings.sort(key=lambda finding: (finding.kind, finding.file, finding.value))
    splits = np.array([Split.NONE if row is None else row.split for row in found], np.uint8)
    return replace(
        catalog,
        splits=splits,
        groups=_groups(names, found) if any(row.group is not None for row in rows.values()) else catalog.groups,
        findings=catalog.findings + bounded(findings),
    )


def _groups(names: Sequence[str], rows: Sequence[_Row | None]) -> NDArray[np.int32]:
    """(M,) the file's groups, numbered in order of appearance; an image without one is alone."""
    seen: dict[tuple[str, str], int] = {}
    keys = [
        ("group", row.group) if row and row.group else ("image", name) for name, row in zip(names, rows, strict=True)
    ]
    return np.array([seen.setdefault(key, len(seen)) for key in keys], np.int32).reshape(len(names))


def _read(path: Path) -> dict[str, _Row]:
    """The rows by image, with forward slashes."""
    text = read_text(path, _LARGEST)
    head = text.split("\n", 1)[0].rstrip("\r")
    delimiter = next((mark for mark in ",;\t" if mark in head), ",")
    columns = [column.strip().lower() for column in head.split(delimiter)]
    if columns not in (["image", "split"], ["image", "split", "group"]):
        raise InputError(f"{path}: the first line is {head[:80]!r}, not image,split,group.")
    rows: dict[str, _Row] = {}
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        next(lines)
        for cells in lines:
            if any(cell.strip() for cell in cells):
                _take(path, rows, lines.line_num, cells, len(columns))
    except csv.Error as error:
        raise InputError(f"{path}: line {lines.line_num} is not valid CSV ({error}).") from error
    return rows


def _take(path: Path, rows: dict[str, _Row], line: int, cells: list[str], width: int) -> None:
    if len(cells) != width:
        raise InputError(f"{path}: line {line} has {len(cells)} columns, not {width}.")
    name = cells[0].replace("\\", "/").removeprefix("./")
    word = cells[1].strip().lower()
    if word not in _NAMES:
        raise InputError(f"{path}: line {line} has the split {cells[1]!r}, not train, val, test or none.")
    if name in rows:
        raise InputError(f"{path}: line {line} names {name!r} again, after line {rows[name].line}.")
    rows[name] = _Row(line, _NAMES[word], cells[2].strip() if width == 3 else None)
