"""YOLO: a data.yaml and one text file per image, `class cx cy w h` as shares of the image."""

from pathlib import Path, PurePosixPath

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.content import number, read_text
from detaug.readers.description import Description, describe, places
from detaug.readers.image import SUFFIXES
from detaug.readers.root import Root, suffix

_NOT_LABELS = frozenset(("classes.txt", "labels.txt", "notes.txt", "readme.txt"))
_LARGEST_LIST = 1 << 28  # bytes of a text file that lists images


def read_yolo(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read a dataset with YOLO labels.

    The split folders are looked for below `path`, then below the root alone: `../train/images` means `train/images`,
    and of an absolute path the longest end that exists here is taken. Nothing outside of the root is ever read. The
    label of `a/images/b.jpg` is `a/labels/b.txt`; an image without a label file is background. Polygons become boxes.

    Args:
        root: the folder with data.yaml, or one with `images` and `labels` and a `classes.txt`, read without splits.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder, no class names, no image folder, or no usable image.
    """
    folder = Root.of(root)
    description = describe(folder)
    if description is None:
        raise InputError(
            f"{folder.path}: no YOLO dataset: looked for data.yaml with `names`, or images/ with classes.txt."
        )
    builder = Builder(folder, unit="line", normalised=True)
    missing = []
    images: list[tuple[Split, str]] = []
    read: set[str] = set()
    for split, entry in description.entries:
        if entry in read:
            builder.note("doubled-split", description.file, f"{split.name.lower()}: {entry!r} is another split already")
            continue
        read.add(entry)
        found = _images(folder, description, entry)
        images += [(split, name) for name in found or []]
        if found is None:
            missing.append(entry)
            builder.note("missing-split", description.file, f"{split.name.lower()}: {entry!r} is not in the folder")
    if not images:
        raise InputError(
            f"{folder.path}: {description.file} leads to no image: looked for {', '.join(missing) or 'images'}."
        )
    for split, name in images:
        _read_image(builder, description, split, name)
    _note_orphans(builder, images)
    names = list(dict.fromkeys(description.names.values()))
    if len(names) < len(description.names):
        builder.note("doubled-class", description.file, "two classes have the same name; they are one")
    return builder.catalog(names, classes)


def _images(root: Root, description: Description, entry: str) -> list[str] | None:
    """The image names of a split's folder or list; None where neither is inside the root."""
    for place in places(description.base, entry):
        if root.is_folder(place):
            return root.listed(place, SUFFIXES, deep=True)
        if suffix(place) == ".txt" and root.is_file(place):
            lines = read_text(root.file(place), _LARGEST_LIST).splitlines()
            return [_listed(root, place, line.strip()) for line in lines if line.strip()]
    return None


def _listed(root: Root, place: str, line: str) -> str:
    """The name of an image in a list: beside the list, or below the root."""
    line = line.replace("\\", "/").removeprefix("./")
    beside = f"{PurePosixPath(place).parent}/{line}".removeprefix("./")
    return beside if root.is_file(beside) else line


def label_name(image: str) -> str:
    """The label file of an image.

    >>> label_name("train/images/a.b.jpg"), label_name("images/a.jpg"), label_name("a.jpg")
    ('train/labels/a.b.txt', 'labels/a.txt', 'a.txt')
    """
    before, found, after = f"/{image}".rpartition("/images/")
    path = f"{before}/labels/{after}" if found else f"/{image}"
    return PurePosixPath(path).with_suffix(".txt").as_posix()[1:]


def _read_image(builder: Builder, description: Description, split: Split, name: str) -> None:
    row = builder.add_image(name, split)
    clean = builder.root.inside(label_name(name))
    if clean is None:
        builder.spoil(row, "path-outside", "the label file lies outside of the dataset's folder")
        return
    file = builder.root.path / clean
    if not file.exists():
        return
    try:
        lines = read_text(file).splitlines()
    except InputError as error:
        builder.spoil(row, "unreadable-annotation", str(error))
        return
    for place, line in enumerate(lines, 1):
        if words := line.split():
            builder.add_box(row, *_parse(words, description.names), place)


def _parse(words: list[str], names: dict[int, str]) -> tuple[str | int, tuple[float, float, float, float]]:
    """Class and corners (shares) of a line; a class id without a name stays a number."""
    index = number(words[0])
    label = names.get(int(index), int(index)) if index.is_integer() else -1
    values = [number(word) for word in words[1:]]
    if len(values) == 4:
        x, y, width, height = values
        return label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if len(values) >= 6 and len(values) % 2 == 0 and all(value == value for value in values):
        return label, (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    return label, (float("nan"),) * 4


def _note_orphans(builder: Builder, images: list[tuple[Split, str]]) -> None:
    """Label files whose image is not there; only in label folders, since other text files lie beside images."""
    labels = {label_name(name) for _, name in images}
    folders = {label.rpartition("/")[0] for label in labels}
    for folder in sorted(folder for folder in folders if "labels" in folder.split("/")):
        for name in builder.root.listed(folder, {".txt"}):
            if name in labels or name.rpartition("/")[2].lower() in _NOT_LABELS or builder.root.inside(name) is None:
                continue
            try:
                boxes = sum(bool(line.strip()) for line in read_text(builder.root.path / name).splitlines())
            except InputError:
                boxes = 0
            builder.note("missing-image", name, "there is no image for this label file", images=1, boxes=boxes)
