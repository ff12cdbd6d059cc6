"""LISA traffic signs (Møgelmose et al. 2012) and traffic lights (Jensen et al. 2016): rows of CSV, one for each box."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.content import number
from detaug.readers.frames import Finder, shared_groups
from detaug.readers.image import SUFFIXES
from detaug.readers.root import SPLITS, Root, joined, suffix
from detaug.readers.table import cells, columns, head_columns, read_lines

_BOX = ("upper left corner x", "upper left corner y", "lower right corner x", "lower right corner y")
_NEEDED = ("filename", "annotation tag", *_BOX)
_OCCLUDED = "occluded,on another road"
_BOXES, _BULBS = "frameAnnotationsBOX.csv", "frameAnnotationsBULB.csv"
_ALL = re.compile(r"all\w*annotations\.csv", re.IGNORECASE)
_LEADING = re.compile(r"annotations|data|training|aiua.*|frameAnnotations.*|(sample-)?(day|night).*", re.IGNORECASE)
_TIME = re.compile(r"^(day|night)(?=[A-Z])")
_DEPTH = 5  # folders down to the tables
_SIZE = (960, 1280)  # of the traffic lights; the signs' videos have several sizes, none above this one


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    Attributes:
        file: the CSV file, relative to the root.
        line: the row's line in it.
        image: the image's name as the row has it.
        label: the class name, or nothing.
        box: x1 y1 x2 y2 in pixels.
        words: the same as it stands there.
        flags: whether the sign is occluded.
        track: what the frames of one track share, or an empty string.
    """

    file: str
    line: int
    image: str
    label: str
    box: tuple[float, ...]
    words: list[str]
    flags: Flag
    track: str


def read_lisa(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read LISA traffic signs or traffic lights.

    Signs: `allAnnotations.csv` stands for the other CSV files below its folder. Lights: `frameAnnotationsBOX.csv`
    (the whole light) is read and `frameAnnotationsBULB.csv` (the lit lamp alone) beside it is not, since BOX was made
    from BULB and a detector looks for lights; where BULB is alone, it is read. Columns are found by their names.

    Images are looked for relative to the CSV's folder, then to the root, then by their last part among all images; of
    several the one whose folders are most like the CSV's. Only named images are read: `negatives/` is not. Frames that
    share a track are one group. Lights are split by the folder in the row (`dayTraining/`, `dayTest/`).

    Args:
        root: the dataset's folder.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder, no CSV file with these columns, or no image can be used.
    """
    folder = Root.of(root)
    tables = [name for name in folder.listed("", {".csv"}, deep=True) if is_lisa(folder, name)]
    if not tables:
        raise InputError(f"{folder.path}: no LISA dataset: looked for *.csv with the columns {', '.join(_NEEDED)}.")
    builder = Builder(folder, unit="line", assumed=_SIZE)
    records = [record for name in _chosen(builder, tables) for record in _records(builder, name)]
    images = folder.listed("", SUFFIXES, deep=True)
    finder = Finder(folder, images)
    named = [finder.find(record.file, record.image) for record in records]
    groups = shared_groups(zip((name for name, _ in named), (record.track for record in records), strict=True))
    rows: dict[str, int] = {}
    for record, (name, fault) in zip(records, named, strict=True):
        if name not in rows:
            rows[name] = builder.add_image(name, _split(record.image), group=groups.get(name))
            if fault:
                builder.spoil(rows[name], "ambiguous-image", fault)
        builder.add_box(rows[name], record.label, record.box, record.line, record.flags, said=record.words)
    builder.note_unnamed(name for name in images if name not in finder.ambiguous)
    return builder.catalog(builder.names_seen(), classes)


def first_table(root: Root) -> str | None:
    """A CSV file of this form where one usually lies; the deep search is left to the reader."""
    folders = [""]
    for _ in range(_DEPTH):
        for folder in folders:
            for name in root.listed(folder, {".csv"}):
                if is_lisa(root, name):
                    return name
        inner = [joined(folder, name) for folder in folders for name in _folders(root, folder)]
        folders = [name for name in inner if root.is_folder(name)]
    return None


def _folders(root: Root, folder: str) -> list[str]:
    """Folders that may lead to the tables; not those with the frames."""
    try:
        with os.scandir(root.path / folder) as entries:
            return sorted(entry.name for entry in entries if _LEADING.fullmatch(entry.name) and entry.is_dir())
    except OSError:
        return []


def is_lisa(root: Root, name: str) -> bool:
    """Whether the table has LISA's columns."""
    if root.inside(name) is None:
        return False
    found = {_plain(column) for column in head_columns(root.file(name))}
    return found.issuperset(_NEEDED)


def _plain(column: str) -> str:
    return " ".join(column.lower().split())


def _chosen(builder: Builder, tables: list[str]) -> list[str]:
    """The tables to be read; the others, which repeat them, are reported."""
    whole = [name for name in tables if _ALL.fullmatch(PurePosixPath(name).name)]
    kept = []
    for name in tables:
        place = PurePosixPath(name)
        above = [a for a in whole if a != name and PurePosixPath(a).parent in place.parents]
        box = place.with_name(_BOXES).as_posix()
        if above and name not in whole:
            builder.note("unused-annotation", name, f"{above[0]} holds its rows and is read instead")
        elif place.name == _BULBS and box in tables:
            builder.note("unused-annotation", name, f"{box} marks the whole lights and is read instead")
        else:
            kept.append(name)
    return kept


def _records(builder: Builder, file: str) -> list[Record]:
    """The rows of a table; those that cannot be used are reported with their line."""
    try:
        lines = list(read_lines(builder.root.file(file)))
    except InputError as error:
        builder.note("unreadable-annotation", file, str(error))
        return []
    mark, names = columns(lines[0][1])
    index = {_plain(name): i for i, name in enumerate(names)}
    least = 1 + max(index[name] for name in _NEEDED)
    records = []
    for line, text in lines[1:]:
        row = cells(text, mark)
        if len(row) < least or any(row[len(names) :]) or suffix(row[index["filename"]]) not in SUFFIXES:
            value = f"line {line}: no row of {len(names)} columns that names an image: {text.strip()[:80]!r}"
            builder.note("unreadable-line", file, value, boxes=1)
            continue
        if len(row) < len(names):
            builder.note("short-line", file, f"line {line}: {len(row)} columns where {len(names)} are expected")
        records.append(_record(builder, file, line, dict(zip(index, row, strict=False))))
    return records


def _record(builder: Builder, file: str, line: int, row: dict[str, str]) -> Record:
    occluded = row.get(_OCCLUDED, row.get("occluded", "")).partition(",")[0].strip()
    if occluded not in ("", "0", "1"):
        builder.note("bad-flag", file, f"line {line}: {occluded[:40]!r} says neither occluded (1) nor not (0)")
    track = row.get("origin track", "")
    words = [row[name] for name in _BOX]
    return Record(
        file=file,
        line=line,
        image=row["filename"],
        label=row["annotation tag"],
        box=tuple(number(word) for word in words),
        words=words,
        flags=Flag.OCCLUDED if occluded == "1" else Flag(0),
        track=f"{row.get('origin file', '')}\0{track}" if track else "",
    )


def _split(image: str) -> Split:
    """The split that a folder in the name says.

    >>> [_split(name).name for name in ("dayTraining/a.jpg", "nightTest/a.jpg", "aiua120214-0/a.png")]
    ['TRAIN', 'TEST', 'NONE']
    """
    for part in image.replace("\\", "/").split("/")[:-1]:
        word = _TIME.sub("", part).lower()
        if word in SPLITS:
            return SPLITS[word]
    return Split.NONE
