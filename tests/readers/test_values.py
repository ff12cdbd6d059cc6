"""A finding shows what stands in the file: the words in place of numbers, of sizes, of ids."""

import json
from pathlib import Path
from typing import Any

import pytest

from detaug.readers import coco as coco_reader
from detaug.readers.catalog import Catalog, Split
from detaug.readers.detect import detect
from detaug.readers.read import read
from detaug.readers.root import Root
from tests.readers.making import coco, kinds, obeys, picture, voc, xml, yolo

IMAGE = {"id": 1, "file_name": "a.jpg"}


def value(catalog: Catalog, kind: str) -> str:
    (found,) = [finding.value for finding in obeys(catalog).findings if finding.kind == kind]
    return found


@pytest.mark.parametrize(
    ("bbox", "shown"),
    [
        ({"x": 1, "y": 2}, "{'x': 1, 'y': 2}"), ([1, 2, "wide"], "[1, 2, 'wide']"), ("1,2,3,4", "'1,2,3,4'"),
        (None, "None"), ([1, 2, float("nan"), 4], "nan"), ([0] * 100_000, "[0, 0, 0, 0, 0, 0, 0, 0, ...]"),
    ],
)  # fmt: skip
def test_a_bbox_that_is_none(tmp_path: Path, bbox: object, shown: str) -> None:
    picture(tmp_path / "a.jpg")
    coco(tmp_path / "x.json", [IMAGE], [{"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox}])
    assert shown in value(read(tmp_path, "coco"), "bad-number")


def test_words_in_xml_lines_and_rows(tmp_path: Path) -> None:
    catalog = read(voc(tmp_path / "voc", {"a": [("s", ("abc", 1, "", 9))]}))
    assert "['abc', '1', '', '9']" in value(catalog, "bad-number")
    assert "'0 0.5 half 0.1 0.1'" in value(read(yolo(tmp_path / "yolo", {"a": "0 0.5 half 0.1 0.1"})), "bad-number")
    picture(tmp_path / "gtsdb" / "a.ppm")
    (tmp_path / "gtsdb" / "gt.txt").write_text("a.ppm;1;2;9;9;1\na.ppm;1;2,5;9;9;1\na.ppm;1;2;9;9;stop\n")
    catalog = read(tmp_path / "gtsdb")
    assert "['1', '2,5', '9', '9']" in value(catalog, "bad-number")
    assert "class 'stop'" in value(catalog, "unknown-class")


@pytest.mark.parametrize(("height", "width"), [("0", "0"), ("tall", "60"), ("nan", "1e300"), ("40", "")])
def test_a_stated_size_that_is_none(tmp_path: Path, height: str, width: str) -> None:
    voc(tmp_path / "voc", {"a": [("s", (1, 1, 9, 9))]})
    text = xml([("s", (1, 1, 9, 9))], "a.jpg").replace(">60<", f">{width}<").replace(">40<", f">{height}<")
    (tmp_path / "voc" / "annotations" / "a.xml").write_text(text)
    picture(tmp_path / "coco" / "a.jpg")
    coco(tmp_path / "coco" / "x.json", [IMAGE | {"height": height, "width": width}])
    for format in ("voc", "coco"):
        catalog = read(tmp_path / format)
        assert value(catalog, "bad-size") == f"the annotation says {width!r} x {height!r}"
        assert catalog.sizes.tolist() == [[40, 60]]


def test_no_stated_size_is_no_fault(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    coco(tmp_path / "x.json", [IMAGE])
    assert kinds(read(tmp_path)) == []


def test_annotations_without_an_image(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    coco(tmp_path / "x.json", [IMAGE], [{"image_id": [1], "category_id": 1}, "junk"])  # type: ignore[list-item]
    told = [finding.value for finding in obeys(read(tmp_path)).findings]
    assert told == [
        "annotation 0 names the image id [1], which is not there",
        "annotation 1 is 'junk', which names no image",
    ]


def test_file_names_with_and_without_their_folder(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / "images" / f"{name}.jpg")
    names = ("a.jpg", "b.jpg", "images/c.jpg")
    coco(tmp_path / "x.json", [{"id": i, "file_name": name} for i, name in enumerate(names)])
    catalog = obeys(read(tmp_path))
    assert [catalog.name(row) for row in range(3)] == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
    assert kinds(catalog) == []


def test_among_many_files_the_large_ones_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_reader, "_MOST_LOOSE", 3)
    picture(tmp_path / "a.jpg")
    for i in range(20):
        (tmp_path / f"{i}.json").write_text('{"shapes": []}')
    coco(tmp_path / "signs.json", [IMAGE], [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}])
    root = Root(tmp_path)
    assert detect(root)[0] == "coco"
    assert len([name for name in root.files if name.endswith(".json")]) == 3


def test_a_path_from_another_machine_is_looked_for_by_its_end(tmp_path: Path) -> None:
    yolo(tmp_path / "signs", {"a": "0 0.5 0.5 0.2 0.2"})
    (tmp_path / "signs" / "data.yaml").rename(tmp_path / "data.yaml")
    for path in ("D:\\sets\\signs", "../datasets/signs", "/content/signs", "signs"):
        (tmp_path / "data.yaml").write_text(f"path: {path}\ntrain: .\\images\nnames: [stop]\n")
        catalog = obeys(read(tmp_path))
        assert (catalog.name(0), len(catalog.boxes)) == ("signs/images/a.jpg", 1), path


@pytest.mark.parametrize("format", ["auto", "yolo"])
def test_labels_count_where_their_description_is_broken(tmp_path: Path, format: str) -> None:
    yolo(tmp_path, {"a": "1 0.5 0.5 0.2 0.2"}, "names:\n\t- stop\n")
    catalog = obeys(read(tmp_path, format))
    assert catalog.classes.names == ("1",)
    assert kinds(catalog) == ["broken-description", "unnamed-classes"]
    assert "data.yaml: not valid YAML, line 2" in value(catalog, "broken-description")


def test_lists_of_a_voc_dataset_are_checked(tmp_path: Path) -> None:
    objects: dict[str, Any] = {name: [("s", (1, 1, 9, 9))] for name in "abc"}
    voc(tmp_path, objects)
    picture(tmp_path / "images" / "d.jpg")
    lists = {"train": "a\na\ngone\n", "val": "b.jpg\na\n", "test": "d\n"}
    for name, text in lists.items():
        path = tmp_path / "ImageSets" / "Main" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    catalog = obeys(read(tmp_path))
    assert catalog.splits.tolist() == [Split.TRAIN, Split.VAL, Split.NONE]
    assert {(f.kind, f.file): f.images_lost for f in catalog.findings} == {
        ("unlabelled-image", "ImageSets/Main/train.txt"): 1, ("unlabelled-image", "ImageSets/Main/test.txt"): 0,
        ("doubled-key", "ImageSets/Main/val.txt"): 0, ("unannotated-image", "images"): 1,
    }  # fmt: skip


def test_an_image_without_a_list_of_objects_is_not_background(tmp_path: Path) -> None:
    for name in ("1", "2"):
        picture(tmp_path / "train" / f"{name}.jpg")
    entries = {"1": {"path": "train/1.jpg", "objects": []}, "2": {"path": "train/2.jpg"}}
    (tmp_path / "annotations.json").write_text(json.dumps({"imgs": entries, "types": []}))
    catalog = obeys(read(tmp_path))
    assert len(catalog) == 1
    assert value(catalog, "unreadable-annotation") == "`objects` of image '2' is None, not a list"
