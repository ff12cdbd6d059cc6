"""GTSDB (Houben et al. 2013): `gt.txt` with lines `file;left;top;right;bottom;class` beside .ppm scenes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.content import number
from detaug.readers.image import SUFFIXES
from detaug.readers.root import Root, joined, suffix
from detaug.readers.table import DELIMITERS, cells, head_lines, read_lines

TRUTH = "gt.txt"
_WHOLE = "FullIJCNN2013"
_SPLITS = {"trainijcnn2013": Split.TRAIN, "testijcnn2013": Split.TEST}
_TRAINING, _IMAGES = 600, 900  # the benchmark's numbers: 00000 to 00599 are for training, the rest for the test
_SIZE = (800, 1360)
_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Part:
    """A folder of scenes, relative to the root.

    Attributes:
        folder: its name, empty for the root itself.
        split: the split that the folder's name says, or None where the images' numbers say it.
    """

    folder: str
    split: Split | None


def read_gtsdb(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read the German Traffic Sign Detection Benchmark, or own data in its form.

    `gt.txt` lies in the root or in FullIJCNN2013; without these TrainIJCNN2013 and TestIJCNN2013 are read. Images
    00000 to 00599 are for training and 00600 to 00899 for the test, if all images are numbered so; other names leave
    the split open. Images beside a `gt.txt` that it does not name are background. Folders 00 to 42 hold cropped signs
    and are not read. An image that was converted (`00000.png`) is found by its stem.

    `right` and `bottom` are taken as edges. The readme speaks of the last column and row of the sign, but the sister
    benchmark GTSRB promises a border of at least 5 pixels and keeps it only if they are edges (29 columns, 5 to 24).

    Args:
        root: the dataset's folder.
        classes: a class table's file; without it the built-in one.

    Raises:
        InputError: there is no such folder or gt.txt, it cannot be read, or no image can be used.
    """
    folder = Root.of(root)
    found = parts(folder)
    if not found:
        raise InputError(f"{folder.path}: no GTSDB dataset: looked for {TRUTH} here, in {_WHOLE} and TrainIJCNN2013.")
    names = ClassTable.builtin("gtsdb").names
    builder = Builder(folder, unit="line", assumed=_SIZE)
    for part in found:
        _read_part(builder, part, names)
    _note_unread(builder, {part.folder for part in found})
    return builder.catalog(names, classes)


def parts(root: Root) -> list[Part]:
    """The folders that are read; empty where no `gt.txt` of this form is there."""
    for folder in ("", _WHOLE):
        if _is_truth(root, folder):
            own = PurePosixPath(folder or root.path.resolve().name).name
            return [Part(folder, _SPLITS.get(own.lower()))]
    return [Part(name, split) for name, split in _benchmark_folders(root) if _is_truth(root, name)]


def _benchmark_folders(root: Root) -> list[tuple[str, Split]]:
    names = (("TrainIJCNN2013", Split.TRAIN), ("TestIJCNN2013", Split.TEST))
    return [(name, split) for name, split in names if root.is_folder(name)]


def _is_truth(root: Root, folder: str) -> bool:
    """Whether the folder has a `gt.txt` whose first lines hold a row; other benchmarks use the same name."""
    name = joined(folder, TRUTH)
    lines = head_lines(root.file(name)) if root.is_file(name) else ()
    return any(_is_row(_cells(line)) for _, line in lines)


def _cells(line: str) -> list[str]:
    """The cells of a line; own data has been seen with commas or tabs in place of the semicolons."""
    return cells(line, next((mark for mark in DELIMITERS if mark in line), DELIMITERS[0]))


def _is_row(row: list[str]) -> bool:
    return (
        len(row) >= _COLUMNS and suffix(row[0]) in SUFFIXES and all(number(cell) == number(cell) for cell in row[1:5])
    )


def _read_part(builder: Builder, part: Part, names: tuple[str, ...]) -> None:
    truth = joined(part.folder, TRUTH)
    images = builder.root.listed(part.folder, SUFFIXES)
    records = _records(builder, part.folder, images)
    named = dict.fromkeys([*(name for _, name, _ in records), *images])
    splits = _numbered(named) if part.split is None else dict.fromkeys(named, part.split)
    rows = {name: builder.add_image(name, splits.get(name, Split.NONE)) for name in named}
    for line, name, row in records:
        if len(row) < _COLUMNS or any(row[_COLUMNS:]):
            value = f"line {line}: {len(row)} columns where {_COLUMNS} are expected: {_shown(row)}"
            builder.note("unreadable-line", truth, value, boxes=1)
        else:
            box = [number(cell) for cell in row[1:5]]
            builder.add_box(rows[name], _label(row[5], names), box, line, said=row[1:5])


def _records(builder: Builder, folder: str, images: list[str]) -> list[tuple[int, str, list[str]]]:
    """Line, image and cells of each row that begins with an image; the image by its stem where it was converted."""
    truth = joined(folder, TRUTH)
    present = set(images)
    by_stem = {PurePosixPath(name).stem: name for name in reversed(images)}
    records = []
    renamed: dict[str, str] = {}
    odd: list[int] = []
    for line, text in read_lines(builder.root.file(truth)):
        if text.lstrip().startswith("#"):
            continue
        row = _cells(text)
        if not row or suffix(row[0]) not in SUFFIXES:
            builder.note("unreadable-line", truth, f"line {line}: {_shown(row)} does not begin with an image", boxes=1)
            continue
        name = joined(folder, row[0])
        if name not in present and (other := by_stem.get(PurePosixPath(name).stem)) is not None:
            name = renamed.setdefault(name, other)
        records.append((line, name, row))
        if ";" not in text and len(row) >= _COLUMNS:
            odd.append(line)
    if odd:
        value = f"{len(odd)} lines, the first is line {odd[0]}, have no semicolons; what divides them is read as such"
        builder.note("odd-delimiter", truth, value)
    if renamed:
        old, new = next(iter(renamed.items()))
        builder.note(
            "renamed-image", truth, f"{len(renamed)} images are found by their stem, the first: {new} for {old}"
        )
    return records


def _label(cell: str, names: tuple[str, ...]) -> str:
    """The class name; what stands there where that is no class."""
    index = number(cell)
    known = index.is_integer() and 0 <= index < len(names)
    return names[int(index)] if known else repr(cell[:40])  # in quotes no cell is a class's name


def _numbered(names: Iterable[str]) -> dict[str, Split]:
    """Split of each image as the benchmark counts; empty where a name is not one of its numbers."""
    stems = {name: PurePosixPath(name).stem for name in names}
    if not all(re.fullmatch(r"[0-9]{5}", stem) and int(stem) < _IMAGES for stem in stems.values()):
        return {}
    return {name: Split.TRAIN if int(stem) < _TRAINING else Split.TEST for name, stem in stems.items()}


def _note_unread(builder: Builder, read: set[str]) -> None:
    """Say which folders of the benchmark are left out: without a `gt.txt` nobody knows whether signs are in them."""
    for name, _ in _benchmark_folders(builder.root):
        if name in read:
            continue
        images = builder.root.listed(name, SUFFIXES)
        if read & {"", _WHOLE}:
            builder.note("unused-annotation", name, f"{_WHOLE} holds these images too and is read", 0)
        elif images:
            value = f"there is no usable {TRUTH} for its {len(images)} images"
            builder.note("unannotated-image", name, value, images=len(images))


def _shown(row: list[str]) -> str:
    return repr(";".join(row)[:80])
