import os
from pathlib import Path

import numpy as np
import pytest

from detaug.errors import InputError
from detaug.readers.catalog import Split
from detaug.readers.description import describe
from detaug.readers.read import read
from detaug.readers.root import Root
from detaug.readers.yolo import read_yolo
from tests.readers.making import REAL, kinds, needs_real, obeys, picture, yolo


def test_images_without_labels_are_background(tmp_path: Path) -> None:
    catalog = obeys(read_yolo(yolo(tmp_path, {"a": None, "b": "", "c": "\n \n"})))
    assert len(catalog) == 3
    assert len(catalog.boxes) == 0
    assert catalog.findings == ()


def test_shares_become_pixels(tmp_path: Path) -> None:
    catalog = obeys(read_yolo(yolo(tmp_path, {"a": "1 0.5 0.5 0.5 0.25\n0 0.5 0.5 1 1\n"})))
    assert catalog.boxes.tolist() == [[15, 15, 45, 25], [0, 0, 60, 40]]
    assert [catalog.classes.names[label] for label in catalog.labels] == ["yield", "stop"]


def test_polygons_become_boxes(tmp_path: Path) -> None:
    catalog = obeys(read_yolo(yolo(tmp_path, {"a": "0 0.1 0.2 0.5 0.1 0.3 0.9"})))
    assert np.allclose(catalog.boxes, [[6, 4, 30, 36]])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("2 0.5 0.5 0.1 0.1", "unknown-class"),
        ("-1 0.5 0.5 0.1 0.1", "unknown-class"),
        ("0.5 0.5 0.5 0.1 0.1", "unknown-class"),
        ("stop 0.5 0.5 0.1 0.1", "unknown-class"),
        ("1e30 0.5 0.5 0.1 0.1", "unknown-class"),
        ("0 0.5 0.5 0.1", "bad-number"),
        ("0", "bad-number"),
        ("0 0.5 0.5 0.1 0.1 1.9", "bad-number"),
        ("0 nan 0.5 0.1 0.1", "bad-number"),
        ("0 1e308 0.5 1e308 0.1", "bad-number"),
        ("0 0.5 0.5 -0.1 0.1", "inside-out-box"),
        ("0 0.5 0.5 0 0.1", "empty-box"),
        ("0 1.5 0.5 0.1 0.1", "outside-box"),
        ("0 0.5 0.5 0.001 0.1", "tiny-box"),
        ("0 1.0 0.5 0.1 0.1", "clipped-box"),
    ],
)
def test_faulty_lines(tmp_path: Path, line: str, kind: str) -> None:
    catalog = obeys(read_yolo(yolo(tmp_path, {"a": f"1 0.5 0.5 0.1 0.1\n\n{line}\n"})))
    assert kinds(catalog) == [kind]
    assert "line 3" in catalog.findings[0].value
    assert catalog.boxes_in == 2


def test_rounding_at_the_border_is_no_fault(tmp_path: Path) -> None:
    catalog = obeys(read_yolo(yolo(tmp_path, {"a": "0 0.050001 0.5 0.100004 1.00001"})))
    assert catalog.findings == ()
    assert catalog.boxes[0, 0] == 0


def test_faulty_files(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1", "b": "", "c": ""})
    (root / "labels" / "b.txt").write_bytes(b"0 \xff\xfe")
    (root / "images" / "c.jpg").write_text("no image")
    (root / "labels" / "orphan.txt").write_text("0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.2 0.1\n")
    (root / "labels" / "classes.txt").write_text("stop\n")
    (root / "labels" / "labels.cache").write_bytes(b"\x80\x04a pickle")
    catalog = obeys(read_yolo(root))
    assert kinds(catalog) == ["ignored-pickle", "missing-image", "unreadable-annotation", "unreadable-image"]
    assert (catalog.images_in, catalog.boxes_in) == (4, 3)


@pytest.mark.parametrize(
    ("train", "path"),
    [
        ("images/train", ""),
        ("./images/train", "."),
        ("images/train", "elsewhere"),
        ("../images/train", ""),
        ("images/train", "../datasets/signs"),
        ("images/train", "C:\\Users\\me\\signs"),
        ("/content/drive/images/train", ""),
        ("[images/train]", ""),
        ("images/train.txt", ""),
    ],
)
def test_split_folders_are_found_below_the_root(tmp_path: Path, train: str, path: str) -> None:
    picture(tmp_path / "images" / "train" / "a.jpg")
    (tmp_path / "images" / "train.txt").write_text("./train/a.jpg\n")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / "data.yaml").write_text(f"path: {path}\ntrain: {train}\nnames: [stop]\n")
    catalog = obeys(read_yolo(tmp_path))
    assert catalog.findings == ()
    assert catalog.splits.tolist() == [Split.TRAIN]
    assert len(catalog.boxes) == 1


@pytest.mark.parametrize("train", ["../images", "../other/images", "/other/images", "linked/images"])
def test_nothing_outside_is_read(tmp_path: Path, train: str) -> None:
    picture(tmp_path / "other" / "images" / "secret.jpg")
    root = tmp_path / "set"
    root.mkdir()
    os.symlink(tmp_path / "other", root / "linked")
    (root / "data.yaml").write_text(f"train: {train}\nnames: [stop]\n")
    with pytest.raises(InputError, match="leads to no image"):
        read_yolo(root)


def test_links_that_leave_the_root_are_refused(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set", {"a": None, "b": None})
    (tmp_path / "secret.txt").write_text("0 0.5 0.5 0.1 0.1")
    os.symlink(tmp_path / "secret.txt", root / "labels" / "a.txt")
    os.symlink(picture(tmp_path / "secret.jpg"), root / "images" / "c.jpg")
    catalog = obeys(read_yolo(root))
    assert kinds(catalog) == ["path-outside", "path-outside"]
    assert len(catalog) == 1


@pytest.mark.parametrize("names", ["[b, a]", "{1: a, 0: b}", "\n- b\n- a", "\n  0: b\n  1: a"])
def test_names_in_every_form(tmp_path: Path, names: str) -> None:
    assert read_yolo(yolo(tmp_path, {"a": None}, f"train: images\nnames: {names}\n")).classes.names == ("b", "a")


def test_classes_of_the_same_name_are_one(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "2 0.5 0.5 0.1 0.1\n"}, "train: images\nnames: [stop, yield, stop]\n")
    catalog = obeys(read_yolo(root))
    assert kinds(catalog) == ["doubled-class"]
    assert catalog.class_counts().tolist() == [1, 0]


def test_names_without_yaml(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "1 0.5 0.5 0.1 0.1"})
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("stop\nyield\n")
    catalog = obeys(read_yolo(root))
    assert catalog.splits.tolist() == [Split.NONE]
    assert catalog.class_counts().tolist() == [0, 1]


def test_absent_and_repeated_splits(tmp_path: Path) -> None:
    text = "train: images\nval: images\ntest: test/images\nnames: [stop, yield]\n"
    catalog = obeys(read_yolo(yolo(tmp_path, {"a": None}, text)))
    assert kinds(catalog) == ["doubled-split", "missing-split"]
    assert catalog.splits.tolist() == [Split.TRAIN]


@pytest.mark.parametrize(
    "text",
    ["names: [a", "names: 3", "names: []", "names: [[a]]", "names: {a: b}", "names: !!python/object:os.system a"],
)
def test_a_broken_description_is_named(tmp_path: Path, text: str) -> None:
    root = yolo(tmp_path, {"a": None}, text)
    with pytest.raises(InputError, match=r"data\.yaml"):
        read_yolo(root)


def test_a_yaml_bomb_does_no_harm(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    root = yolo(tmp_path, {"a": None}, "\n".join([*lines, "names: *a29"]))
    with pytest.raises(InputError, match=r"data\.yaml"):
        read_yolo(root)


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="looked for"):
        read_yolo(tmp_path)


@needs_real
def test_au_signs() -> None:
    catalog = obeys(read_yolo(REAL / "data" / "au_signs_yolo"))
    assert [len(catalog.split(name)) for name in ("train", "val", "test")] == [160, 40, 40]
    assert catalog.findings == ()
    assert catalog.classes.names == ("TrafficSigns",)


@needs_real
@pytest.mark.parametrize(
    ("file", "count"), [("gdrive_wrong_dir", 25), ("inline_names", 15), ("names_dict", 1), ("roboflow_names_list", 31)]
)
def test_descriptions_from_the_wild(tmp_path: Path, file: str, count: int) -> None:
    (tmp_path / "data.yaml").write_bytes((REAL / "formats" / f"yolo_data_{file}.yaml").read_bytes())
    description = describe(Root(tmp_path))
    assert description is not None
    assert len(description.names) == count
    assert len(description.entries) >= 2


@pytest.mark.parametrize("layout", ["images", "images/train", "train/images"])
@pytest.mark.parametrize("listed", ["data.yaml", "classes.txt", "labels/classes.txt"])
def test_labels_without_any_image_can_be_planned(tmp_path: Path, layout: str, listed: str) -> None:
    labels = tmp_path / layout.replace("images", "labels")
    labels.mkdir(parents=True)
    (labels / "b.txt").write_text("1 0.5 0.5 0.5 0.25\n")
    (labels / "a.txt").write_text("")
    text = f"train: {layout}\nnames: [stop, yield]\n" if listed == "data.yaml" else "stop\nyield\n"
    (tmp_path / listed).parent.mkdir(exist_ok=True)
    (tmp_path / listed).write_text(text)
    catalog = obeys(read_yolo(tmp_path))
    assert kinds(catalog) == ["assumed-size", "no-images"]
    assert [catalog.name(row) for row in range(2)] == [f"{layout}/a.jpg", f"{layout}/b.jpg"]
    height, width = catalog.sizes[1]
    assert catalog.boxes.tolist() == [[width / 4, height * 3 / 8, width * 3 / 4, height * 5 / 8]]
    assert catalog.classes.names == ("stop", "yield")
    assert not catalog.has_images


def test_a_dataset_that_lacks_some_images_loses_those(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1", "b": "0 0.5 0.5 0.1 0.1"})
    (root / "images" / "b.jpg").unlink()
    catalog = obeys(read_yolo(root))
    assert catalog.has_images
    assert (len(catalog), kinds(catalog)) == (1, ["missing-image"])


@pytest.mark.parametrize("layout", ["images", "images/val", "val/images", "beside"])
def test_classes_that_nothing_names_are_called_by_their_numbers(tmp_path: Path, layout: str) -> None:
    images = tmp_path if layout == "beside" else tmp_path / layout
    labels = tmp_path if layout == "beside" else tmp_path / layout.replace("images", "labels")
    picture(images / "a.jpg")
    labels.mkdir(parents=True, exist_ok=True)
    (labels / "a.txt").write_text("11 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.1 0.1\nstop 0.5 0.5 0.1 0.1\n")
    for format in ("auto", "yolo"):
        catalog = obeys(read(tmp_path, format))
        assert catalog.classes.names == ("2", "11")
        assert kinds(catalog) == ["unknown-class", "unnamed-classes"]
        assert set(catalog.splits) == {Split.VAL if "val" in layout else Split.NONE}


def test_class_names_stay_as_they_are_written(tmp_path: Path) -> None:
    text = "train: images\nnames: [no, 010, 1.50, 12:30, ~, 2001-01-01, yes]\n"
    expected = ("no", "010", "1.50", "12:30", "~", "2001-01-01", "yes")
    assert read_yolo(yolo(tmp_path, {"a": None}, text)).classes.names == expected


def test_another_yaml_file_does_not_matter(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": None})
    (root / "data.yaml").rename(root / "signs.yaml")
    (root / "broken.yaml").write_text("names: [a")
    catalog = obeys(read_yolo(root))
    assert catalog.classes.names == ("stop", "yield")
    assert kinds(catalog) == ["broken-description"]
