import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from detaug.readers import index, stamps
from detaug.readers import read as reading_module
from detaug.readers.catalog import Catalog
from detaug.readers.read import read, reading
from tests.readers.indexing import MAKERS, aged, empty, make_voc, make_yolo, removed, same
from tests.readers.making import obeys, picture, voc


def test_an_empty_catalog_comes_back(tmp_path: Path) -> None:
    found = index.load(index.save(empty(), tmp_path), Path("nowhere"))
    assert same(found, empty())
    assert same(pickle.loads(pickle.dumps(found)), empty())  # noqa: S301


@pytest.mark.parametrize("format", MAKERS)
def test_a_second_read_is_equal_and_reads_no_annotation(tmp_path: Path, format: str, reads: list[str]) -> None:
    root = MAKERS[format](tmp_path / "set")
    plain = read(root, format, index=False)
    assert not (root / ".detaug").exists()
    first, second = read(root), reading(root)
    assert reads == [format, format]
    assert same(plain, first)
    assert same(plain, obeys(second.catalog))
    assert second.format == format
    assert second.reason == reading(root, index=False).reason
    assert second.catalog.findings
    assert not second.catalog.boxes.flags.writeable
    assert same(read(root, format), plain)
    assert reads == [format] * 3  # by its name it was there already; the third is the reason's own


def test_arrays_are_one_map_and_not_copied(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    read(root)
    catalog = read(root)
    arrays = [v for f in fields(Catalog) if isinstance(v := getattr(catalog, f.name), np.ndarray)]
    bases = set()
    for array in arrays:
        assert type(array) is np.ndarray
        assert array.ctypes.data % 64 == 0
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        bases.add(id(base.base.obj if isinstance(base.base, memoryview) else base.base))
    assert len(bases) == 1


def change(root: Path, format: str) -> Path:
    return {
        "voc": root / "annotations" / "a.xml",
        "yolo": root / "labels" / "a.txt",
        "coco": root / "annotations" / "instances_train.json",
    }[format]


SWAPS = {"voc": ("<xmin>1<", "<xmin>3<"), "yolo": ("0 0.5 0.5", "1 0.5 0.5"), "coco": ('"bbox": [1,', '"bbox": [3,')}


@pytest.mark.parametrize("restored", [False, True])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("format", MAKERS)
def test_a_changed_annotation_of_the_same_size_is_seen(
    tmp_path: Path, format: str, old: bool, restored: bool, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = aged(MAKERS[format](tmp_path / "set"))
    if old:  # as if the files had been stamped long after they were made
        monkeypatch.setattr(stamps, "RACY", 0)
    before = read(root)
    file = change(root, format)
    status = file.stat()
    text = file.read_text()
    assert SWAPS[format][0] in text
    file.write_text(text.replace(*SWAPS[format]))
    assert file.stat().st_size == status.st_size
    if restored:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = read(root)
    assert len(reads) == 2
    assert not same(before, after)
    assert same(after, read(root, index=False))


def test_a_touched_file_is_compared_once(
    tmp_path: Path, reads: list[str], compared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "RACY", 0)
    root = make_voc(tmp_path / "set")
    before = read(root)
    compared.clear()
    (root / "annotations" / "a.xml").touch()
    for _ in range(3):
        assert same(read(root), before)
    assert reads == ["voc"]
    assert compared == [1]


def test_fresh_files_are_compared_until_they_have_settled(
    tmp_path: Path, compared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_voc(tmp_path / "set")
    read(root)
    read(root)
    assert compared == [3, 3]
    monkeypatch.setattr(stamps, "RACY", 0)  # stands for two seconds later
    read(root)
    read(root)
    assert compared == [3, 3, 3]


def added(root: Path) -> None:
    voc(root, {"new": [("stop", (1, 1, 9, 9))]})


def an_image_added(root: Path) -> None:
    picture(root / "images" / "unnamed.jpg")


def an_image_removed(root: Path) -> None:
    (root / "images" / "c.jpg").unlink()


def a_list_of_a_split(root: Path) -> None:
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "val.txt").write_text("a\n")


def a_link_turned(root: Path) -> None:
    link = root / "annotations" / "c.xml"
    link.unlink()
    link.symlink_to("a.xml")


@pytest.mark.parametrize(
    "what",
    [added, removed, an_image_added, an_image_removed, a_list_of_a_split, a_link_turned],
    ids=lambda f: f.__name__,
)
def test_what_is_added_or_removed_is_seen(
    tmp_path: Path, what: Callable[[Path], None], reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "RACY", 0)
    root = make_voc(tmp_path / "set")
    link = root / "annotations" / "c.xml"
    link.unlink()
    link.symlink_to("é.xml")
    before = read(root, "voc")
    what(root)
    after = read(root, "voc")
    assert reads == ["voc", "voc"]
    assert same(after, read(root, "voc", index=False))
    assert not same(before, after)


def test_a_label_that_was_missing_is_seen(tmp_path: Path) -> None:
    root = make_yolo(tmp_path / "set")
    count = len(read(root).boxes)
    (root / "labels" / "b.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert len(read(root).boxes) == count + 1


def test_a_mended_image_is_seen(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    whole = (root / "images" / "a.jpg").read_bytes()
    (root / "images" / "a.jpg").write_bytes(whole[:100])
    assert len(read(root)) == 2
    (root / "images" / "a.jpg").write_bytes(whole)
    assert len(read(root)) == 3


def test_the_class_table_counts(tmp_path: Path, reads: list[str]) -> None:
    root = make_voc(tmp_path / "set")
    table = tmp_path / "table.yaml"
    table.write_text("stop: {outline: octagon}\nyield: {outline: rectangle}\n")
    first = read(root, classes=table)
    assert same(read(root, classes=table), first)
    table.write_text("stop: {outline: rectangle}\nyield: {outline: rectangle}\n")
    second = read(root, classes=table)
    assert reads == ["voc", "voc"]
    assert first.classes.outline.tolist() != second.classes.outline.tolist()


def test_the_package_counts(tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_voc(tmp_path / "set")
    read(root)
    monkeypatch.setattr(index, "_package", lambda: b"another version")
    read(root)
    assert reads == ["voc", "voc"]


def test_links_are_part_of_the_question(tmp_path: Path, reads: list[str]) -> None:
    root, outside = make_voc(tmp_path / "set"), voc(tmp_path / "outside", {"far": [("stop", (1, 1, 9, 9))]})
    for name in ("images/far.jpg", "annotations/far.xml"):
        (root / name).symlink_to(outside / name)
    inner, whole = read(root, "voc"), read(root, "voc", follow_links=True)
    assert (len(inner), len(whole)) == (3, 4)
    assert same(read(root, "voc"), inner)
    assert same(read(root, "voc", follow_links=True), whole)
    assert reads == ["voc", "voc"]
    (outside / "annotations" / "far.xml").write_text("<annotation><filename>far.jpg</filename></annotation>")
    assert len(read(root, "voc", follow_links=True).boxes) == len(whole.boxes) - 1


def test_a_folder_behind_a_link_is_watched(tmp_path: Path, reads: list[str]) -> None:
    outside = make_voc(tmp_path / "outside")
    root = tmp_path / "set"
    root.mkdir()
    for name in ("images", "annotations"):
        (root / name).symlink_to(outside / name)
    assert len(read(root, "voc", follow_links=True)) == 3
    added(outside)
    assert len(read(root, "voc", follow_links=True)) == 4
    read(root, "voc", follow_links=True)
    assert reads == ["voc", "voc"]


def test_a_dataset_that_cannot_be_written_is_indexed_in_the_cache(
    tmp_path: Path, cache_folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_voc(tmp_path / "set")
    (root / ".detaug").write_text("no folder")
    catalog = read(root)
    assert catalog.index is not None
    assert catalog.index.is_relative_to(cache_folder / "detaug")
    assert same(read(root), catalog)
    assert same(replace(read(tmp_path / "set" / ".." / "set"), root=root), catalog)
    assert reads == ["voc"]
    (cache_folder / "no folder").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folder / "no folder"))
    assert read(root).index is None
    assert reads == ["voc", "voc"]


def test_a_folder_that_is_a_link_is_not_written(tmp_path: Path, cache_folder: Path) -> None:
    root = make_voc(tmp_path / "set")
    (tmp_path / "elsewhere").mkdir()
    (root / ".detaug").symlink_to(tmp_path / "elsewhere")
    found = read(root).index
    assert found is not None
    assert found.is_relative_to(cache_folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_index_that_came_with_the_dataset_is_not_trusted(tmp_path: Path, reads: list[str]) -> None:
    root = voc(tmp_path / "set", {"a": [("stop", (1, 2, 9, 9))]})
    assert read(root).findings == ()
    shutil.copytree(root, tmp_path / "copy")
    read(tmp_path / "copy")
    assert reads == ["voc", "voc"]
    shutil.move(root, tmp_path / "moved")
    assert read(tmp_path / "moved").root == tmp_path / "moved"
    assert reads == ["voc", "voc"]


def test_what_changes_while_it_is_read_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_voc(tmp_path / "set")
    reader = reading_module.READERS["voc"]

    def disturbed(folder: object, classes: object) -> Catalog:
        catalog = reader(folder, classes)  # type: ignore[arg-type]
        file = root / "annotations" / "a.xml"
        file.write_text(file.read_text().replace("stop", "halt"))
        return catalog

    monkeypatch.setitem(reading_module.READERS, "voc", disturbed)
    assert "halt" not in read(root).classes.names
    monkeypatch.setitem(reading_module.READERS, "voc", reader)
    assert "halt" in read(root).classes.names
