"""Datasets one folder too deep, as archives unpack, and formats that are recognised but cannot be read."""

from pathlib import Path

import pytest

from detaug.errors import InputError
from detaug.readers.catalog import Split
from detaug.readers.detect import detect
from detaug.readers.read import read, reading
from tests.readers.making import kinds, obeys, picture, voc, yolo
from tests.readers.test_detect import FORMATS, make


@pytest.mark.parametrize("above", ["set", "set/set"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_dataset_in_a_folder_is_found_and_the_reason_says_so(tmp_path: Path, format: str, above: str) -> None:
    make(tmp_path / above, format)
    (tmp_path / "readme.md").write_text("signs")
    (tmp_path / "__MACOSX").mkdir()
    alone = read(tmp_path / above, index=False)
    for _ in range(2):  # the second time from the index
        found = reading(tmp_path)
        catalog = obeys(found.catalog)
        assert found.format == format
        assert [catalog.path(row) for row in range(len(catalog))] == [alone.path(row) for row in range(len(alone))]
        assert catalog.boxes.tolist() == alone.boxes.tolist()
        assert [kind for kind in kinds(catalog) if kind != "stray-file"] == kinds(alone)
        below = catalog.root.relative_to(tmp_path).as_posix()
        # VOC and COCO look into the folders of their root themselves
        assert below == above or (format in ("voc", "coco") and f"{below}/set" in (f"./{above}", above))
        assert found.reason.startswith("set/" if below == "." else f"in the folder {below}: ")
    assert detect(tmp_path) == (format, found.reason)


def test_of_several_folders_the_one_dataset_is_taken(tmp_path: Path) -> None:
    yolo(tmp_path / "signs", {"a": "0 0.5 0.5 0.1 0.1"})
    (tmp_path / "docs").mkdir()
    assert obeys(read(tmp_path)).root == tmp_path / "signs"
    voc(tmp_path / "other" / "deep", {"b": [("s", (1, 1, 9, 9))]})
    (tmp_path / "other" / "deep" / "annotations").rename(tmp_path / "other" / "deep" / "notes")
    assert read(tmp_path).root == tmp_path, "annotations anywhere below come first"


def test_several_datasets_are_named_and_none_is_taken(tmp_path: Path) -> None:
    for name in ("north", "south"):
        yolo(tmp_path / name, {"a": "0 0.5 0.5 0.1 0.1"})
    with pytest.raises(InputError, match=r"2 of its folders are datasets: north \(yolo\), south \(yolo\)"):
        read(tmp_path)


def test_a_split_is_no_dataset_of_its_own(tmp_path: Path) -> None:
    yolo(tmp_path / "train", {"a": "0 0.5 0.5 0.1 0.1"})
    (tmp_path / "train" / "data.yaml").unlink()
    catalog = obeys(read(tmp_path))
    assert catalog.root == tmp_path
    assert catalog.splits.tolist() == [Split.TRAIN]


def test_a_link_to_a_dataset_outside_is_not_followed(tmp_path: Path) -> None:
    voc(tmp_path / "outside", {"a": [("s", (1, 1, 9, 9))]})
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "set").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="no dataset is recognised"):
        read(tmp_path / "root")
    assert len(read(tmp_path / "root", follow_links=True).boxes) == 1


def test_what_is_told_is_not_looked_for_below(tmp_path: Path) -> None:
    make(tmp_path / "set", "yolo")
    with pytest.raises(InputError, match="no YOLO dataset"):
        read(tmp_path, "yolo")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("train: /content/signs/imgs\nnames: [s]\n", "leads to no image"),
        ("names: [s\n", "not valid YAML"),
        ("names: !!python/name:os.system ''\n", "not valid YAML"),
    ],
)
def test_a_description_that_cannot_be_used_beside_good_annotations(tmp_path: Path, text: str, why: str) -> None:
    voc(tmp_path, {"a": [("s", (1, 1, 9, 9))]})
    (tmp_path / "data.yaml").write_text(text)
    for _ in range(2):
        found = reading(tmp_path)
        assert found.format == "voc"
        (fault,) = obeys(found.catalog).findings
        assert (fault.kind, fault.file) == ("unread-annotation", "data.yaml")
        assert why in fault.value
        assert len(found.catalog.boxes) == 1


def test_where_nothing_can_be_read_the_first_fault_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "data.yaml").write_text("train: gone\nnames: [s]\n")
    (tmp_path / "x.json").write_text('{"images": 1, "annotations": 2}')
    with pytest.raises(InputError, match=r"data\.yaml: it leads to no image"):
        read(tmp_path)
