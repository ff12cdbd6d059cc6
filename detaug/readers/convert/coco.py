"""COCO: `annotations/instances_SPLIT.json`, names relative to the dataset's folder, images in `images/SPLIT`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.convert.coordinates import left_top_sides
from detaug.readers.convert.plan import Plan, planned

_KEYS = {Flag.DIFFICULT: "difficult", Flag.TRUNCATED: "truncated", Flag.OCCLUDED: "occluded"}


def plan_coco(catalog: Catalog) -> Plan:
    """A folder of images for each split."""
    return planned(catalog, _folder, key=str, plain=False)


def _folder(split: Split) -> str:
    return f"images/{split.name.lower()}"


def write_coco(plan: Plan, folder: Path) -> list[str]:
    """Write the annotation files; returns what they do not hold."""
    boxes = left_top_sides(plan.catalog.boxes).tolist()
    (folder / "annotations").mkdir()
    notes = []
    for split, rows in plan.splits.items():
        ids = plan.catalog.ids[rows].tolist()
        if len(set(ids)) < len(ids):
            ids = [row + 1 for row in rows]
            notes.append(f"image ids of {split.name.lower()} that stood for two images are numbered anew")
        name = f"instances_{split.name.lower() if split else 'all'}.json"
        with (folder / "annotations" / name).open("w", encoding="utf-8") as file:
            file.write('{"info": {}, "licenses": [],\n')
            _write_list(file, "categories", _categories(plan.catalog))
            file.write(",\n")
            _write_list(file, "images", _images(plan, rows, ids))
            file.write(",\n")
            _write_list(file, "annotations", _annotations(plan.catalog, rows, ids, boxes))
            file.write("}\n")
    return notes


def _write_list(file: TextIO, key: str, entries: Iterable[dict[str, object]]) -> None:
    """An entry per line, so that a million need no memory and can be read by people."""
    file.write(f'"{key}": [')
    for place, entry in enumerate(entries):
        file.write(",\n" if place else "\n")
        file.write(json.dumps(entry, ensure_ascii=False))
    file.write("]")


def _categories(catalog: Catalog) -> Iterator[dict[str, object]]:
    """A class stands above itself alone: readers drop one that stands above others and has no box."""
    for place, name in enumerate(catalog.classes.names, 1):
        yield {"id": place, "name": name, "supercategory": name}


def _images(plan: Plan, rows: list[int], ids: list[int]) -> Iterator[dict[str, object]]:
    for row, image_id in zip(rows, ids, strict=True):
        height, width = plan.catalog.sizes[row].tolist()
        yield {"id": image_id, "file_name": plan.names[row], "height": height, "width": width}


def _annotations(
    catalog: Catalog, rows: list[int], ids: list[int], boxes: list[list[float]]
) -> Iterator[dict[str, object]]:
    place = 0
    for row, image_id in zip(rows, ids, strict=True):
        objects = catalog.objects(row)
        for i in range(objects.start, objects.stop):
            place += 1
            box = [int(value) if value.is_integer() else value for value in boxes[i]]
            flags = Flag(int(catalog.flags[i]))
            entry = {"id": place, "image_id": image_id, "category_id": int(catalog.labels[i]) + 1, "bbox": box}
            entry |= {"area": boxes[i][2] * boxes[i][3], "iscrowd": int(Flag.CROWD in flags), "segmentation": []}
            yield entry | {key: 1 for flag, key in _KEYS.items() if flag in flags}
