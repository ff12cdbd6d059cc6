"""Mapillary Traffic Sign Dataset: one JSON file per image, split lists, panoramas.

A label is `category--name--variant`; `other-sign`, a sign without a class of its own, stays a class, so that it is not
taught as background. A sign that crosses a panorama's border is two boxes, which are counted as two.
"""

from pathlib import Path, PurePosixPath

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.content import LARGEST_TEXT, number, read_json
from detaug.readers.findings import reason
from detaug.readers.image import SUFFIXES
from detaug.readers.lists import listed_splits, note_unlabelled
from detaug.readers.root import Root, joined, printable
from detaug.readers.sizes import usable

_FULLY = ("", "mtsd_v2_fully_annotated", "mtsd_fully_annotated_annotation/mtsd_v2_fully_annotated")
_PARTIALLY = ("mtsd_v2_partially_annotated", "mtsd_partially_annotated_annotation/mtsd_v2_partially_annotated")
_PROBES = 20  # files looked into before a folder is taken for another format's
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = {
    "out-of-frame": Flag.TRUNCATED,
    "occluded": Flag.OCCLUDED,
    "ambiguous": Flag.DIFFICULT,
    "dummy": Flag.DIFFICULT,
}

Corners = tuple[float, float, float, float]


def read_mtsd(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read the Mapillary Traffic Sign Dataset.

    Known layouts: `annotations/KEY.json`, `images/KEY.jpg` and `splits/{train,val,test}.txt`, in the root or below
    `mtsd_v2_fully_annotated`, with the images there, in the root or in the archives' own folders
    (`mtsd_fully_annotated_images.train.0/images`). Images without an annotation, as all of the test
    list, are left out: their signs would be taught as background. For the same reason what lies below
    `mtsd_v2_partially_annotated` is read only where there is nothing else. Classes are sorted by name.

    Args:
        root: the dataset's folder.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder, no annotation or no usable image in it.
    """
    folder = Root.of(root)
    fully, partially = _base(folder, _FULLY), _base(folder, _PARTIALLY)
    base = partially if fully is None else fully
    if base is None:
        looked = f"annotations/*.json with 'objects', here, in {_FULLY[1]}/ and in {_PARTIALLY[0]}/"
        raise InputError(f"{folder.path}: no Mapillary dataset: looked for {looked}.")
    builder = Builder(folder, unit="object")
    told = set()
    if fully is not None and partially is not None:
        told = _leave_partial(builder, partially)
    elif "partially_annotated" in (base or folder.path.name):
        value = "these images hold signs without a box, which are taught as background"
        builder.note("partially-annotated", base or ".", value)
    _read_part(builder, base, told)
    return builder.catalog(builder.names_seen(), classes)


def annotation_folder(root: Root) -> str | None:
    """The folder of per-image JSON files that shows this format, relative to the root, or None."""
    base = _base(root, (*_FULLY, *_PARTIALLY))
    return None if base is None else joined(base, "annotations")


def _base(root: Root, bases: tuple[str, ...]) -> str | None:
    for base in bases:
        names = root.listed(joined(base, "annotations"), {".json"})
        if any(_looks_right(root, name) for name in names[:_PROBES]):
            return base
    return None


def _looks_right(root: Root, name: str) -> bool:
    """Whether a file is one image's annotation; a COCO file has no `objects`."""
    try:
        path = root.file(name)
        if path.stat().st_size > LARGEST_TEXT:
            return False
        content = read_json(path)
    except (InputError, OSError):
        return False
    return isinstance(content, dict) and isinstance(content.get("objects"), list) and "width" in content


def _leave_partial(builder: Builder, base: str) -> set[str]:
    """Report the partially annotated images, which are not read; returns their keys."""
    files = builder.root.listed(joined(base, "annotations"), {".json"})
    keys = {PurePosixPath(name).stem for name in files}
    value = f"{len(keys)} images hold signs without a box, which would be taught as background; they are not read"
    builder.note("partially-annotated", base, value, images=len(keys))
    return keys


def _read_part(builder: Builder, base: str, told: set[str]) -> None:
    """Take up one part; images of the keys `told` are reported already."""
    root = builder.root
    lists = joined(base, "splits")
    listed = listed_splits(builder, lists)
    files = root.listed(joined(base, "annotations"), {".json"})
    folders = _image_folders(root, base)
    images = [name for folder in folders for name in root.listed(folder, SUFFIXES)]
    by_key: dict[str, str] = {}
    for name in images:
        by_key.setdefault(PurePosixPath(name).stem, name)
    for file in files:
        key = PurePosixPath(file).stem
        _read_image(builder, file, by_key.get(key, joined(folders[0], key + ".jpg")), listed.get(key, Split.NONE))
    annotated = {PurePosixPath(file).stem for file in files}
    note_unlabelled(builder, lists, listed, annotated, lambda _: True)
    told = told | annotated | set(listed)
    builder.note_unnamed(name for name in images if PurePosixPath(name).stem not in told)


def _image_folders(root: Root, base: str) -> list[str]:
    """The folders that may hold the images, those that are there first."""
    archives = sorted(p.name for p in root.path.iterdir() if p.name.startswith("mtsd_") and "_images" in p.name)
    folders = dict.fromkeys((joined(base, "images"), "images", *(f"{name}/images" for name in archives)))
    return sorted(folders, key=lambda folder: not root.is_folder(folder))


def _read_image(builder: Builder, file: str, image: str, split: Split) -> None:
    try:
        content = read_json(builder.root.file(file))
        objects = content.get("objects") if isinstance(content, dict) else None
        if not isinstance(objects, list):
            raise InputError(f"{file}: an image's annotation needs the list 'objects'.")
    except InputError as error:
        kind = "path-outside" if builder.root.inside(file) is None else "unreadable-annotation"
        builder.spoil(builder.add_image(image, split), kind, printable(reason(error)), file)
        return
    size = usable(content.get("height"), content.get("width"))
    row = builder.add_image(image, split, stated=(content.get("height"), content.get("width")))
    around = size[1] if size is not None and content.get("ispano") is True else None
    for place, thing in enumerate(objects, 1):
        entry = thing if isinstance(thing, dict) else {}
        label = entry.get("label")
        flags = _flags(entry.get("properties"))
        boxes = _boxes(entry.get("bbox"), around)
        if len(boxes) > 1:
            flags |= Flag.TRUNCATED
        for box in boxes:
            name = printable(label) if isinstance(label, str) else ""
            builder.add_box(row, name, box, place, flags, said=entry.get("bbox"))


def _flags(properties: object) -> Flag:
    flags = Flag(0)
    if isinstance(properties, dict):
        for name, flag in _FLAGS.items():
            if properties.get(name) is True:
                flags |= flag
    return flags


def _boxes(bbox: object, around: float | None) -> list[Corners]:
    """The one box of an object, or the two of one that crosses the border of a panorama, `around` pixels wide."""
    parts = bbox.get("cross_boundary") if isinstance(bbox, dict) else None
    if isinstance(parts, dict) and isinstance(parts.get("left"), dict) and isinstance(parts.get("right"), dict):
        return [_corners(parts["left"]), _corners(parts["right"])]
    xmin, ymin, xmax, ymax = _corners(bbox)
    if around is not None and 0 < xmax < xmin < around:
        return [(xmin, ymin, around, ymax), (0.0, ymin, xmax, ymax)]
    return [(xmin, ymin, xmax, ymax)]


def _corners(bbox: object) -> Corners:
    entry = bbox if isinstance(bbox, dict) else {}
    xmin, ymin, xmax, ymax = (number(entry.get(side)) for side in _SIDES)
    return xmin, ymin, xmax, ymax
