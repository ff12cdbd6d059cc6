"""COCO: one JSON file for all images, or one per split."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.categories import class_names, names_by_id
from detaug.readers.content import mentions, number, read_json
from detaug.readers.findings import shown
from detaug.readers.keys import Key, key_of
from detaug.readers.label import around
from detaug.readers.leftover import note_leftovers
from detaug.readers.root import SPLITS, Root, joined

ROBOFLOW = "_annotations.coco.json"
_MOST_LOOSE = 200  # files of any name that are looked into
_PROBES = 20  # images looked for in each folder that might hold them
_NO_BOX = (float("nan"),) * 4
_FLAGS = {
    "iscrowd": Flag.CROWD,
    "difficult": Flag.DIFFICULT,
    "truncated": Flag.TRUNCATED,
    "occluded": Flag.OCCLUDED,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One annotation file.

    Attributes:
        file: its name, relative to the root.
        split: the split that its name or folder says.
        images, annotations, categories: its lists, as they stand there.
    """

    file: str
    split: Split
    images: list[Any]
    annotations: list[Any]
    categories: list[Any]


def read_coco(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read a dataset with COCO annotations.

    Known layouts: `annotations/instances_{train,val,test}*.json`, JSON files in the root, and Roboflow's
    `{train,valid,test}/_annotations.coco.json` with the images beside. Classes are in the order of their ids; a
    category that has no box and only stands above others (Roboflow's number 0) is dropped.

    Args:
        root: the dataset's folder; one split's folder alone is read whole, without a split.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder or no annotation file, all are broken, or no image can be used.
    """
    folder = Root.of(root)
    files = annotation_files(folder)
    if not files:
        looked = f"annotations/instances_*.json, train/{ROBOFLOW} and *.json"
        raise InputError(f"{folder.path}: no COCO dataset: looked for {looked}.")
    builder = Builder(folder, unit="annotation")
    found, errors = [], []
    for name in files:
        try:
            found.append(_load(folder, name))
        except InputError as error:
            errors.append(error)
            builder.note("unreadable-annotation", name, str(error))
    if not found:
        raise errors[0]
    names = class_names(builder, [(part.file, part.categories, part.annotations) for part in found])
    for part in found:
        _read_part(builder, part)
    note_leftovers(builder, read=set(files))
    return builder.catalog(names, classes)


def annotation_files(root: Root) -> list[str]:
    """The annotation files, relative to the root; empty where there are none."""
    named = [name for name in root.listed("annotations", {".json"}) if "/instances_" in name]
    if named:
        return named
    inner = sorted(p.name for p in root.path.iterdir() if p.is_dir() and not p.name.startswith("."))
    beside = [ROBOFLOW, *(f"{name}/{ROBOFLOW}" for name in inner)]
    if found := [name for name in beside if root.is_file(name)]:
        return found
    loose = [*root.listed("annotations", {".json"}), *root.listed("", {".json"})]
    if found := _like_coco(root, loose):
        return found
    return _like_coco(root, [n for f in inner if f != "annotations" for n in root.listed(f, {".json"})])


def _like_coco(root: Root, names: list[str]) -> list[str]:
    """The files that have the keys of COCO; they are not parsed, since they may be large.

    Of more than `_MOST_LOOSE` files the largest are looked into: a file for many images is among them.
    """
    if len(names) > _MOST_LOOSE:
        names = sorted(sorted(names, key=lambda name: -(root.path / name).lstat().st_size)[:_MOST_LOOSE])
    return [name for name in names if mentions(root.file(name), b'"images"', b'"annotations"')]


def _load(root: Root, name: str) -> Part:
    content = read_json(root.file(name))
    lists: list[list[Any]] = []
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
        if key == "categories" and entries is None and lists:
            entries = []  # its classes are then called by their numbers
        if not isinstance(entries, list):
            raise InputError(f"{root.path / name}: a COCO file needs the list {key!r}.")
        lists.append(entries)
    return Part(name, _split(name), *lists)


def _split(name: str) -> Split:
    """The split that a file's name says, or else its folder's.

    >>> _split("annotations/instances_val2017.json").name, _split("train/_annotations.coco.json").name
    ('VAL', 'TRAIN')
    """
    for part in reversed(PurePosixPath(name.lower()).parts):
        for word in re.split(r"[^a-z]+", part):
            if word in SPLITS:
                return SPLITS[word]
    return Split.NONE


def _read_part(builder: Builder, part: Part) -> None:
    rows = _read_images(builder, part)
    names = names_by_id(part.categories, part.annotations)
    derived: list[int] = []
    seen: dict[Key, int] = {}
    for place, annotation in enumerate(part.annotations):
        owner = rows.get(key_of(annotation, "image_id"))
        if owner is None:
            stated = annotation.get("image_id") if isinstance(annotation, dict) else annotation
            value = f"annotation {place} names the image id {shown(stated)}, which is not there"
            if not isinstance(annotation, dict):
                value = f"annotation {place} is {shown(stated)}, which names no image"
            builder.note("unknown-image", part.file, value, boxes=1)
            continue
        if (number_ := key_of(annotation, "id")) is not None:
            seen[number_] = seen.get(number_, 0) + 1
        label = _label(names, key_of(annotation, "category_id"))
        box = _corners(annotation.get("bbox"))
        if box is _NO_BOX and (outline := _outlined(annotation.get("segmentation"))) is not None:
            derived.append(place)
            box = outline
        builder.add_box(owner, label, box, place, _flags(annotation), said=annotation.get("bbox"))
    doubled = [key for key, count in seen.items() if count > 1]
    if doubled:
        value = f"{len(doubled)} annotation ids are used more than once, the first is {str(doubled[0])[:100]}"
        builder.note("doubled-annotation-id", part.file, f"{value}; all boxes are kept")
    if derived:
        value = f"{len(derived)} annotations have no bbox, the first is number {derived[0]}"
        builder.note("derived-box", part.file, f"{value}; the boxes around their polygons are used")


def _flags(annotation: dict[str, Any]) -> Flag:
    flags = Flag(0)
    for key, flag in _FLAGS.items():
        if annotation.get(key) in (1, "1", True):
            flags |= flag
    return flags


def _label(names: dict[Key, str], category: Key | None) -> int | str:
    """The category's name; where it has none, what loses the box and says what stands there."""
    if category is None or category in names:
        return "" if category is None else names[category]
    return category if isinstance(category, int) else repr(category[:100])


def _read_images(builder: Builder, part: Part) -> dict[Key | None, int]:
    """Take up a file's images; returns their rows by id."""
    base = _base(builder.root, part)
    rows: dict[Key | None, int] = {}
    files: dict[str, int] = {}
    texts = 0
    for place, image in enumerate(part.images):
        name, key = image.get("file_name") if isinstance(image, dict) else None, key_of(image, "id")
        if not isinstance(name, str) or not name or key is None:
            builder.note("unreadable-annotation", part.file, f"image {place} has no id or no file_name", images=1)
            continue
        texts += isinstance(image["id"], str)
        whole = joined(base, name)
        if base and name.startswith(base + "/") and not builder.root.is_file(whole):
            whole = name  # some names begin with the folder that the others leave out
        clean = builder.root.inside(whole)
        if clean is not None and clean in files and key not in rows:
            rows[key] = files[clean]
            value = f"the image id {str(key)[:100]} in {part.file} names a file that is there already; it is one image"
            builder.note("doubled-image", clean, value, images=1)
            continue
        row = builder.add_image(whole, part.split, key, (image.get("height"), image.get("width")))
        if rows.setdefault(key, row) != row:
            value = f"the image id {str(key)[:100]} is used twice in {part.file}; the first counts"
            builder.spoil(row, "doubled-image", value)
        elif clean is not None:
            files[clean] = row
    if texts:
        builder.note("text-id", part.file, f"{texts} image ids are texts, not numbers")
    return rows


def _corners(box: object) -> tuple[float, ...]:
    """x1 y1 x2 y2 of `[x, y, width, height]`; `_NO_BOX` where that is not what it is."""
    if not isinstance(box, list) or len(box) != 4:
        return _NO_BOX
    x, y, width, height = (number(value) for value in box)
    return x, y, x + width, y + height


def _outlined(segmentation: object) -> tuple[float, ...] | None:
    """The box around all polygons of an annotation; None where there is no polygon."""
    if not isinstance(segmentation, list):
        return None
    corners = [number(value) for polygon in segmentation if isinstance(polygon, list) for value in polygon]
    even = all(len(polygon) % 2 == 0 for polygon in segmentation if isinstance(polygon, list))
    return around(corners) if even and len(corners) >= 6 and all(value == value for value in corners) else None


def _base(root: Root, part: Part) -> str:
    """The folder that the file names are relative to: where most of the first ones are found."""
    entries = [image.get("file_name") for image in part.images[:_PROBES] if isinstance(image, dict)]
    names = [name for name in entries if isinstance(name, str)]
    own = part.file.rpartition("/")[0]
    year = PurePosixPath(part.file).stem.removeprefix("instances_")
    split = [name for name, code in SPLITS.items() if code == part.split]
    first = "" if own == "annotations" else own  # where no image is to be found
    bases = [first, "", own, year, f"images/{year}", "images", *split, *(f"images/{name}" for name in split)]

    def hits(base: str) -> tuple[int, bool]:
        return sum(root.is_file(joined(base, name)) for name in names), base != "" and root.is_linked(base)

    return max(bases, key=hits)
