"""TT100K (Zhu et al. 2016) in its own JSON: `imgs` by id with their objects, and the list `types` of class names.

The VOC form of the same dataset is read as VOC.
"""

from pathlib import Path
from typing import Any

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.content import mentions, number, read_json
from detaug.readers.findings import shown
from detaug.readers.image import SUFFIXES
from detaug.readers.root import SPLITS, Root, joined, printable

_FILES = ("annotations_all.json", "annotations.json")  # the first holds all that the second does
_FOLDERS = ("", "data")  # the first release unpacks into data/
_PARTS = ("train", "test", "other")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_SIZE = (2048, 2048)


def read_tt100k(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read Tsinghua-Tencent 100K.

    `annotations_all.json` is taken, or `annotations.json` where it is alone; both may lie in data/. Images are named
    by their `path`, relative to the JSON's folder, whose first folder gives the split; `other` is none. An image with
    an empty list of objects is background; pictures that the JSON does not name are not read, since nobody looked
    for signs in them. Classes are in the order of `types`; types without a box are left out. Only `bbox` is used.

    Args:
        root: the dataset's folder.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder or file, it is not of this form, or no image can be used.
    """
    folder = Root.of(root)
    files = annotation_files(folder)
    if not files:
        raise InputError(f"{folder.path}: no TT100K dataset: looked for {' and '.join(_FILES)} with `imgs`.")
    content = read_json(folder.file(files[0]))
    images = content.get("imgs") if isinstance(content, dict) else None
    if not isinstance(images, dict):
        raise InputError(f"{folder.path / files[0]}: a TT100K file needs the mapping 'imgs'.")
    builder = Builder(folder, unit="object", assumed=_SIZE)
    for other in files[1:]:
        builder.note("unused-annotation", other, f"{files[0]} is read instead")
    base = files[0].rpartition("/")[0]
    for key, entry in images.items():
        _read_image(builder, files[0], base, key, entry)
    for part in _PARTS:
        builder.note_unnamed(folder.listed(joined(base, part), SUFFIXES))
    return builder.catalog(_class_names(builder, files[0], content.get("types")), classes)


def annotation_files(root: Root) -> list[str]:
    """The annotation files of this form, the one to be read first; empty where there are none."""
    for folder in _FOLDERS:
        names = [name for name in (joined(folder, file) for file in _FILES) if root.is_file(name)]
        if found := [name for name in names if _looks_right(root.file(name))]:
            return found
    return []


def _looks_right(path: Path) -> bool:
    """Whether the words of this form are there, and not COCO's, whose files have the same name."""
    return mentions(path, b'"imgs"') and not mentions(path, b'"images"', b'"categories"')


def _read_image(builder: Builder, file: str, base: str, key: str, entry: Any) -> None:
    objects = entry.get("objects") if isinstance(entry, dict) else None
    things = objects if isinstance(objects, list) else []
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(path, str) or not path:
        builder.note("unreadable-annotation", file, f"image {key[:80]!r} has no path", images=1, boxes=len(things))
        return
    row = builder.add_image(joined(base, path), _split(path), _image_id(key, entry))
    if not isinstance(objects, list):
        value = f"`objects` of image {key[:80]!r} is {shown(objects)}, not a list"
        builder.spoil(row, "unreadable-annotation", value, file)
    for place, thing in enumerate(things, 1):
        corners = thing.get("bbox") if isinstance(thing, dict) else None
        category = thing.get("category") if isinstance(thing, dict) else None
        box = [number(corners.get(side)) if isinstance(corners, dict) else float("nan") for side in _SIDES]
        builder.add_box(row, printable(category.strip()) if isinstance(category, str) else "", box, place, said=corners)


def _split(path: str) -> Split:
    return SPLITS.get(path.replace("\\", "/").partition("/")[0].lower(), Split.NONE)


def _image_id(key: str, entry: Any) -> object:
    stated = entry.get("id")
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated
    return int(key) if key.isascii() and key.isdecimal() and len(key) < 19 else None


def _class_names(builder: Builder, file: str, types: Any) -> list[str]:
    """The classes that have boxes: those of `types` in their order, then those that it lacks."""
    kinds = types if isinstance(types, list) else []
    listed = dict.fromkeys(printable(kind.strip()) for kind in kinds if isinstance(kind, str))
    seen = dict.fromkeys(builder.names_seen())
    unused = [name for name in listed if name not in seen]
    unlisted = [name for name in seen if name not in listed]
    if unused:
        value = f"{len(unused)} of {len(listed)} types have no box, such as {unused[0][:80]!r}; they are no classes"
        builder.note("unused-class", file, value)
    if listed and unlisted:
        value = f"{len(unlisted)} categories are not in `types`, such as {unlisted[0][:80]!r}; they are classes too"
        builder.note("unlisted-class", file, value)
    return [*(name for name in listed if name in seen), *unlisted]
