import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from detaug.errors import InputError
from detaug.readers.detect import detect
from detaug.readers.read import READERS, read
from tests.readers.making import REAL, coco, needs_real, obeys, picture, voc, yolo


def folder(root: Path, format: str) -> Path:
    if format == "voc":
        return voc(root, {"a": [("s", (1, 1, 9, 9))]})
    if format == "yolo":
        return yolo(root, {"a": "0 0.5 0.5 0.1 0.1"})
    picture(root / "train" / "a.jpg")
    annotation = {"image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9]}
    coco(root / "annotations" / "instances_train.json", [{"id": 0, "file_name": "a.jpg"}], [annotation])
    return root


@pytest.mark.parametrize("format", ["voc", "yolo", "coco"])
def test_the_format_is_recognised(tmp_path: Path, format: str) -> None:
    root = folder(tmp_path, format)
    found, reason = detect(root)
    assert found == format
    assert any(word in reason for word in ("data.yaml", ".xml", ".json"))
    for told in ("auto", format):
        assert len(obeys(read(root, told)).boxes) == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.yaml .* looked for|looked for data\.yaml"):
        read(tmp_path)


def test_unknown_formats_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'pascal' is not one of auto, voc"):
        read(folder(tmp_path, "voc"), "pascal")
    for format in ("auto", "voc", "coco", "yolo"):
        with pytest.raises(InputError, match="does not exist"):
            read(tmp_path / "gone", format)


def test_drawn_scenes_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    module = ModuleType("detaug.readers.drawn.dataset")
    module.draw_dataset = lambda root: calls.append(folder(root, "coco"))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "detaug.readers.drawn.dataset", module)
    for _ in range(2):
        assert len(READERS["drawn"](tmp_path / "scenes", None)) == 1
    assert len(calls) == 1


@needs_real
def test_road_signs_are_read_in_a_second() -> None:
    read(REAL / "data" / "road_signs")
    start = time.perf_counter()
    read(REAL / "data" / "road_signs")
    assert time.perf_counter() - start < 1.5


def test_a_folder_of_images_alone_is_read_without_boxes(tmp_path: Path) -> None:
    for name in ("b.png", "deep/a.jpg"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    catalog = read(tmp_path, "images")
    assert [catalog.name(i) for i in range(len(catalog))] == ["b.png", "deep/a.jpg"]
    assert (len(catalog.boxes), len(catalog.classes), catalog.images_in) == (0, 0, 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        read(tmp_path / "empty", "images")
