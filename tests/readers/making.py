"""Tiny datasets on disk, and the laws that every catalog obeys."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detaug.readers.catalog import Catalog

Box = tuple[object, object, object, object]

_real = os.environ.get("DETAUG_REAL_DATA", "")
REAL = Path(_real) if _real else Path("absent")
needs_real = pytest.mark.skipif(not (REAL / "data").is_dir(), reason="DETAUG_REAL_DATA names no folder with data/")


def picture(path: Path, height: int = 40, width: int = 60, mode: str = "RGB", **options: Any) -> Path:
    """An image file with a gradient, every corner different."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], 2).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def xml(objects: Sequence[tuple[str, Box]], filename: str, size: tuple[int, int] = (40, 60), extra: str = "") -> str:
    """A VOC annotation; `extra` goes into every object."""
    things = "".join(
        f"<object><name>{name}</name>{extra}<bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, (a, b, c, d) in objects
    )
    size_text = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>"
    return f"<annotation><filename>{filename}</filename>{size_text}{things}</annotation>"


def voc(root: Path, images: Mapping[str, Sequence[tuple[str, Box]]]) -> Path:
    """`root/images/NAME.jpg` and `root/annotations/NAME.xml` for each name."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for name, objects in images.items():
        picture(root / "images" / f"{name}.jpg")
        (root / "annotations" / f"{name}.xml").write_text(xml(objects, f"{name}.jpg"))
    return root


def coco(
    path: Path,
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]] = (),
    categories: Sequence[Mapping[str, Any]] = ({"id": 1, "name": "stop"}, {"id": 2, "name": "yield"}),
) -> Path:
    """A COCO file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": list(images), "annotations": list(annotations), "categories": list(categories)}
    path.write_text(json.dumps(content))
    return path


def yolo(
    root: Path, labels: Mapping[str, str | None], description: str = "train: images\nnames: [stop, yield]\n"
) -> Path:
    """`root/images/NAME.jpg` with `root/labels/NAME.txt` where there is a text, and data.yaml."""
    (root / "labels").mkdir(parents=True, exist_ok=True)
    for name, text in labels.items():
        picture(root / "images" / f"{name}.jpg")
        if text is not None:
            (root / "labels" / f"{name}.txt").write_text(text)
    (root / "data.yaml").write_text(description)
    return root


def kinds(catalog: Catalog) -> list[str]:
    """The kinds of the findings, sorted."""
    return sorted(finding.kind for finding in catalog.findings)


def obeys(catalog: Catalog) -> Catalog:
    """Check the laws of every catalog; hands it back."""
    assert catalog.images_in == len(catalog) + sum(f.images_lost for f in catalog.findings)
    assert catalog.boxes_in == len(catalog.boxes) + sum(f.boxes_lost for f in catalog.findings)
    limits = catalog.sizes[catalog.images_of_boxes()][:, [1, 0]]
    assert np.isfinite(catalog.boxes).all()
    assert (catalog.boxes[:, :2] >= 0).all()
    assert (catalog.boxes[:, 2:] <= limits).all()
    assert (catalog.boxes[:, 2:] > catalog.boxes[:, :2]).all()
    names = [catalog.name(row) for row in range(len(catalog))]
    assert len(set(names)) == len(names)
    assert all(catalog.path(row).resolve().is_relative_to(catalog.root.resolve()) for row in range(len(names)))
    return catalog
