"""Counts of annotation files as they occur in the wild, against the tables that come with them."""

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from detaug.readers.catalog import Catalog, Split
from detaug.readers.coco import read_coco
from detaug.readers.voc import read_voc
from detaug.readers.yolo import read_yolo
from tests.readers.making import REAL, kinds, needs_real, obeys, picture

FORMATS = REAL / "formats"
pytestmark = needs_real


def copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target


def coco_file(name: str, root: Path, as_file: str = "labels.json") -> Catalog:
    copied(FORMATS / f"{name}.json", root / as_file)
    catalog = obeys(read_coco(root))
    assert not catalog.has_images
    return catalog


def counts(catalog: Catalog) -> tuple[int, int, int]:
    return len(catalog), len(catalog.boxes), len(catalog.classes)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_tt100k_in_its_voc_form(tmp_path: Path) -> None:
    with zipfile.ZipFile(FORMATS / "tt100k_voc_all.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".xml")]
        (tmp_path / "annotations").mkdir()
        for name in names:
            (tmp_path / "annotations" / Path(name).name).write_bytes(archive.read(name))
    catalog = obeys(read_voc(tmp_path))
    assert (catalog.images_in, catalog.boxes_in, len(catalog.classes)) == (9170, 24705, 162)
    assert (catalog.sizes == 2048).all()
    clipped = [f.file for f in catalog.findings if f.kind == "clipped-box"]
    assert (len(clipped), len(set(clipped))) == (55, 51)
    assert sum(f.boxes_lost for f in catalog.findings) == 24705 - len(catalog.boxes)
    with (FORMATS / "tt100k_class_histogram.csv").open() as file:
        histogram = {row["class"]: int(row["boxes"]) for row in csv.DictReader(file)}
    per_class = dict(zip(catalog.classes.names, catalog.class_counts().tolist(), strict=True))
    lost = sum(f.boxes_lost for f in catalog.findings)
    assert set(per_class) == set(histogram)
    assert sum(histogram[name] - per_class[name] for name in histogram) == lost


def test_tt100k_in_its_yolo_form_without_an_image(tmp_path: Path) -> None:
    sample = sorted((FORMATS / "tt100k_yolo3_sample").glob("*.txt"))
    for file in sample:
        copied(file, tmp_path / "labels" / file.name)
    copied(FORMATS / "tt100k_yolo3.names", tmp_path / "classes.txt")
    catalog = obeys(read_yolo(tmp_path))
    lines = [line.split() for file in sample for line in file.read_text().splitlines() if line.strip()]
    assert (catalog.images_in, catalog.boxes_in) == (201, len(lines))
    assert catalog.classes.names == ("indicative", "prohibitory", "warning")
    assert not catalog.has_images
    assert {"no-images", "assumed-size"} <= set(kinds(catalog))
    assert catalog.name(0) == f"images/{sample[0].stem}.jpg"
    kept = catalog.class_counts().tolist()
    stated = np.bincount([int(words[0]) for words in lines], minlength=3).tolist()
    assert sum(stated) - sum(kept) == sum(f.boxes_lost for f in catalog.findings)


def test_zalo(tmp_path: Path) -> None:
    catalog = coco_file("zalo_vn_coco", tmp_path)
    content = json.loads((FORMATS / "zalo_vn_coco.json").read_text(encoding="utf-8"))
    assert (catalog.images_in, catalog.boxes_in, len(catalog.classes)) == (4500, 11000, 7)
    assert catalog.classes.names == tuple(entry["name"] for entry in content["categories"])
    assert not catalog.classes.names[0].isascii()
    assert catalog.ids.tolist() == [image["id"] for image in content["images"]]
    assert (catalog.sizes == (626, 1622)).all()


@pytest.mark.parametrize(
    ("part", "images", "boxes", "repeated", "split"),
    [("train", 1821, 2881, 3, Split.TRAIN), ("valid", 187, 290, 0, Split.VAL), ("test", 93, 151, 0, Split.TEST)],
)
def test_roboflow(tmp_path: Path, part: str, images: int, boxes: int, repeated: int, split: Split) -> None:
    catalog = coco_file(f"roboflow_coco_{part}", tmp_path, f"{part}/_annotations.coco.json")
    assert (catalog.images_in, catalog.boxes_in) == (images, boxes)
    assert counts(catalog) == (images, boxes - repeated, 12)
    assert kinds(catalog) == ["doubled-box"] * repeated + ["dummy-class", "no-images"]
    assert set(catalog.splits) == {split}
    assert (np.diff(catalog.starts) == 0).any()


def test_roboflow_together(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        copied(FORMATS / f"roboflow_coco_{part}.json", tmp_path / part / "_annotations.coco.json")
    catalog = obeys(read_coco(tmp_path))
    assert counts(catalog) == (1821 + 187 + 93, 2881 + 290 + 151 - 3, 12)


def test_windows_backslashes(tmp_path: Path) -> None:
    catalog = coco_file("coco_windows_backslash_paths", tmp_path)
    assert (catalog.images_in, catalog.boxes_in, len(catalog.classes)) == (484, 622, 4)
    assert catalog.name(0) == "stop_signs/stop_signs0034.jpg"


@pytest.mark.parametrize(
    ("file", "folders", "classes", "absent"),
    [
        ("data_gdrive_wrong_dir", {"train": "train/images", "val": "val/images"}, 25, 0),
        ("data_inline_names", {"train": "train/images", "val": "valid/images", "test": "test/images"}, 15, 0),
        ("data_names_dict", {"train": "Train_Data/images/train", "val": "Train_Data/images/val"}, 1, 1),
        ("data_roboflow_names_list", {"train": "train/images", "val": "valid/images", "test": "test/images"}, 31, 0),
        ("dataset_windows_abs_path", {"train": "images/train", "val": "images/val"}, 4, 0),
    ],
)
def test_yolo_descriptions(tmp_path: Path, file: str, folders: dict[str, str], classes: int, absent: int) -> None:
    root = tmp_path / "set"
    copied(FORMATS / f"yolo_{file}.yaml", root / "data.yaml")
    for split, folder in folders.items():
        picture(root / folder / f"{split}.jpg")
        label = root / folder.replace("images", "labels") / f"{split}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.2 0.2\n")
        picture(tmp_path / folder / "outside.jpg")  # where `../train/images` would lead
    catalog = obeys(read_yolo(root))
    assert counts(catalog) == (len(folders), len(folders), classes)
    assert [catalog.name(row) for row in range(len(catalog))] == [f"{f}/{s}.jpg" for s, f in folders.items()]
    assert [Split(code).name.lower() for code in catalog.splits] == list(folders)
    assert kinds(catalog) == ["missing-split"] * absent
