"""Datasets and catalogs for the tests of the saved index."""

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from detaug.classes import ClassTable
from detaug.readers.catalog import Catalog, pack_names
from tests.readers.making import coco, picture, voc, yolo

OLD = 1_600_000_000_000_000_000  # ns, long before any test


def make_voc(root: Path) -> Path:
    return voc(root, {"a": [("stop", (1, 2, 9, 9))], "é": [("yield", (2, 3, 90, 8)), ("stop", (5, 5, 6, 6))], "c": []})


def make_yolo(root: Path) -> Path:
    return yolo(root, {"a": "0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1", "b": None, "c": "", "d": "7 0.5 0.5 0.1 0.1"})


def make_coco(root: Path) -> Path:
    picture(root / "train" / "a.jpg")
    picture(root / "train" / "spare.jpg")
    boxes = [{"image_id": 5, "category_id": i, "bbox": [i, 1, 9, 9], "iscrowd": i - 1} for i in (1, 2)]
    images = [{"id": 5, "file_name": "a.jpg"}, {"id": 9, "file_name": "gone.jpg"}]
    coco(root / "annotations" / "instances_train.json", images, boxes)
    return root


MAKERS: dict[str, Callable[[Path], Path]] = {"voc": make_voc, "yolo": make_yolo, "coco": make_coco}


def aged(root: Path) -> Path:
    """Nothing in the folder changed lately, as far as stamps can tell."""
    for path in sorted(root.rglob("*")):
        os.utime(path, ns=(OLD, OLD))
    return root


def same(left: Catalog, right: Catalog) -> bool:
    """Whether two catalogs are equal in every field but the file that they are mapped from."""
    for f in fields(Catalog):
        one, other = getattr(left, f.name), getattr(right, f.name)
        if f.name == "classes":
            if one.names != other.names or any(
                not np.array_equal(getattr(one, n), getattr(other, n)) for n in ("outline", "mirror", "turn")
            ):
                return False
        elif isinstance(one, np.ndarray):
            if one.dtype != other.dtype or not np.array_equal(one, other):
                return False
        elif f.name != "index" and one != other:
            return False
    return True


def empty() -> Catalog:
    text, ends = pack_names([])
    none = np.zeros(0, np.int64)
    return Catalog(
        root=Path("nowhere"),
        classes=ClassTable.plain([]),
        text=text,
        ends=ends,
        sizes=np.zeros((0, 2), np.int32),
        starts=np.zeros(1, np.int64),
        boxes=np.zeros((0, 4), np.float32),
        labels=none.astype(np.int32),
        flags=none.astype(np.uint8),
        ids=none,
        splits=none.astype(np.uint8),
        groups=none.astype(np.int32),
    )


def large(root: Path, images: int = 200_000) -> Catalog:
    """Three boxes an image, all different."""
    text, ends = pack_names([f"images/{i:07d}.jpg" for i in range(images)])
    corners = np.arange(images * 3, dtype=np.float32)[:, None] % 500 + np.array([0, 1, 20, 30], np.float32)
    return Catalog(
        root=root,
        classes=ClassTable.builtin("road_signs"),
        text=text,
        ends=ends,
        sizes=np.full((images, 2), 1000, np.int32),
        starts=np.arange(images + 1, dtype=np.int64) * 3,
        boxes=corners,
        labels=(np.arange(images * 3) % 4).astype(np.int32),
        flags=np.zeros(images * 3, np.uint8),
        ids=np.arange(images, dtype=np.int64),
        splits=(np.arange(images) % 3 + 1).astype(np.uint8),
        groups=np.arange(images, dtype=np.int32),
        images_in=images,
        boxes_in=images * 3,
    )


def removed(root: Path) -> None:
    (root / "annotations" / "a.xml").unlink()


def files(root: Path) -> list[Path]:
    return sorted(p for p in (root / ".detaug").iterdir() if p.suffix in (".index", ".catalog"))
