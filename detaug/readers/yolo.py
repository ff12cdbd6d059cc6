"""YOLO: a data.yaml and one text file per image, `class cx cy w h` as shares of the image."""

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.content import BrokenYaml, read_text
from detaug.readers.description import NOT_LABELS, Description, describe, guess, places
from detaug.readers.findings import reason
from detaug.readers.image import SUFFIXES
from detaug.readers.label import Oddities, parse
from detaug.readers.leftover import note_leftovers
from detaug.readers.root import Root, printable, suffix

_LARGEST_LIST = 1 << 28  # bytes of a text file that lists images


def read_yolo(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read a dataset with YOLO labels.

    The split folders are looked for below `path`, then below the root alone: `../train/images` means `train/images`,
    and of an absolute path the longest end that exists here is taken. Nothing outside of the root is ever read. The
    label of `a/images/b.jpg` is `a/labels/b.txt`; an image without a label file is background. Polygons become boxes.
    Where there is no image at all, each label file stands for an image called `b.jpg`, of an assumed size.

    Args:
        root: the folder with data.yaml; or one with `images` and `labels`, its classes in a `classes.txt`, or called
            by their numbers.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder, no label file, no image folder, or no usable image.
    """
    folder = Root.of(root)
    description = _description(folder)
    if description is None:
        raise InputError(
            f"{folder.path}: no YOLO dataset: looked for data.yaml with `names`, and for images/ with labels/*.txt."
        )
    builder = Builder(folder, unit="line", normalised=True)
    for kind, value in description.faults:
        builder.note(kind, description.file, value)
    images = _all_images(builder, description)
    odd = Oddities()
    labels: dict[str, str] = {}
    for split, name in images:
        _read_image(builder, description, split, name, labels, odd)
    odd.report(builder)
    tried = set(labels)
    tried |= _note_orphans(builder, tried)
    note_leftovers(builder, read=tried)
    named = list(dict.fromkeys(description.names.values()))
    names = named or sorted(filter(str.isdigit, builder.names_seen()), key=int)
    if len(names) < len(description.names):
        builder.note("doubled-class", description.file, "two classes have the same name; they are one")
    return builder.catalog(names, classes)


def _description(root: Root) -> Description | None:
    """What the dataset says of itself; label files count on their own where its YAML is broken."""
    try:
        return describe(root) or guess(root)
    except BrokenYaml as error:
        guessed = guess(root)
        if guessed is None:
            raise
        return replace(guessed, faults=(("broken-description", str(error)), *guessed.faults))


def _all_images(builder: Builder, description: Description) -> list[tuple[Split, str]]:
    """Split and name of each image; where there is none, of those that the label files ask for."""
    missing = []
    images: list[tuple[Split, str]] = []
    read: set[str] = set()
    for split, entry in description.entries:
        if entry in read:
            builder.note("doubled-split", description.file, f"{split.name.lower()}: {entry!r} is another split already")
            continue
        read.add(entry)
        found = _images(builder.root, description, entry)
        images += [(split, name) for name in found or []]
        if found is None:
            missing.append((split, entry))
    if not images:
        for split, entry in description.entries:
            images += [(split, name) for name in _asked_for(builder.root, description, entry)]
        found_without = {split for split, _ in images}
        missing = [(split, entry) for split, entry in missing if split not in found_without]
    for split, entry in missing:
        builder.note("missing-split", description.file, f"{split.name.lower()}: {entry!r} {_absence(builder, entry)}")
    if not images:
        looked = ", ".join(f"{entry} ({_absence(builder, entry)})" for _, entry in missing) or "images"
        place = builder.root.path / description.file
        raise InputError(f"{place}: it leads to no image: looked for {looked}.")
    return images


def _absence(builder: Builder, entry: str) -> str:
    linked = any(builder.root.is_linked(place) for place in places("", entry))
    return "lies behind a link, which needs the option follow_links" if linked else "is not in the folder"


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


def _asked_for(root: Root, description: Description, entry: str) -> list[str]:
    """The images, as JPEG, that the label files of a split's folder belong to."""
    for place in places(description.base, entry):
        folder = label_name(f"{place}/x.jpg".lstrip("/")).rpartition("/")[0]
        found = [name for name in root.listed(folder, {".txt"}) if _is_label(name)]
        if found:
            return [f"{place}/{PurePosixPath(name).stem}.jpg".lstrip("/") for name in found]
    return []


def _is_label(name: str) -> bool:
    return name.rpartition("/")[2].lower() not in NOT_LABELS


def label_name(image: str) -> str:
    """The label file of an image.

    >>> label_name("train/images/a.b.jpg"), label_name("images/a.jpg"), label_name("a.jpg")
    ('train/labels/a.b.txt', 'labels/a.txt', 'a.txt')
    """
    before, found, after = f"/{image}".rpartition("/images/")
    path = PurePosixPath(f"{before}/labels/{after}" if found else f"/{image}")
    return path.with_suffix(".txt").as_posix()[1:] if path.name else ""


def _read_image(
    builder: Builder, description: Description, split: Split, name: str, labels: dict[str, str], odd: Oddities
) -> None:
    """Take up an image with the boxes of its label; `labels` collects which image each label file went to."""
    row = builder.add_image(name, split)
    label_file = _label_of(builder, name)
    clean = builder.root.inside(label_file)
    if clean is None:
        builder.spoil(row, "path-outside", builder.root.refusal(label_file), label_file)
        return
    other = labels.setdefault(clean, name)
    if not os.path.lexists(builder.root.path / clean):
        return
    if other != name:
        builder.note("shared-label", clean, f"it stands for {other} and for {name}; both have its boxes")
    try:
        lines = read_text(builder.root.file(clean)).splitlines()
    except InputError as error:
        builder.spoil(row, "unreadable-annotation", reason(error), clean)
        return
    for place, line in enumerate(lines, 1):
        if line.strip():
            index, box = parse(line, clean, place, odd)
            builder.add_box(row, _class_of(index, description), box, place, said=line.strip())


def _class_of(index: int | str, description: Description) -> str | int:
    """The name of a class id; what has none stays as it is, and loses its box."""
    if isinstance(index, str):
        return index
    return description.names.get(index, index) if description.names else str(index)


def _label_of(builder: Builder, image: str) -> str:
    """The label's name: in the folder `labels`, or beside the image, as the disk spells it."""
    root, label = builder.root, label_name(image)
    if root.inside(label) is None or not label or os.path.lexists(root.path / label):
        return label
    beside = PurePosixPath(image).with_suffix(".txt").as_posix()
    if beside != label and root.is_file(beside):
        return beside
    spelled = root.spelled(label)
    if spelled != label:
        builder.note("renamed-label", printable(spelled), f"its name differs from {printable(label)}, and it is used")
    return spelled


def _note_orphans(builder: Builder, labels: set[str]) -> set[str]:
    """Label files whose image is not there; only in label folders, since other text files lie beside images."""
    orphans: set[str] = set()
    folders = {label.rpartition("/")[0] for label in labels}
    for folder in sorted(folder for folder in folders if "labels" in folder.split("/")):
        for name in builder.root.listed(folder, {".txt"}):
            clean = builder.root.inside(name)
            if clean is None or clean in labels or clean in orphans or not _is_label(name):
                continue
            orphans.add(clean)
            try:
                boxes = sum(bool(line.strip()) for line in read_text(builder.root.file(clean)).splitlines())
            except InputError:
                boxes = 0
            builder.note("missing-image", name, "there is no image for this label file", images=1, boxes=boxes)
    return orphans
