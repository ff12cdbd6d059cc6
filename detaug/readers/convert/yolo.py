"""YOLO: data.yaml, `images/SPLIT`, and beside it `labels/SPLIT` with a text file for each image."""

from pathlib import Path

import yaml

from detaug.readers.catalog import Catalog, Split
from detaug.readers.convert.coordinates import centre_sides
from detaug.readers.convert.plan import Plan, planned
from detaug.readers.yolo import label_name


def plan_yolo(catalog: Catalog) -> Plan:
    """A folder of images for each split; no two images with one label file."""
    return planned(catalog, _folder, key=label_name, plain=True)


def _folder(split: Split) -> str:
    return f"images/{split.name.lower()}"


def write_yolo(plan: Plan, folder: Path) -> list[str]:
    """Write data.yaml and the label files; returns what they do not hold."""
    catalog = plan.catalog
    content = {split.name.lower(): _folder(split) for split in plan.splits}
    names = {"nc": len(catalog.classes), "names": list(catalog.classes.names)}
    plain = all(name.isprintable() for name in catalog.classes.names)  # YAML folds some other characters to spaces
    text = yaml.safe_dump(content | names, allow_unicode=plain, sort_keys=False, width=1000)
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    shares, off = centre_sides(catalog.boxes, catalog.sizes[catalog.images_of_boxes()])
    lines = [
        f"{label} {' '.join(map(repr, box))}\n"
        for label, box in zip(catalog.labels.tolist(), shares.tolist(), strict=True)
    ]
    made: set[Path] = set()
    for row, name in enumerate(plan.names):
        file = folder / label_name(name)
        if file.parent not in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            made.add(file.parent)
        file.write_text("".join(lines[catalog.objects(row)]), encoding="utf-8")
    notes = []
    if off:
        notes.append(f"{off} boxes with a corner within a millionth of a pixel of the border are off by less than that")
    if Split.NONE in plan.splits:
        count = len(plan.splits[Split.NONE])
        notes.append(f"{count} images are in no split; data.yaml names them as `none`, which other tools do not read")
    return notes
