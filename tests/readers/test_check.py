import json
from pathlib import Path

import pytest

from detaug.errors import InputError
from detaug.readers.check import FEW, check
from tests.readers.making import picture, voc, xml

BOX = (2, 2, 20, 20)


def sound(root: Path) -> Path:
    voc(root / "train", {f"a{i}": [("s", BOX), ("t", BOX)] for i in range(FEW)})
    return voc(root / "val", {"b": [("s", BOX)]}).parent


def test_a_sound_dataset(tmp_path: Path) -> None:
    report = check(sound(tmp_path))
    assert report.exit_code == 0
    assert report.findings == ()
    assert report.format == "voc"
    assert report.splits == {"train": FEW, "val": 1}
    assert report.classes == {"train": {"s": FEW, "t": FEW}, "val": {"s": 1, "t": 0}}
    assert "no findings" in report.text()


def test_json_has_the_same_numbers(tmp_path: Path) -> None:
    report = check(sound(tmp_path), "voc")
    content = json.loads(report.json())
    assert content["images"] == content["images_in"] == FEW + 1
    assert content["boxes"] == content["boxes_in"] == 2 * FEW + 1
    assert content["classes"] == report.classes
    assert content["reason"] == "as told"


def test_rare_and_untrained_classes(tmp_path: Path) -> None:
    sound(tmp_path)
    voc(tmp_path / "train", {"c": [("u", BOX)]})
    voc(tmp_path / "val", {"d": [("v", BOX)]})
    report = check(tmp_path)
    assert {(f.kind, f.file) for f in report.findings} == {("rare-class", "u"), ("untrained-class", "v")}
    assert report.exit_code == 1


def test_every_kind_of_fault_is_in_the_text(tmp_path: Path) -> None:
    root = sound(tmp_path) / "train"
    (root / "images" / "a0.jpg").unlink()
    (root / "images" / "a1.jpg").write_bytes(b"")
    (root / "images" / "a2.jpg").write_bytes((root / "images" / "a2.jpg").read_bytes()[:-20])
    (root / "annotations" / "a3.xml").write_text(xml([("s", BOX), ("s", BOX), ("t", (70, 2, 90, 9))], "a3.jpg"))
    picture(root / "images" / "a4.jpg", 50, 60)
    (root / "annotations" / "a5.xml").write_text(xml([("s", (2, 2, 2, 9))], "a5.jpg"))
    report = check(tmp_path)
    kinds = ("missing", "unreadable", "truncated", "doubled", "outside", "empty", "size-mismatch", "rare")
    assert all(kind in report.text() for kind in kinds)
    assert report.images_in == report.images + sum(f.images_lost for f in report.findings)
    assert report.boxes_in == report.boxes + sum(f.boxes_lost for f in report.findings)


def test_an_unusable_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recognised"):
        check(tmp_path)
