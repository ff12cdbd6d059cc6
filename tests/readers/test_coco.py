import json
import os
from pathlib import Path
from typing import Any

import pytest

from detaug.errors import InputError
from detaug.readers.catalog import Flag, Split
from detaug.readers.coco import read_coco
from tests.readers.making import REAL, coco, kinds, needs_real, obeys, picture

A = {"id": 7, "file_name": "a.jpg", "height": 40, "width": 60}
B = {"id": 0, "file_name": "b.jpg", "height": 40, "width": 60}


def box(*bbox: object, image: object = 7, category: object = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": list(bbox), **more}


def single(root: Path, *annotations: dict[str, Any], **more: Any) -> Path:
    for name in ("a.jpg", "b.jpg"):
        picture(root / name)
    coco(root / "labels.json", [A, B], annotations, **more)
    return root


def test_images_without_boxes_are_kept(tmp_path: Path) -> None:
    catalog = obeys(read_coco(single(tmp_path)))
    assert catalog.ids.tolist() == [7, 0]
    assert catalog.splits.tolist() == [Split.NONE] * 2
    assert catalog.findings == ()


def test_float_boxes_crowds_and_owners(tmp_path: Path) -> None:
    root = single(tmp_path, box(1, 2, 3.5, 4, image=0), box(5, 6, 7, 8, category=2, iscrowd=1))
    catalog = obeys(read_coco(root))
    assert catalog.boxes.tolist() == [[5, 6, 12, 14], [1, 2, 4.5, 6]]
    assert catalog.flags.tolist() == [Flag.CROWD, 0]
    assert [catalog.classes.names[label] for label in catalog.labels] == ["yield", "stop"]


@pytest.mark.parametrize("folder", ["train", "images/train", "images", ""])
def test_the_usual_layout_with_its_images_in_several_places(tmp_path: Path, folder: str) -> None:
    picture(tmp_path / folder / "a.jpg")
    coco(tmp_path / "annotations" / "instances_train.json", [A], [box(1, 1, 9, 9)])
    catalog = obeys(read_coco(tmp_path))
    assert catalog.name(0) == f"{folder}/a.jpg".lstrip("/")
    assert catalog.splits.tolist() == [Split.TRAIN]


def test_years_in_names(tmp_path: Path) -> None:
    picture(tmp_path / "val2017" / "a.jpg")
    coco(tmp_path / "annotations" / "instances_val2017.json", [A])
    assert obeys(read_coco(tmp_path)).splits.tolist() == [Split.VAL]


def test_roboflow_drops_its_dummy(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "signs", "supercategory": "none"}]
    categories += [{"id": i, "name": name, "supercategory": "signs"} for i, name in ((2, "a"), (1, "b"))]
    for split in ("train", "valid", "test"):
        picture(tmp_path / split / "a.jpg")
        coco(tmp_path / split / "_annotations.coco.json", [A], [box(1, 1, 9, 9)], categories)
    catalog = obeys(read_coco(tmp_path))
    assert catalog.classes.names == ("b", "a")
    assert sorted(catalog.splits) == [Split.TRAIN, Split.VAL, Split.TEST]
    assert kinds(catalog) == ["dummy-class"]
    alone = obeys(read_coco(tmp_path / "valid"))
    assert alone.splits.tolist() == [Split.NONE]


def test_a_supercategory_with_boxes_is_a_class(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "signs"}, {"id": 1, "name": "a", "supercategory": "signs"}]
    root = single(tmp_path, box(1, 1, 9, 9, category=0), categories=categories)
    assert read_coco(root).classes.names == ("signs", "a")


def test_a_class_that_is_its_own_supercategory_stays(tmp_path: Path) -> None:
    root = single(tmp_path, categories=[{"id": 1, "name": "a", "supercategory": "a"}])
    assert read_coco(root).classes.names == ("a",)


def test_exact_repeats_are_dropped(tmp_path: Path) -> None:
    root = single(tmp_path, box(1, 1, 9.5, 9), box(1, 1, 9.5, 9), box(1, 1, 9.5, 9.1), box(1, 1, 9.5, 9, image=0))
    catalog = obeys(read_coco(root))
    assert kinds(catalog) == ["doubled-box"]
    assert len(catalog.boxes) == 3


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (box(1, 1, 9, 9, category=9), "unknown-class"),
        (box(1, 1, 9, 9, category=None), "unknown-class"),
        (box(1, 1, 9, 9, category=[1]), "unknown-class"),
        (box(1, 1, 9, 9, image=99), "unknown-image"),
        (box(1, 1, 9, 9, image={}), "unknown-image"),
        (box(1, 1, 9), "bad-number"),
        (box(1, 1, None, 9), "bad-number"),
        (box(1, 1, float("nan"), 9), "bad-number"),
        (box(1, 1, 10**400, 9), "bad-number"),
        ({"image_id": 7, "category_id": 1}, "bad-number"),
        (box(1, 1, -3, 9), "inside-out-box"),
        (box(1, 1, 0, 9), "empty-box"),
        (box(100, 1, 5, 9), "outside-box"),
        (box(50, 1, 50, 9), "clipped-box"),
    ],
)
def test_faulty_annotations(tmp_path: Path, annotation: dict[str, Any], kind: str) -> None:
    catalog = obeys(read_coco(single(tmp_path, annotation, box(2, 2, 9, 9))))
    assert kinds(catalog) == [kind]
    assert catalog.boxes_in == 2


def test_faulty_images(tmp_path: Path) -> None:
    root = single(tmp_path)
    picture(root / "left.jpg")
    picture(root / "over.jpg")
    images: list[Any] = [
        A,
        B,
        {"id": 1},
        "text",
        {**A, "id": 2},
        {**A, "file_name": "c.jpg"},
        {"id": 3, "file_name": "gone.jpg"},
    ]
    coco(root / "labels.json", images, [box(1, 1, 9, 9)])
    catalog = obeys(read_coco(root))
    expected = ["unreadable-annotation"] * 2 + ["doubled-image"] * 2 + ["missing-image", "unannotated-image"]
    assert kinds(catalog) == sorted(expected)
    assert next(f for f in catalog.findings if f.kind == "unannotated-image").images_lost == 2
    assert catalog.images_in == 9


def test_backslashes_are_slashes(tmp_path: Path) -> None:
    picture(tmp_path / "stop_signs" / "a.jpg")
    coco(tmp_path / "labels.json", [{**A, "file_name": "stop_signs\\a.jpg"}])
    assert obeys(read_coco(tmp_path)).name(0) == "stop_signs/a.jpg"


@pytest.mark.parametrize(
    "name",
    ["../secret.jpg", "x/../../secret.jpg", "/etc/passwd", "C:\\a.jpg", "a\0.jpg", "link.jpg", "linked/secret.jpg"],
)
def test_nothing_outside_is_read(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "secret.jpg")
    root = single(tmp_path / "set")
    os.symlink(tmp_path / "secret.jpg", root / "link.jpg")
    os.symlink(tmp_path, root / "linked")
    coco(root / "labels.json", [A, B, {"id": 3, "file_name": name}])
    catalog = obeys(read_coco(root))
    assert "path-outside" in kinds(catalog)
    assert len(catalog) == 2


def test_names_that_are_not_unicode_are_reported(tmp_path: Path) -> None:
    root = single(tmp_path)
    coco(root / "labels.json", [A, B, {"id": 3, "file_name": "\ud800.jpg"}, {"id": 4, "file_name": "a" * 5000}])
    assert kinds(obeys(read_coco(root))) == ["missing-image", "unreadable-name"]


def test_files_may_number_their_classes_differently(tmp_path: Path) -> None:
    for split, numbers in (("train", (1, 2)), ("val", (2, 1))):
        picture(tmp_path / split / "a.jpg")
        categories = [{"id": numbers[0], "name": "stop"}, {"id": numbers[1], "name": "yield"}]
        path = tmp_path / "annotations" / f"instances_{split}.json"
        coco(path, [A], [box(1, 1, 9, 9, category=numbers[0])], categories)
    catalog = obeys(read_coco(tmp_path))
    assert {catalog.classes.names[label] for label in catalog.labels} == {"stop"}


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"images": []}', '{"images": 3, "annotations": []}', "\xff"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_train.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"instances_train\.json"):
        read_coco(tmp_path)


def test_an_annotation_file_outside_is_not_read(tmp_path: Path) -> None:
    coco(tmp_path / "secret.json", [A])
    (tmp_path / "set" / "annotations").mkdir(parents=True)
    os.symlink(tmp_path / "secret.json", tmp_path / "set" / "annotations" / "instances_train.json")
    with pytest.raises(InputError, match="leads out"):
        read_coco(tmp_path / "set")


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="looked for"):
        read_coco(tmp_path)


@needs_real
def test_roboflow_train(tmp_path: Path) -> None:
    source = REAL / "formats" / "roboflow_coco_train.json"
    (tmp_path / "_annotations.coco.json").write_bytes(source.read_bytes())
    flat = picture(tmp_path.parent / "flat.png", 640, 640)
    for image in json.loads(source.read_text())["images"]:
        os.link(flat, tmp_path / image["file_name"])
    catalog = obeys(read_coco(tmp_path))
    assert (len(catalog), len(catalog.boxes), len(catalog.classes)) == (1821, 2878, 12)
    assert kinds(catalog) == ["doubled-box"] * 3 + ["dummy-class"]


@needs_real
def test_otonom() -> None:
    catalog = obeys(read_coco(REAL / "data" / "otonom_coco"))
    assert (len(catalog), len(catalog.boxes), len(catalog.classes)) == (93, 151, 12)
    assert kinds(catalog) == ["dummy-class"]
    assert set(catalog.splits) == {Split.TEST}


def test_without_any_image_a_dataset_can_be_planned(tmp_path: Path) -> None:
    coco(tmp_path / "labels.json", [A, B], [box(1, 2, 3, 4)])
    catalog = obeys(read_coco(tmp_path))
    assert kinds(catalog) == ["no-images"]
    assert catalog.sizes.tolist() == [[40, 60]] * 2
    assert catalog.boxes.tolist() == [[1, 2, 4, 6]]
    assert not catalog.has_images


@pytest.mark.parametrize("key", ["07", 7.0, "7", 7])
def test_an_id_is_the_same_however_it_is_written(tmp_path: Path, key: object) -> None:
    root = single(tmp_path, box(1, 1, 9, 9, image=key, category=str(1)))
    assert len(obeys(read_coco(root)).boxes) == 1


def test_the_same_file_under_two_ids_is_one_image_with_the_boxes_of_both(tmp_path: Path) -> None:
    root = single(tmp_path, box(1, 1, 9, 9), box(20, 1, 9, 9, image=8), box(1, 1, 9, 9, image=8))
    coco(root / "labels.json", [A, {**A, "id": 8}, B], json.loads((root / "labels.json").read_text())["annotations"])
    catalog = obeys(read_coco(root))
    assert kinds(catalog) == ["doubled-box", "doubled-image"]
    assert catalog.boxes[catalog.objects(0)].tolist() == [[1, 1, 10, 10], [20, 1, 29, 10]]
    assert (catalog.images_in, catalog.boxes_in) == (3, 3)


def test_a_polygon_stands_in_for_a_missing_box(tmp_path: Path) -> None:
    polygons = [[2, 2, 20, 2, 10, 30], [1, 5, 3, 5, 3, 6]]
    root = single(
        tmp_path,
        {"image_id": 7, "category_id": 1, "bbox": None, "segmentation": polygons},
        {"image_id": 7, "category_id": 2, "bbox": [], "segmentation": [[2, 2, "x", 2, 10, 30]]},
    )
    catalog = obeys(read_coco(root))
    assert catalog.boxes.tolist() == [[1, 2, 20, 30]]
    assert kinds(catalog) == ["bad-number", "derived-box"]


def test_missing_categories_are_called_by_their_numbers(tmp_path: Path) -> None:
    root = single(tmp_path, box(1, 1, 9, 9, category=12), box(1, 1, 9, 9, category=3))
    content = json.loads((root / "labels.json").read_text())
    del content["categories"]
    (root / "labels.json").write_text(json.dumps(content))
    catalog = obeys(read_coco(root))
    assert catalog.classes.names == ("3", "12")
    assert [catalog.classes.names[label] for label in catalog.labels] == ["12", "3"]
    assert kinds(catalog) == ["unnamed-classes"]


@pytest.mark.parametrize("value", [0, "0", False, None, 2.5])
def test_what_is_no_crowd(tmp_path: Path, value: object) -> None:
    assert read_coco(single(tmp_path, box(1, 1, 9, 9, iscrowd=value))).flags.tolist() == [0]
