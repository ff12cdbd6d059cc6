"""What shows that a folder holds a dataset of some format. Each probe gives the reason, or None.

`PROBES` know the layouts of formats, `LOOSE` ones take annotations wherever they lie, and `BESIDE` only look for words
on what else is there.
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice

from detaug.readers import coco, description, gtsdb, lisa, mtsd, tt100k, voc
from detaug.readers.root import Root, joined, suffix
from detaug.readers.table import head_columns, head_text

Probe = Callable[[Root], str | None]

LOOKED_FOR = (
    "data.yaml or classes.txt (YOLO), *.xml in annotations/ (VOC), annotations/instances_*.json or "
    "_annotations.coco.json (COCO), gt.txt (GTSDB), annotations_all.json (TT100K), allAnnotations.csv or "
    "frameAnnotationsBOX.csv (LISA), annotations/*.json with 'objects' (Mapillary)"
)
_XMLS = 20  # files looked into before a folder is taken for something else than VOC
_ENTRIES, _FILES = 1000, 3  # of a folder, looked at for what is there besides


def _gtsdb(root: Root) -> str | None:
    found = gtsdb.parts(root)
    return f"{joined(found[0].folder, gtsdb.TRUTH)} lists images with their boxes" if found else None


def _tt100k(root: Root) -> str | None:
    files = tt100k.annotation_files(root)
    return f"{files[0]} has `imgs` with their objects" if files else None


def _lisa(root: Root) -> str | None:
    table = lisa.first_table(root)
    return f"{table} has LISA's columns" if table else None


def _yolo(root: Root) -> str | None:
    described = description.describe(root)
    return f"{described.file} names the classes" if described else None


def _voc(root: Root) -> str | None:
    for part in voc.parts(root):
        for name in part.xmls[:_XMLS]:
            if root.inside(name) is not None and "<annotation" in head_text(root.file(name)):
                return f"{name} is an XML annotation"
    return None


def _scattered(root: Root) -> str | None:
    found = voc.scattered(root)
    return f"{found[0].xmls[0]} is an XML annotation" if found else None


def _mtsd(root: Root) -> str | None:
    folder = mtsd.annotation_folder(root)
    return f"{folder} has a JSON file with objects for each image" if folder else None


def _coco(root: Root) -> str | None:
    files = coco.annotation_files(root)
    return f"{files[0]} lists images and annotations" if files else None


def _labels(root: Root) -> str | None:
    return "there are label files, and nothing names their classes" if description.guess(root) else None


def _some(root: Root, folder: str, ending: str) -> Iterator[str]:
    """A few files with that suffix among a folder's first entries: a large folder is not listed for a few words."""
    if not root.is_folder(folder):
        return
    with os.scandir(root.path / folder) as entries:
        names = [entry.name for entry in islice(entries, _ENTRIES) if suffix(entry.name) == ending]
    yield from (name for name in (joined(folder, n) for n in sorted(names)[:_FILES]) if root.inside(name) is not None)


def _also_voc(root: Root) -> str | None:
    for folder in ("annotations", "Annotations", ""):
        for name in _some(root, folder, ".xml"):
            if "<annotation" in head_text(root.file(name)):
                return f"{name} is an XML annotation"
    return None


def _also_mtsd(root: Root) -> str | None:
    for name in _some(root, "annotations", ".json"):
        text = head_text(root.file(name))
        if '"objects"' in text and '"images"' not in text:
            return f"{name} has the objects of an image"
    return None


def _also_coco(root: Root) -> str | None:
    for folder in ("annotations", "", "train"):
        for name in _some(root, folder, ".json"):
            text = head_text(root.file(name))
            if '"images"' in text and ('"file_name"' in text or '"annotations"' in text):
                return f"{name} lists images and annotations"
    return None


def strange_table(root: Root) -> str:
    """Words on a table in the folder that no reader knows, or an empty string."""
    for name in root.listed("", {".csv"}):
        names = head_columns(root.file(name)) if root.inside(name) is not None else []
        if names:
            return f"; {name} is a table of another kind, its first columns are {', '.join(names[:3])}"[:200]
    return ""


PROBES: tuple[tuple[str, Probe], ...] = (
    ("gtsdb", _gtsdb),
    ("tt100k", _tt100k),
    ("lisa", _lisa),
    ("yolo", _yolo),
    ("voc", _voc),
    ("mtsd", _mtsd),
    ("coco", _coco),
)

LOOSE: tuple[tuple[str, Probe], ...] = (("voc", _scattered), ("yolo", _labels))

BESIDE: tuple[tuple[str, Probe], ...] = (*PROBES[:4], ("voc", _also_voc), ("mtsd", _also_mtsd), ("coco", _also_coco))
