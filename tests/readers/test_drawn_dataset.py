import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from detaug.errors import InputError
from detaug.readers.drawn import DESCRIPTION, NAMES, dataset, draw_dataset

SMALL = (192, 320)


def files(root: Path) -> dict[str, bytes]:
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def test_an_empty_split_is_a_dataset(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "drawn", images={"train": 0})
    content = json.loads((tmp_path / "drawn/annotations/instances_train.json").read_text())
    assert (content["images"], content["annotations"]) == ([], [])


def test_a_scene_depends_on_seed_split_and_index_alone(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "a", images={"train": 4, "val": 2}, size=SMALL)
    draw_dataset(tmp_path / "b", images={"train": 2}, size=SMALL)
    draw_dataset(tmp_path / "c", images={"train": 2}, size=SMALL, seed=1)
    a, b, c = (files(tmp_path / name) for name in "abc")
    pictures = ["train/000000.jpg", "train/000001.jpg"]
    assert [a[p] for p in pictures] == [b[p] for p in pictures]
    assert not {b[p] for p in pictures} & {c[p] for p in pictures}
    assert a["val/000000.jpg"] != a["train/000000.jpg"]
    draw_dataset(tmp_path / "d", images={"train": 4, "val": 2}, size=SMALL)
    assert files(tmp_path / "d") == a


def test_annotations_are_coco(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "drawn", images={"train": 6, "val": 1}, size=SMALL, seed=3)
    content = json.loads((tmp_path / "drawn/annotations/instances_train.json").read_text())
    assert content["info"]["description"] == DESCRIPTION
    assert content["info"]["seed"] == 3
    assert [c["name"] for c in content["categories"]] == list(NAMES)
    for image in content["images"]:
        picture = cv2.imread(str(tmp_path / "drawn/train" / image["file_name"]))
        assert picture is not None
        assert picture.shape[:2] == (image["height"], image["width"]) == SMALL
    known = {image["id"] for image in content["images"]}
    assert content["annotations"]
    for sign in content["annotations"]:
        x, y, wide, high = sign["bbox"]
        assert sign["image_id"] in known
        assert 0 <= x < x + wide <= SMALL[1]
        assert 0 <= y < y + high <= SMALL[0]


def test_what_is_there_is_kept_and_what_is_foreign_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "drawn"
    draw_dataset(root, images={"train": 1}, size=SMALL)
    before = {f: f.stat().st_mtime_ns for f in root.rglob("*")}
    draw_dataset(root, images={"train": 1}, size=SMALL)
    assert {f: f.stat().st_mtime_ns for f in root.rglob("*")} == before
    with pytest.raises(InputError, match="other settings"):
        draw_dataset(root, images={"train": 2}, size=SMALL)
    with pytest.raises(InputError, match="other settings"):
        draw_dataset(root, images={"train": 1}, size=SMALL, seed=1)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        draw_dataset(foreign, images={"train": 1}, size=SMALL)
    assert files(foreign) == {"note.txt": b"mine"}


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(job: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "draw_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_dataset(tmp_path / "drawn", images={"train": 1}, size=SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"images": {"test2": 1}}, {"images": {"train": -1}}, {"seed": -1}, {"size": (100, 640)}]
)
def test_wrong_settings_are_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        draw_dataset(tmp_path / "drawn", **wrong)


@pytest.mark.slow
def test_processes_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_dataset(tmp_path / "many", images={"train": 60}, size=SMALL)
    monkeypatch.setattr(dataset, "_can_spawn", lambda: False)
    draw_dataset(tmp_path / "one", images={"train": 60}, size=SMALL)
    assert files(tmp_path / "many") == files(tmp_path / "one")
