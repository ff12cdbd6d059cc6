import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detaug.classes import ClassTable
from detaug.errors import Finding, InputError
from detaug.readers import index, stamps
from detaug.readers import read as reading_module
from detaug.readers.arrays import packed, unpacked
from detaug.readers.catalog import Catalog, pack_names
from detaug.readers.kept import catalog_from, content_of
from detaug.readers.read import read, reading
from detaug.readers.root import Root
from detaug.readers.split import fold, with_splits
from tests.readers.making import REAL, coco, needs_real, obeys, picture, voc, yolo

OLD = 1_600_000_000_000_000_000  # ns, long before any test


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats that were read from the dataset's own files, in order."""
    made: list[str] = []

    def counted(format: str, reader: reading_module.Reader) -> reading_module.Reader:
        def run(root: object, classes: object) -> Catalog:
            made.append(format)
            return reader(root, classes)  # type: ignore[arg-type]

        return run

    counting = {format: counted(format, reader) for format, reader in reading_module.READERS.items()}
    monkeypatch.setattr(reading_module, "READERS", counting)
    return made


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files were compared by their contents, each time that any were."""
    counts: list[int] = []
    digests = stamps._digests

    def counted(root: Root, names: Sequence[str]) -> NDArray[np.uint8]:
        counts.append(len(names))
        return digests(root, names)

    monkeypatch.setattr(stamps, "_digests", counted)
    return counts


def make_voc(root: Path) -> Path:
    return voc(root, {"a": [("stop", (1, 2, 9, 9))], "é": [("yield", (2, 3, 90, 8)), ("stop", (5, 5, 6, 6))], "c": []})


def make_yolo(root: Path) -> Path:
    return yolo(root, {"a": "0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1", "b": None, "c": "", "d": "7 0.5 0.5 0.1 0.1"})


def make_coco(root: Path) -> Path:
    picture(root / "train" / "a.jpg")
    picture(root / "train" / "spare.jpg")
    boxes = [{"image_id": 5, "category_id": i, "bbox": [i, 1, 9, 9], "iscrowd": i - 1} for i in (1, 2)]
    images = [{"id": 5, "file_name": "a.jpg"}, {"id": 9, "file_name": "gone.jpg"}]
    coco(root / "annotations" / "instances_train.json", images, boxes)
    return root


MAKERS: dict[str, Callable[[Path], Path]] = {"voc": make_voc, "yolo": make_yolo, "coco": make_coco}


def aged(root: Path) -> Path:
    """Nothing in the folder changed lately, as far as stamps can tell."""
    for path in sorted(root.rglob("*")):
        os.utime(path, ns=(OLD, OLD))
    return root


def same(left: Catalog, right: Catalog) -> bool:
    """Whether two catalogs are equal in every field but the file that they are mapped from."""
    for f in fields(Catalog):
        one, other = getattr(left, f.name), getattr(right, f.name)
        if f.name == "classes":
            if one.names != other.names or any(
                not np.array_equal(getattr(one, n), getattr(other, n)) for n in ("outline", "mirror", "turn")
            ):
                return False
        elif isinstance(one, np.ndarray):
            if one.dtype != other.dtype or not np.array_equal(one, other):
                return False
        elif f.name != "index" and one != other:
            return False
    return True


def empty() -> Catalog:
    text, ends = pack_names([])
    none = np.zeros(0, np.int64)
    return Catalog(
        root=Path("nowhere"),
        classes=ClassTable.plain([]),
        text=text,
        ends=ends,
        sizes=np.zeros((0, 2), np.int32),
        starts=np.zeros(1, np.int64),
        boxes=np.zeros((0, 4), np.float32),
        labels=none.astype(np.int32),
        flags=none.astype(np.uint8),
        ids=none,
        splits=none.astype(np.uint8),
        groups=none.astype(np.int32),
    )


def large(root: Path, images: int = 200_000) -> Catalog:
    """Three boxes an image, all different."""
    text, ends = pack_names([f"images/{i:07d}.jpg" for i in range(images)])
    corners = np.arange(images * 3, dtype=np.float32)[:, None] % 500 + np.array([0, 1, 20, 30], np.float32)
    return Catalog(
        root=root,
        classes=ClassTable.builtin("road_signs"),
        text=text,
        ends=ends,
        sizes=np.full((images, 2), 1000, np.int32),
        starts=np.arange(images + 1, dtype=np.int64) * 3,
        boxes=corners,
        labels=(np.arange(images * 3) % 4).astype(np.int32),
        flags=np.zeros(images * 3, np.uint8),
        ids=np.arange(images, dtype=np.int64),
        splits=(np.arange(images) % 3 + 1).astype(np.uint8),
        groups=np.arange(images, dtype=np.int32),
        images_in=images,
        boxes_in=images * 3,
    )


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


def removed(root: Path) -> None:
    (root / "annotations" / "a.xml").unlink()


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


def files(root: Path) -> list[Path]:
    return sorted(p for p in (root / ".detaug").iterdir() if p.suffix in (".index", ".catalog"))


DAMAGE = st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6)
LENGTHS = st.tuples(*[st.sampled_from([1.0, 1.0, 0.5, 0.01, 0.0])] * 3)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE, lengths=LENGTHS)
def test_a_damaged_index_is_as_good_as_none(
    tmp_path: Path, damage: list[tuple[int, float, int]], lengths: tuple[float, ...]
) -> None:
    root = tmp_path / "set"
    if not root.exists():
        make_yolo(root)
    plain = read(root, index=False)
    read(root)
    for number, (path, length) in enumerate(zip(files(root), lengths, strict=False)):
        content = bytearray(path.read_bytes())
        for _, place, flip in (d for d in damage if d[0] == number):
            content[int(place * len(content))] ^= flip
        path.write_bytes(content[: int(length * len(content))])
    assert same(read(root), plain)
    assert same(read(root), plain)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_forged_catalog_is_sound_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Even with a digest that fits, no array leads out of another and no name out of the root."""
    path = tmp_path / "forged"
    header, arrays = content_of(large(tmp_path, 4))
    name = data.draw(st.sampled_from(sorted(arrays)))
    forged = arrays[name].copy().reshape(-1)
    if len(forged):
        forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.sampled_from([0, 1, 3, 46, 47, 127]))
        if forged.dtype.kind == "i":
            forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.sampled_from([-1, -7, 2**31 - 1]))
    shape = data.draw(st.sampled_from([arrays[name].shape, (len(forged),), (1, len(forged))]))
    path.write_bytes(packed(header, {**arrays, name: forged.reshape(shape)}))
    content = unpacked(path)
    assert content is not None
    catalog = catalog_from(content, tmp_path)
    if catalog is not None:
        for row in range(len(catalog)):
            assert ".." not in catalog.name(row).split("/")
            assert not catalog.name(row).startswith("/")
            assert len(catalog.boxes[catalog.objects(row)]) == catalog.starts[row + 1] - catalog.starts[row] >= 0
        assert len(catalog.class_counts()) == len(catalog.classes)
        assert (catalog.classes.mirror < len(catalog.classes)).all()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_forged_table_of_arrays_never_leaves_the_file(tmp_path: Path, data: st.DataObject) -> None:
    from hashlib import blake2b

    path = tmp_path / "forged"
    body = packed({"a": 1}, {"x": np.arange(40), "y": np.zeros((3, 4), np.float32)})
    length = int.from_bytes(body[16:24], "little")
    content = json.loads(body[24 : 24 + length])
    entry = content["arrays"][data.draw(st.sampled_from(["x", "y"]))]
    entry[data.draw(st.integers(0, 2))] = data.draw(
        VALUES | st.sampled_from([[-1], [2**62, 4], [2**70], 64, -64, 2**63, "|O", "<f8", [40, 0], [[1]]])
    )
    text = json.dumps(content).encode()
    text += b" " * (-(24 + len(text)) % 64)
    stated = data.draw(st.sampled_from([len(text), len(text) + 64, 2**63, 0]))
    whole = body[:16] + stated.to_bytes(8, "little") + text + body[-(128 * 4 + 16) : -16]
    path.write_bytes(whole + blake2b(whole, digest_size=16).digest())
    found = unpacked(path)
    for array in found[1].values() if found is not None else ():
        assert array.nbytes <= len(whole)
        array.tobytes()


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "a\0b", ".."])
def test_a_forged_name_is_refused(tmp_path: Path, name: str) -> None:
    text, ends = pack_names(["a.jpg", name])
    base = large(tmp_path, 2)
    assert catalog_from(content_of(replace(base, text=text, ends=ends)), tmp_path) is None
    text, ends = pack_names(["a..b.jpg", "..c/d"])
    assert catalog_from(content_of(replace(base, text=text, ends=ends)), tmp_path) is not None


def test_findings_and_odd_names_come_back(tmp_path: Path) -> None:
    found = (Finding("k", "\udce9.jpg", 'a "quoted" \0 é', 2, 1), Finding("k", "", "", 0, 0))
    catalog = replace(large(tmp_path, 3), findings=found, has_images=False, boxes_in=11)
    assert same(index.load(index.save(catalog, tmp_path), tmp_path), catalog)


def test_file_names_that_are_not_unicode(tmp_path: Path, reads: list[str]) -> None:
    root = make_voc(tmp_path / "set")
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/annotations/\xff.xml")).write_text("<annotation/>")
    except OSError:
        pytest.skip("this file system has no such names")
    first = read(root, "voc")
    assert same(read(root, "voc"), first)
    assert reads == ["voc"]


def test_a_catalog_pickles_as_its_path_and_its_parts_by_value(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    catalog = read(root)
    assert catalog.index is not None
    assert catalog.index.name.encode() in pickle.dumps(catalog)
    assert b"stop" not in pickle.dumps(catalog)
    again = pickle.loads(pickle.dumps(catalog))  # noqa: S301
    assert same(again, catalog)
    assert again.index == catalog.index
    parts = [
        catalog.take(np.array([1, 0])),
        with_splits(catalog, 0.5),
        fold(catalog, 0, 2),
        replace(catalog, ids=catalog.ids + 1),
    ]
    before = files(root)
    for part in parts:
        assert part.index is None
        assert same(pickle.loads(pickle.dumps(part)), part)  # noqa: S301
    assert files(root) == before


def test_a_large_catalog_pickles_small(tmp_path: Path) -> None:
    catalog = large(tmp_path)
    part = catalog.split("train")
    for whole in (catalog, part):
        pickled = pickle.dumps(whole)
        assert len(pickled) < 2000
        again = pickle.loads(pickled)  # noqa: S301
        assert same(again, whole)
        assert again.index is not None
        assert again.index.parent == tmp_path / ".detaug"
    for path in files(tmp_path):
        path.unlink()
    with pytest.raises(InputError, match=r"[0-9a-f]{32}\.catalog: the saved index .* no longer there"):
        pickle.loads(pickled)  # noqa: S301
    assert same(pickle.loads(pickle.dumps(part)), part)  # noqa: S301


def test_a_rebuilt_index_changes_nothing_for_who_holds_the_old_one(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    catalog = read(root)
    pickled = pickle.dumps(catalog)
    removed(root)
    assert len(read(root)) == 2
    assert same(pickle.loads(pickled), catalog)  # noqa: S301


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    catalogs = [replace(large(tmp_path, 2), boxes_in=i) for i in range(index.KEPT + 3)]
    paths = []
    for age, catalog in enumerate(catalogs):
        paths.append(index.save(catalog, tmp_path))
        os.utime(paths[-1], ns=(OLD + age, OLD + age))
    paths.append(index.save(replace(catalogs[0], boxes_in=99), tmp_path))
    assert set(tmp_path.glob("*.catalog")) == set(paths[-index.KEPT :])
    half = [tmp_path / ".0.catalog.a", tmp_path / ".0.catalog.b"]
    for path in half:
        path.touch()
    os.utime(half[0], ns=(OLD, OLD))
    index.save(catalogs[0], tmp_path)
    assert [path.exists() for path in half] == [False, True]


def test_parts_are_the_rows_asked_for(tmp_path: Path) -> None:
    catalog = large(tmp_path, 70_000)
    rows = np.random.Generator(np.random.Philox(1)).permutation(len(catalog))
    part = catalog.take(rows)
    for place in (0, 1, 65_535, 65_536, 69_999):
        row = int(rows[place])
        assert part.name(place) == catalog.name(row)
        assert np.array_equal(part.boxes[part.objects(place)], catalog.boxes[catalog.objects(row)])
        assert np.array_equal(part.labels[part.objects(place)], catalog.labels[catalog.objects(row)])
        assert part.ids[place] == catalog.ids[row]
    none = catalog.take(rows[:0])
    assert (len(none), len(none.boxes), len(none.text)) == (0, 0, 0)


SPAWNED = """
import multiprocessing, sys
import numpy as np
from detaug.readers.read import read

def walked(catalog):
    return catalog.name(0), float(catalog.boxes.sum()), [str(f) for f in catalog.findings], str(catalog.index)

if __name__ == "__main__":
    catalog = read(sys.argv[1])
    with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
        assert pool.apply(walked, (catalog,)) == walked(catalog)
        part = catalog.take(np.array([1]))
        assert pool.apply(walked, (part,)) == walked(part)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in multiprocessing.get_all_start_methods() if m != "fork"])
def test_other_processes_see_the_same(tmp_path: Path, method: str) -> None:
    root = make_voc(tmp_path / "set")
    script = tmp_path / "script.py"
    script.write_text(SPAWNED)
    done = subprocess.run([sys.executable, str(script), str(root), method], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def built(root: str) -> int:
    return sum(len(read(root).boxes) for _ in range(5))


@pytest.mark.slow
def test_processes_that_build_at_once(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    expected = len(read(root, index=False).boxes)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(built, [str(root)] * 8, chunksize=1) == [5 * expected] * 8
    assert same(read(root), read(root, index=False))
    assert len(list((root / ".detaug").glob("*.catalog"))) == 1
    assert not [p for p in (root / ".detaug").iterdir() if p.name.startswith(".")]


@pytest.mark.slow
@needs_real
def test_real_datasets_come_back(tmp_path: Path) -> None:
    shutil.copytree(REAL / "data" / "road_signs", tmp_path / "set", ignore=shutil.ignore_patterns(".detaug"))
    first = read(tmp_path / "set")
    assert same(read(tmp_path / "set"), first)
    assert same(read(tmp_path / "set", index=False), first)
