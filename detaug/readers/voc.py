"""Pascal VOC: one XML file per image. Coordinates are taken as they are, edges counted from 0."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.content import number, read_text, read_xml
from detaug.readers.image import SUFFIXES
from detaug.readers.root import SPLITS, Root, joined, suffix

_XML_FOLDERS = ("annotations", "Annotations", "annotations/xmls", "xmls", "labels", "")
_IMAGE_FOLDERS = ("images", "JPEGImages", "imgs", "")
_LISTS = {"train": Split.TRAIN, "val": Split.VAL, "test": Split.TEST}


@dataclass(frozen=True, slots=True)
class Part:
    """A folder of XML files with its folder of images, both relative to the root.

    Attributes:
        xmls: names of the XML files.
        images: the folder of the images.
        split: the part's split.
        listed: split by stem, where lists (`ImageSets/Main/*.txt`) say it.
    """

    xmls: list[str]
    images: str
    split: Split
    listed: dict[str, Split] = field(default_factory=dict)


def read_voc(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read a dataset with VOC annotations.

    Known layouts: `{train,val,test}/{images,annotations}`, `{images,annotations}`, `JPEGImages` with `Annotations` and
    `ImageSets/Main`, a folder of those (`VOCdevkit`), and XML files beside their images. Classes are sorted by name.

    Args:
        root: the dataset's folder; one split's folder alone is read whole, without a split.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder, no XML file or no usable image in it.
    """
    folder = Root.of(root)
    found = parts(folder)
    if not found:
        raise InputError(
            f"{folder.path}: no VOC dataset: looked for *.xml here, in annotations/ and in train/annotations/."
        )
    builder = Builder(folder, unit="object")
    for part in found:
        _read_part(builder, part)
    return builder.catalog(builder.names_seen(), classes)


def parts(root: Root) -> list[Part]:
    """Where the XML files lie; empty where there are none."""
    whole = _part(root, "", Split.NONE)
    if whole is not None and "/" in whole.xmls[0]:
        return [whole]
    parallel = [_parallel(root, name) for name in SPLITS if root.listed(f"annotations/{name}", {".xml"})]
    if parallel:
        return parallel
    inner = sorted(p.name for p in root.path.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = [_part(root, name, SPLITS.get(name.lower(), Split.NONE)) for name in inner]
    return [part for part in found if part is not None] or [whole for whole in (whole,) if whole is not None]


def _parallel(root: Root, name: str) -> Part:
    """The layout `annotations/train` with `images/train`."""
    images = f"images/{name}" if root.is_folder(f"images/{name}") else "images"
    return Part(root.listed(f"annotations/{name}", {".xml"}), images, SPLITS[name])


def _part(root: Root, base: str, split: Split) -> Part | None:
    prefix = base + "/" if base else ""
    for folder in _XML_FOLDERS:
        xmls = root.listed(prefix + folder, {".xml"})
        if xmls:
            break
    else:
        return None
    images = next((f for f in _IMAGE_FOLDERS if root.is_folder(prefix + f)), "")
    return Part(xmls, prefix + images, split, _lists(root, prefix + "ImageSets/Main"))


def _lists(root: Root, folder: str) -> dict[str, Split]:
    """The split of each stem; the first list that names it counts."""
    listed: dict[str, Split] = {}
    for name, split in _LISTS.items():
        file = f"{folder}/{name}.txt"
        if root.is_file(file):
            for line in read_text(root.file(file)).splitlines():
                if line.strip():
                    listed.setdefault(line.split()[0], split)
    return listed


def _read_part(builder: Builder, part: Part) -> None:
    images = builder.root.listed(part.images, SUFFIXES)
    by_stem: dict[str, str] = {}
    for name in images:
        by_stem.setdefault(Path(name).stem, name)
    present = set(images)
    for xml in part.xmls:
        stem = Path(xml).stem
        split = part.listed.get(stem, part.split)
        beside = by_stem.get(stem, joined(part.images, stem))
        if builder.root.inside(xml) is None:
            builder.spoil(
                builder.add_image(beside, split), "path-outside", f"{xml} lies outside of the dataset's folder"
            )
            continue
        try:
            annotation = read_xml(builder.root.file(xml))
            if annotation.tag != "annotation":
                raise InputError(f"{xml}: the root element is <{annotation.tag}>, not <annotation>.")
        except InputError as error:
            builder.spoil(builder.add_image(beside, split), "unreadable-annotation", str(error))
            continue
        file_name = _text(annotation, "filename")
        named = joined(part.images, file_name) if suffix(file_name) else beside
        if named not in present and stem in by_stem and builder.root.inside(named) is not None:
            builder.note("renamed-image", xml, f"{named} is missing, {beside} is used")
            named = beside
        row = builder.add_image(named, split, stated=_stated(annotation))
        for place, thing in enumerate(annotation.findall("object"), 1):
            _add(builder, row, place, thing)
    builder.note_unnamed(images)


def _add(builder: Builder, row: int, place: int, thing: Element) -> None:
    flags = Flag(0)
    if _text(thing, "difficult") == "1":
        flags |= Flag.DIFFICULT
    if _text(thing, "truncated") == "1":
        flags |= Flag.TRUNCATED
    box = [number(_text(thing, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
    builder.add_box(row, _text(thing, "name") or -1, box, place, flags)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _stated(annotation: Element) -> tuple[int, int] | None:
    height, width = (number(_text(annotation, f"size/{side}")) for side in ("height", "width"))
    return (int(height), int(width)) if 0 < height < 1e9 and 0 < width < 1e9 else None
