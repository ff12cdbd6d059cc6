"""Pascal VOC: `JPEGImages`, `Annotations`, `ImageSets/Main` and a labelmap.txt with the order of the classes."""

import re
from pathlib import Path
from xml.sax.saxutils import escape

from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.convert.coordinates import corner_words
from detaug.readers.convert.plan import Plan, is_plain, planned
from detaug.readers.labelmap import LABELMAP, labelmap_text

_IMAGES = "JPEGImages"
_LONGEST = 200  # bytes of an XML file's name
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_TAGS = {"truncated": Flag.TRUNCATED, "occluded": Flag.OCCLUDED, "difficult": Flag.DIFFICULT}


def plan_voc(catalog: Catalog) -> Plan:
    """One folder of images.

    Raises:
        InputError: XML cannot hold a class name.
    """
    for name in catalog.classes.names:
        if not is_plain(name):
            raise InputError(f"{catalog.root}: the class name {name!r} cannot be written as XML.")
    return planned(catalog, lambda _: _IMAGES, key=str, plain=True)


def write_voc(plan: Plan, folder: Path) -> list[str]:
    """Write an XML file for each image, the lists of the splits and the class order; returns what they do not hold."""
    stems = _stems(plan.names)
    words = corner_words(plan.catalog.boxes)
    for place in (_IMAGES, "Annotations", "ImageSets/Main"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for row, stem in enumerate(stems):
        (folder / "Annotations" / f"{stem}.xml").write_text(_annotation(plan, row, words), encoding="utf-8")
    for split, rows in plan.splits.items():
        if split is not Split.NONE:
            lines = "".join(f"{stems[row]}\n" for row in rows)
            (folder / "ImageSets" / "Main" / f"{split.name.lower()}.txt").write_text(lines, encoding="utf-8")
    (folder / LABELMAP).write_text(labelmap_text(plan.catalog.classes.names), encoding="utf-8")
    odd = sum(f"{_IMAGES}/{stem}" != name.rpartition(".")[0] for stem, name in zip(stems, plan.names, strict=True))
    if not odd:
        return []
    return [f"{odd} XML files have another stem than their image, which lies in a folder: <filename> says which it is"]


def _stems(names: list[str]) -> list[str]:
    """The stem of each image's XML file: one word, so that lists can hold it, and all different."""
    taken: set[str] = set()
    stems = []
    for name in names:
        flat = re.sub(r"[\s/]", "_", name.removeprefix(_IMAGES + "/").rpartition(".")[0])
        flat = flat.encode()[-_LONGEST:].decode(errors="ignore")
        stem, number = flat, 1
        while stem in taken:
            number += 1
            stem = f"{flat}_{number}"
        taken.add(stem)
        stems.append(stem)
    return stems


def _annotation(plan: Plan, row: int, words: list[list[str]]) -> str:
    catalog = plan.catalog
    height, width = catalog.sizes[row].tolist()
    file_name = escape(plan.names[row].removeprefix(_IMAGES + "/"))
    objects = catalog.objects(row)
    things = "".join(_object(catalog, i, words[i]) for i in range(objects.start, objects.stop))
    return (
        f"<annotation>\n  <folder>{_IMAGES}</folder>\n  <filename>{file_name}</filename>\n"
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
        f"  <segmented>0</segmented>\n{things}</annotation>\n"
    )


def _object(catalog: Catalog, i: int, words: list[str]) -> str:
    flags = Flag(int(catalog.flags[i]))
    tags = "".join(f"<{tag}>{int(flag in flags)}</{tag}>" for tag, flag in _TAGS.items())
    box = "".join(f"<{side}>{word}</{side}>" for side, word in zip(_SIDES, words, strict=True))
    name = escape(catalog.classes.names[catalog.labels[i]])
    return f"  <object><name>{name}</name>{tags}<bndbox>{box}</bndbox></object>\n"
