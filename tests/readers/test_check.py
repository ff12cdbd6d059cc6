import json
from pathlib import Path

import pytest

from detaug.errors import Finding, InputError
from detaug.readers.check.boxes import FEW
from detaug.readers.check.check import check
from detaug.readers.check.report import ordered
from tests.readers.making import REAL, coco, needs_real, picture, voc, xml
from tests.readers.textures import all_different

BOX = (2, 2, 20, 20)


def sound(root: Path) -> Path:
    voc(root / "train", {f"{chr(97 + i)}0": [("s", BOX), ("t", BOX)] for i in range(FEW)})
    return all_different(voc(root / "val", {"z0": [("s", BOX)]}).parent)


def test_a_sound_dataset(tmp_path: Path) -> None:
    report = check(sound(tmp_path))
    assert report.findings == ()
    assert report.exit_code == 0
    assert report.format == "voc"
    assert report.splits == {"train": FEW, "val": 1}
    assert report.without_boxes == {"train": 0, "val": 0}
    assert report.classes == {"train": {"s": FEW, "t": FEW}, "val": {"s": 1, "t": 0}}
    assert "no findings" in report.text()


def test_json_has_the_same_numbers(tmp_path: Path) -> None:
    report = check(sound(tmp_path), "voc")
    content = json.loads(report.json())
    assert content["images"] == content["images_in"] == FEW + 1
    assert content["boxes"] == content["boxes_in"] == 2 * FEW + 1
    assert content["classes"] == report.classes
    assert content["sides"] == report.sides
    assert content["reason"] == "as told"


def test_rare_and_untrained_classes(tmp_path: Path) -> None:
    sound(tmp_path)
    voc(tmp_path / "train", {"y": [("u", BOX)]})
    voc(tmp_path / "val", {"x": [("v", BOX)]})
    report = check(all_different(tmp_path))
    assert {(f.kind, f.file) for f in report.findings} == {("rare-class", "u"), ("untrained-class", "v")}
    assert report.exit_code == 1


def faulty(root: Path) -> Path:
    """One of each fault that a VOC dataset can have."""
    train = sound(root) / "train"
    images, annotations = train / "images", train / "annotations"
    (images / "a0.jpg").unlink()
    (images / "b0.jpg").write_bytes(b"")
    (images / "c0.jpg").write_bytes((images / "c0.jpg").read_bytes()[:-20])
    (annotations / "d0.xml").write_text(xml([("s", BOX), ("s", BOX), ("t", (70, 2, 90, 9))], "d0.jpg"))
    picture(images / "e0.jpg", 50, 60)
    (annotations / "f0.xml").write_text(xml([("s", (2, 2, 2, 9)), ("S", (2, 2, 4, 30))], "f0.jpg"))
    (images / "g0.jpg").write_bytes((images / "g0.jpg").read_bytes()[:-100] + b"\xff\xd9")
    (root / "val" / "images" / "z0.jpg").write_bytes((images / "h0.jpg").read_bytes())
    (annotations / "i0.xml").write_text(xml([], "i0.jpg"))
    return root


def test_every_kind_of_fault_is_in_the_text_and_in_the_json(tmp_path: Path) -> None:
    report = check(faulty(tmp_path))
    kinds = {
        "missing-image", "unreadable-image", "truncated-image", "doubled-box", "outside-box", "empty-box",
        "size-mismatch", "rare-class", "small-box", "similar-class", "leaked-image", "conflicting-boxes",
    }  # fmt: skip
    assert kinds == {finding.kind for finding in report.findings}
    assert sum(finding.kind == "truncated-image" for finding in report.findings) == 2
    assert report.without_boxes == {"train": 1, "val": 0}
    assert report.images_in == report.images + sum(f.images_lost for f in report.findings)
    assert report.boxes_in == report.boxes + sum(f.boxes_lost for f in report.findings)
    text, content = report.text(), json.loads(report.json())
    assert [Finding(**f) for f in content["findings"]] == list(report.findings)
    for finding in report.findings:
        assert f"\n{finding.kind}: " in text
        assert f"  {finding.file}: {finding.value}" in text


def test_fast_leaves_out_what_needs_pixels(tmp_path: Path) -> None:
    whole, fast = (check(faulty(tmp_path), fast=fast) for fast in (False, True))
    missing = set(whole.findings) - set(fast.findings)
    assert set(fast.findings) <= set(whole.findings)
    assert sorted(f.kind for f in missing) == ["conflicting-boxes", "leaked-image", "truncated-image"]
    assert "pixels: not looked at" in fast.text()
    assert "pixels: all images decoded" in whole.text()


def test_without_images_the_text_says_so(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 60, "height": 40} for i in range(3)]
    boxes = [{"id": i, "image_id": 0, "category_id": 1, "bbox": [5, 5, 10 + i, 2]} for i in range(3)]
    coco(tmp_path / "annotations" / "instances_train.json", images, boxes)
    report = check(tmp_path)
    assert "pixels: not looked at, since no image file is here" in report.text()
    assert report.images == 3
    assert sum(finding.kind == "small-box" for finding in report.findings) == 3


@pytest.mark.parametrize(("side", "bin_"), [(2.9, "0-3"), (3, "3-8"), (7.9, "3-8"), (8, "8-16"), (16, "16-32"),
    (32, "32-64"), (64, "64-128"), (127, "64-128"), (128, "128 and more"), (300, "128 and more")])  # fmt: skip
def test_the_histogram_counts_the_shorter_side(tmp_path: Path, side: float, bin_: str) -> None:
    picture(tmp_path / "train" / "a.jpg", 400, 500)
    boxes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 320, side]}]
    coco(tmp_path / "train" / "_annotations.coco.json", [{"id": 1, "file_name": "a.jpg"}], boxes)
    report = check(tmp_path)
    assert {name: count for name, count in report.sides.items() if count} == {bin_: 1}
    assert any(finding.kind == "small-box" for finding in report.findings) == (side < 3)


def test_the_text_fits_80_columns_and_shows_twenty_of_a_kind(tmp_path: Path) -> None:
    many = [("s", (2 + i, 2, 4 + i, 20)) for i in range(30)]
    long = "a class name that is much longer than any column of a table"
    voc(tmp_path / "train", {"a": many, "b": [(long, BOX)] * 12})
    voc(tmp_path / "test", {"c": [("s", BOX)]})
    report = check(all_different(tmp_path), "voc")
    lines = report.text().splitlines()
    table = lines[3 : lines.index("", lines.index("", 4) + 1)]
    assert max(len(line) for line in table) <= 80
    assert sum(line.startswith("  train/images/a.jpg: s: 2 x 18") for line in lines) == 20
    assert "  and 10 more; --json has all" in lines
    assert sum(f["kind"] == "small-box" for f in json.loads(report.json())["findings"]) == 30


def test_what_loses_data_or_leaks_comes_first() -> None:
    note, leak = Finding("rare-class", "a", ""), Finding("near-duplicate", "b", "")
    boxes, image = Finding("empty-box", "c", "", boxes_lost=1), Finding("missing-image", "d", "", images_lost=1)
    cut, mismatch = Finding("truncated-image", "e", ""), Finding("size-mismatch", "f", "")
    kinds = [f.kind for f in ordered([note, leak, mismatch, mismatch, boxes, image, note, cut, cut])]
    assert kinds == [
        "truncated-image", "truncated-image", "missing-image", "empty-box", "near-duplicate", "size-mismatch",
        "size-mismatch", "rare-class", "rare-class",
    ]  # fmt: skip


def test_an_unusable_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recognised"):
        check(tmp_path)


@needs_real
@pytest.mark.parametrize(("name", "images", "boxes"), [("road_signs", 604, 873), ("au_signs_yolo", 240, 372)])
def test_real_datasets_have_no_false_alarms(name: str, images: int, boxes: int) -> None:
    report = check(REAL / "data" / name)
    assert (report.images, report.boxes, sum(report.sides.values())) == (images, boxes, boxes)
    assert {finding.kind for finding in report.findings} <= {"near-duplicate"}
