"""Pascal VOC: one XML file per image. Coordinates are taken as they are, edges counted from 0."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.content import has_decimal_comma, mentions, number, read_xml
from detaug.readers.findings import reason
from detaug.readers.image import SUFFIXES
from detaug.readers.labelmap import in_label_order
from detaug.readers.leftover import note_leftovers
from detaug.readers.lists import listed_splits, note_unlabelled
from detaug.readers.root import SPLITS, Root, joined, suffix

_XML_FOLDERS = ("annotations", "Annotations", "annotations/xmls", "xmls", "labels", "")
_IMAGE_FOLDERS = ("images", "JPEGImages", "imgs", "")
_LONGEST = 200  # characters of a foreign value in a finding
_LISTS = "ImageSets/Main"


@dataclass(frozen=True, slots=True)
class Part:
    """A folder of XML files with its folder of images, both relative to the root.

    Attributes:
        xmls: names of the XML files.
        images: the folder of the images.
        split: the part's split.
        lists: the folder of the lists that say the split of each stem, if it is there.
    """

    xmls: list[str]
    images: str
    split: Split
    lists: str = _LISTS


def read_voc(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """Read a dataset with VOC annotations.

    Known layouts: `{train,val,test}/{images,annotations}`, `{images,annotations}`, `JPEGImages` with `Annotations` and
    `ImageSets/Main`, a folder of those (`VOCdevkit`), and XML files beside their images. Classes are in the
    order of labelmap.txt where there is one, or else sorted by name.

    Args:
        root: the dataset's folder; one split's folder alone is read whole, without a split.
        classes: a class table's file; without it a built-in table that knows the names.

    Raises:
        InputError: there is no such folder, no XML file or no usable image in it.
    """
    folder = Root.of(root)
    found = parts(folder) or scattered(folder)
    if not found:
        raise InputError(
            f"{folder.path}: no VOC dataset: looked for *.xml here, in annotations/ and in train/annotations/."
        )
    builder = Builder(folder, unit="object")
    for part in found:
        _read_part(builder, part)
    note_leftovers(builder, read={xml for part in found for xml in part.xmls})
    return builder.catalog(in_label_order(folder, builder.names_seen()), classes)


def parts(root: Root) -> list[Part]:
    """Where the XML files lie; empty where there are none."""
    whole = _part(root, "", Split.NONE)
    if whole is not None and "/" in whole.xmls[0]:
        return [whole]
    parallel = [_parallel(root, name) for name in SPLITS if root.listed(f"annotations/{name}", {".xml"})]
    if parallel:
        return parallel
    inner = sorted(p.name for p in root.path.iterdir() if p.is_dir() and not p.name.startswith("."))
    parted = {name: _part(root, name, SPLITS.get(name.lower(), Split.NONE)) for name in inner}
    found = [part for part in parted.values() if part is not None]
    if found:
        return found + [part for part in scattered(root) if parted.get(part.xmls[0].partition("/")[0]) is None]
    return [] if whole is None else [whole]


def scattered(root: Root) -> list[Part]:
    """XML annotations in folders of any name, one part for each; empty where there are none."""
    folders: dict[str, list[str]] = {}
    for name in root.listed("", {".xml"}, deep=True):
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    found = []
    for folder, xmls in folders.items():
        if any(root.is_file(name) and mentions(root.path / name, b"<annotation") for name in xmls[:5]):
            words = folder.lower().split("/")
            split = next((SPLITS[word] for word in reversed(words) if word in SPLITS), Split.NONE)
            lists = joined(folder.rpartition("/")[0], _LISTS)
            found.append(Part(xmls, _images_of(root, folder), split, lists))
    return found


def _images_of(root: Root, folder: str) -> str:
    """The folder of images that goes with a folder of annotations; the root where there is none."""
    if root.listed(folder, SUFFIXES):
        return folder
    for old in filter(None, _XML_FOLDERS):
        for new in filter(None, _IMAGE_FOLDERS):
            place = f"/{folder}/".replace(f"/{old}/", f"/{new}/").strip("/")
            if place != folder and root.is_folder(place):
                return place
    return ""


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
    images = next((f for f in _IMAGE_FOLDERS if root.is_folder(prefix + f) or root.is_linked(prefix + f)), "")
    return Part(xmls, (prefix + images).rstrip("/"), split, prefix + _LISTS)


def _read_part(builder: Builder, part: Part) -> None:
    images = _Images(part.images, builder.root.listed(part.images, SUFFIXES, deep=True))
    listed = listed_splits(builder, part.lists)
    stems = {xml: PurePosixPath(xml).stem for xml in part.xmls}
    note_unlabelled(builder, part.lists, listed, set(stems.values()), lambda stem: images.of_stem(stem) is None)
    for xml, stem in stems.items():
        split = listed.get(stem, part.split)
        beside = images.of_stem(stem) or joined(part.images, stem)
        if builder.root.inside(xml) is None:
            builder.spoil(builder.add_image(beside, split), "path-outside", builder.root.refusal(xml), xml)
            continue
        try:
            annotation = read_xml(builder.root.file(xml))
            if annotation.tag != "annotation":
                raise InputError(f"{xml}: the root element is <{annotation.tag[:_LONGEST]}>, not <annotation>.")
        except InputError as error:
            builder.spoil(builder.add_image(beside, split), "unreadable-annotation", reason(error), xml)
            continue
        name = _image_name(builder, images, xml, _text(annotation, "filename"))
        stated = _text(annotation, "size/height"), _text(annotation, "size/width")
        row = builder.add_image(name, split, stated=stated)
        commas = 0
        for place, thing in enumerate(annotation.iterfind("object"), 1):
            commas += _add(builder, row, place, thing)
        if commas:
            builder.note("decimal-comma", xml, f"{commas} coordinates have a comma for the decimal point")


class _Images:
    """The image files of a part.

    Args:
        folder: where they lie.
        names: their names, relative to the root.
    """

    def __init__(self, folder: str, names: list[str]) -> None:
        self.folder = folder
        self.present = frozenset(names)
        self._stems: dict[str, str] = {}
        near_first = sorted(names, key=lambda name: name.count("/"))
        for name in near_first:
            self._stems.setdefault(Path(name).stem, name)
        for name in near_first:
            self._stems.setdefault(Path(name).stem.casefold(), name)

    def of_stem(self, stem: str) -> str | None:
        """The image of that name, whatever its suffix; one that differs in case counts where there is no better."""
        return self._stems.get(stem) or self._stems.get(stem.casefold())


def _image_name(builder: Builder, images: _Images, xml: str, file_name: str) -> str:
    """The image that an annotation means: the one it names or else the one with its own stem, which is noted."""
    stem = Path(xml).stem
    own = images.of_stem(stem)
    named = joined(images.folder, file_name) if suffix(file_name) in SUFFIXES else None
    if named in images.present or (named is not None and builder.root.inside(named) is None):
        return named
    if own is None:
        return named or joined(images.folder, file_name or stem)
    if named is None and file_name not in (stem, Path(own).stem):
        builder.note("renamed-image", xml, f"<filename> is {file_name[:_LONGEST]!r}, {own} is used")
    elif named is not None:
        builder.note("renamed-image", xml, f"{named[:_LONGEST]} is missing, {own} is used")
    elif Path(own).stem != stem:
        builder.note("renamed-image", xml, f"{own} differs in case and is used")
    return own


def _add(builder: Builder, row: int, place: int, thing: Element) -> int:
    """Take up an object; returns how many of its coordinates have a decimal comma."""
    flags = Flag(0)
    if _text(thing, "difficult") == "1":
        flags |= Flag.DIFFICULT
    if _text(thing, "truncated") == "1":
        flags |= Flag.TRUNCATED
    if _text(thing, "occluded") == "1":
        flags |= Flag.OCCLUDED
    words = [_text(thing, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    commas = [has_decimal_comma(word) for word in words]
    box = [number(word.replace(",", ".") if comma else word) for word, comma in zip(words, commas, strict=True)]
    builder.add_box(row, _text(thing, "name"), box, place, flags, said=words if any(words) else None)
    return sum(commas)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
