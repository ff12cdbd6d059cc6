"""COCO: one JSON file for all images, or one per split."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.content import number, read_json
from detaug.readers.image import SUFFIXES
from detaug.readers.root import SPLITS, Root, joined

ROBOFLOW = "_annotations.coco.json"
_PROBES = 20  # images looked for in each folder that might hold them


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
        InputError: there is no such folder or no annotation file, one is broken, or no image can be used.
    """
    folder = Root.of(root)
    files = annotation_files(folder)
    if not files:
        looked = f"annotations/instances_*.json, train/{ROBOFLOW} and *.json"
        raise InputError(f"{folder.path}: no COCO dataset: looked for {looked}.")
    found = [_load(folder, name) for name in files]
    builder = Builder(folder, unit="annotation")
    names = _class_names(builder, found)
    folders: set[str] = set()
    for part in found:
        folders |= _read_part(builder, part)
    for base in sorted(folders):
        builder.note_unnamed(folder.listed(base, SUFFIXES))
    return builder.catalog(names, classes)


def annotation_files(root: Root) -> list[str]:
    """The annotation files, relative to the root; empty where there are none."""
    named = [name for name in root.listed("annotations", {".json"}) if "/instances_" in name]
    if named:
        return named
    inner = sorted(p.name for p in root.path.iterdir() if p.is_dir())
    beside = [ROBOFLOW, *(f"{name}/{ROBOFLOW}" for name in inner)]
    if found := [name for name in beside if root.is_file(name)]:
        return found
    loose = [*root.listed("annotations", {".json"}), *root.listed("", {".json"})]
    return [name for name in loose if _looks_like_coco(root, name)]


def _looks_like_coco(root: Root, name: str) -> bool:
    content = read_json(root.file(name))
    return isinstance(content, dict) and "images" in content and "annotations" in content


def _load(root: Root, name: str) -> Part:
    content = read_json(root.file(name))
    lists = []
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
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


def _categories(part: Part) -> Iterator[tuple[int, str, str]]:
    """Id, name and supercategory of each category that has an id and a name."""
    for entry in part.categories:
        if isinstance(entry, dict) and isinstance(entry.get("id"), int) and isinstance(entry.get("name"), str | int):
            yield entry["id"], str(entry["name"]), str(entry.get("supercategory"))


def _class_names(builder: Builder, found: list[Part]) -> list[str]:
    """Names by the smallest id that any of the files gives them, without dummies."""
    ids: dict[str, int] = {}
    above, used = set(), set()
    for part in found:
        names: dict[int, str] = {}
        for number_, name, parent in _categories(part):
            if name in names.values():
                builder.note("doubled-class", part.file, f"two categories are called {name!r}; they are one class")
            names[number_] = name
            ids[name] = min(number_, ids.get(name, number_))
            if parent != name:
                above.add(parent)
        used |= {names.get(_key(a, "category_id")) for a in part.annotations}
    for name in sorted((above & set(ids)) - used):
        builder.note("dummy-class", found[0].file, f"category {name!r} has no boxes and only stands above others")
        del ids[name]
    return sorted(ids, key=lambda name: (ids[name], name))


def _key(entry: object, key: str) -> Any:
    """An entry's id, or None where it cannot be one."""
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, int | str) else None


def _read_part(builder: Builder, part: Part) -> set[str]:
    """Take up an annotation file; returns the folders that its images lie in."""
    base = _base(builder.root, part)
    rows: dict[int | str, int] = {}
    folders: set[str] = set()
    for place, image in enumerate(part.images):
        name, key = _key(image, "file_name"), _key(image, "id")
        if not isinstance(name, str) or key is None:
            builder.note("unreadable-annotation", part.file, f"image {place} has no id or no file_name", images=1)
            continue
        whole = joined(base, name)
        row = builder.add_image(whole, part.split, key, _stated(image))
        folders.add(whole.rpartition("/")[0])
        if rows.setdefault(key, row) != row:
            builder.spoil(row, "doubled-image", f"the image id {key} is used twice in {part.file}; the first counts")
    names = {number_: name for number_, name, _ in _categories(part)}
    for place, annotation in enumerate(part.annotations):
        owner = rows.get(_key(annotation, "image_id"))
        if owner is None:
            value = f"annotation {place} names the image id {_key(annotation, 'image_id')}, which is not there"
            builder.note("unknown-image", part.file, value, boxes=1)
            continue
        label = names.get(_key(annotation, "category_id"), -1)
        flags = Flag.CROWD if annotation.get("iscrowd") else Flag(0)
        builder.add_box(owner, label, _corners(annotation.get("bbox")), place, flags)
    return folders


def _corners(box: object) -> tuple[float, float, float, float]:
    if not isinstance(box, list) or len(box) != 4:
        return (float("nan"),) * 4
    x, y, width, height = (number(value) for value in box)
    return x, y, x + width, y + height


def _stated(image: Any) -> tuple[int, int] | None:
    height, width = (number(image.get(side)) for side in ("height", "width"))
    return (int(height), int(width)) if 0 < height < 1e9 and 0 < width < 1e9 else None


def _base(root: Root, part: Part) -> str:
    """The folder that the file names are relative to: where most of the first ones are found."""
    names = [name for image in part.images[:_PROBES] if isinstance(name := _key(image, "file_name"), str)]
    own = part.file.rpartition("/")[0]
    year = PurePosixPath(part.file).stem.removeprefix("instances_")
    split = [name for name, code in SPLITS.items() if code == part.split]
    bases = [own, "", year, f"images/{year}", "images", *split, *(f"images/{name}" for name in split)]

    def hits(base: str) -> int:
        return sum(root.is_file(joined(base, name)) for name in names)

    return max(bases, key=hits)
