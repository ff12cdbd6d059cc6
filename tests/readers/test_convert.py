import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Flag, Split, pack_names
from detaug.readers.convert import folder as folders
from detaug.readers.convert.convert import FORMATS, convert
from detaug.readers.convert.coordinates import centre_sides, corner_words, left_top_sides
from detaug.readers.convert.plan import below, is_plain
from detaug.readers.detect import detect
from detaug.readers.read import read
from detaug.readers.split import groups_by_runs
from tests.readers.making import REAL, coco, needs_real, obeys, picture, voc

ALL = Flag.DIFFICULT | Flag.CROWD | Flag.TRUNCATED | Flag.OCCLUDED
_DISK_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

# What the formats must carry: letters of any script, XML's and YAML's own characters, blanks, control characters.
letters = st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0")
words = st.text(letters, min_size=1, max_size=12) | st.sampled_from(
    [
        "<&>",
        "a b",
        " a",
        "yes",
        "null",
        "1",
        "- x",
        "'\"",
        "#c",
        ".hidden",
        "C:",
        "a:",
        "名前",
        "a\u2028b",
        "a\nb",
        "é",
        "%2F",
    ]
)
places = st.sampled_from(["", "train/images/", "val/images/", "city/", "city/images/", "a b/ü/", "images/train/"])


@st.composite
def images(draw: st.DrawFn) -> dict[str, Any]:
    height, width = draw(st.integers(2, 90)), draw(st.integers(2, 90))
    sides = {"width": width, "height": height}
    boxes = []
    for _ in range(draw(st.integers(0, 4))):
        corners = [draw(ends(sides[side])) for side in ("width", "height")]
        label, flags = draw(st.integers(0, 9)), draw(st.integers(0, 15))
        boxes.append(([corners[0][0], corners[1][0], corners[0][1], corners[1][1]], label, flags))
    suffix = draw(st.sampled_from([".png", ".PNG", ".a.png"]))
    return {"name": draw(places) + draw(words) + suffix, "size": (height, width), "boxes": boxes}


@st.composite
def ends(draw: st.DrawFn, size: int) -> tuple[float, float]:
    """Two float32 numbers from 0 to `size`, at least one apart; 0 and `size` and fractions are frequent."""
    low = draw(st.just(0.0) | st.floats(0.015625, size - 1, width=32) if size > 1.5 else st.just(0.0))
    least = float(np.nextafter(np.float32(low + 1), np.float32(np.inf)))
    high = draw(st.just(float(size)) | (st.floats(least, size, width=32) if least < size else st.just(float(size))))
    return (low, high) if high - low >= 1 else (0.0, float(size))


def catalog_of(root: Path, drawn: list[dict[str, Any]], names: list[str], splits: list[Split]) -> Catalog:
    """A catalog with its image files, each of another colour: by its bytes an image is known again."""
    taken: set[str] = set()
    kept = []
    for entry in drawn:
        parts = entry["name"].split("/")
        if entry["name"] not in taken and not {".", ".."} & set(parts) and len(parts[-1].encode()) < 200:
            taken.add(entry["name"])
            kept.append(entry)
    for i, entry in enumerate(kept):
        file = root / entry["name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", entry["size"][::-1], (i, 7, 9)).save(file, "PNG")
    flat = [(box, label % len(names), flags) for entry in kept for box, label, flags in entry["boxes"]]
    text, packed = pack_names([entry["name"] for entry in kept])
    return Catalog(
        root=root,
        classes=ClassTable.plain(names),
        text=text,
        ends=packed,
        sizes=np.array([entry["size"] for entry in kept], np.int32).reshape(-1, 2),
        starts=np.concatenate([[0], np.cumsum([len(entry["boxes"]) for entry in kept])]).astype(np.int64),
        boxes=np.array([box for box, _, _ in flat], np.float32).reshape(-1, 4),
        labels=np.array([label for _, label, _ in flat], np.int32),
        flags=np.array([flags for _, _, flags in flat], np.uint8),
        ids=np.arange(len(kept)) * 3 + 5,
        splits=np.array((splits * len(kept))[: len(kept)], np.uint8),
        groups=groups_by_runs([entry["name"] for entry in kept]),
    )


def undoubled(catalog: Catalog) -> Catalog:
    """Without boxes that stand twice on an image: every reader drops the second."""
    boxes, starts = [], [0]
    for row in range(len(catalog)):
        seen: set[tuple[float, ...]] = set()
        objects = catalog.objects(row)
        for i in range(objects.start, objects.stop):
            key = (*catalog.boxes[i].tolist(), int(catalog.labels[i]))
            if key not in seen:
                seen.add(key)
                boxes.append(i)
        starts.append(len(boxes))
    kept = np.array(boxes, np.int64)
    return replace(
        catalog,
        starts=np.array(starts),
        boxes=catalog.boxes[kept],
        labels=catalog.labels[kept],
        flags=catalog.flags[kept],
    )


def by_bytes(catalog: Catalog) -> dict[bytes, int]:
    return {catalog.path(row).read_bytes(): row for row in range(len(catalog))}


def agree(source: Catalog, back: Catalog, flags: Flag = ALL) -> None:
    """The same images, with the same of everything but their place in the order."""
    old, new = by_bytes(source), by_bytes(back)
    assert old.keys() == new.keys()
    assert len(old) == len(source) == len(back)
    assert source.classes.names == back.classes.names
    for data, row in old.items():
        other = new[data]
        one, two = source.objects(row), back.objects(other)
        assert source.sizes[row].tolist() == back.sizes[other].tolist()
        assert source.splits[row] == back.splits[other]
        assert source.boxes[one].tolist() == back.boxes[two].tolist()
        assert source.labels[one].tolist() == back.labels[two].tolist()
        assert (source.flags[one] & flags).tolist() == back.flags[two].tolist()


splits_drawn = st.lists(st.sampled_from(list(Split)), min_size=1, max_size=4)


@given(st.lists(images(), min_size=1, max_size=5), st.lists(words, min_size=1, max_size=4, unique=True), splits_drawn)
@example([{"name": "0.png", "size": (2, 2), "boxes": []}], ["\x85", "a\u2028b", "\u00e9"], [Split.NONE])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("to", FORMATS)
def test_what_is_read_again_is_what_was_converted(
    to: str, drawn: list[dict[str, Any]], names: list[str], splits: list[Split]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        if to == "voc" and not all(is_plain(name) for name in names):
            names = [f"class {i}" for i in range(len(names))]
        source = catalog_of(Path(place) / "source", drawn, names, splits)
        if not len(source):
            return
        source = undoubled(source)
        target = Path(place) / "target"
        notes = convert(source, target, to)
        assert detect(target)[0] == to
        back = obeys(read(target, to))
        assert back.findings == ()
        agree(source, back, FORMATS[to].flags)
        renamed = sum("new name" in note for note in notes)
        ends = {back.name(row).rpartition("/")[2] for row in range(len(back))}
        assert renamed or ends == {source.name(row).rpartition("/")[2] for row in range(len(source))}


corners = st.floats(0.015625, 2000, width=32)


@given(st.lists(st.tuples(corners, corners, corners, corners), min_size=1, max_size=20), st.integers(2001, 9000))
@settings(max_examples=200, deadline=None)
def test_numbers_give_the_same_float32(drawn: list[tuple[float, ...]], size: int) -> None:
    a = np.array(drawn, np.float32)
    boxes = np.concatenate([np.minimum(a[:, :2], a[:, 2:]), np.maximum(a[:, :2], a[:, 2:])], 1)
    assert np.array_equal(np.array([[float(w) for w in row] for row in corner_words(boxes)], np.float32), boxes)
    rounded = left_top_sides(boxes)
    assert np.array_equal(rounded[:, :2].astype(np.float32), boxes[:, :2])
    assert np.array_equal((rounded[:, :2] + rounded[:, 2:]).astype(np.float32), boxes[:, 2:])
    shares, off = centre_sides(boxes, np.full((len(boxes), 2), size, np.int32))
    assert off == 0
    ends = np.concatenate([shares[:, :2] - shares[:, 2:] / 2, shares[:, :2] + shares[:, 2:] / 2], 1) * size
    assert np.array_equal(ends.astype(np.float32), boxes)


def test_a_corner_that_shares_cannot_give_is_counted() -> None:
    boxes = np.array([[1e-30, 0, 50, 50], [0, 0, 50, 50]], np.float32)
    shares, off = centre_sides(boxes, np.full((2, 2), 97, np.int32))
    assert off == 1
    assert abs((shares[0, 0] - shares[0, 2] / 2) * 97) < 1e-6


def no_boxes() -> Any:
    return np.zeros((0, 4), np.float32)


def test_no_boxes_no_words() -> None:
    assert corner_words(no_boxes()) == []
    assert left_top_sides(no_boxes()).shape == (0, 4)
    assert centre_sides(no_boxes(), np.zeros((0, 2), np.int32))[0].shape == (0, 4)


@pytest.fixture
def source(tmp_path: Path) -> Catalog:
    """Two splits with equal file names, two images with one stem, a class without boxes, fractions, every flag."""
    root = tmp_path / "source"
    for name in ("train/a.jpg", "train/a.png", "train/deep/b.jpg", "val/a.jpg"):
        picture(root / name, 40, 60 + len(name))
    boxes: list[tuple[float, float, float, float]] = [(1.25, 2, 20.1, 30), (0, 0, 60, 40), (3, 3, 9.7, 12)]
    for part in ("train", "val"):
        names = sorted(p.relative_to(root).as_posix() for p in (root / part).rglob("*.[jp]*g"))
        entries = [{"id": i, "file_name": name} for i, name in enumerate(names)]
        things: list[dict[str, Any]] = [
            {"image_id": i, "category_id": 5 - k, "bbox": [a, b, c - a, d - b], "iscrowd": k % 2, "occluded": 1}
            for i in range(len(entries))
            for k, (a, b, c, d) in enumerate(boxes)
        ]
        categories = [
            {"id": n, "name": name} for n, name in ((9, "zebra <&>"), (3, "stop"), (4, "yield: 50"), (5, "no"))
        ]
        coco(root / "annotations" / f"instances_{part}.json", entries, things, categories)
    return obeys(read(root))


def test_the_coco_file_is_what_pycocotools_expects(source: Catalog, tmp_path: Path) -> None:
    convert(source, tmp_path / "new", "coco")
    old = by_bytes(source)
    for part, count in (("train", 3), ("val", 1)):
        file = COCO(str(tmp_path / "new" / "annotations" / f"instances_{part}.json"))
        assert len(file.imgs) == count
        assert tuple(file.cats[key]["name"] for key in sorted(file.cats)) == source.classes.names
        for key, image in file.imgs.items():
            row = old[(tmp_path / "new" / image["file_name"]).read_bytes()]
            things = file.loadAnns(file.getAnnIds(imgIds=[key]))
            assert [t["iscrowd"] for t in things] == [0, 1, 0]
            corners = [[x, y, x + w, y + h] for x, y, w, h in (t["bbox"] for t in things)]
            assert np.array(corners, np.float32).tolist() == source.boxes[source.objects(row)].tolist()


def test_the_xml_files_are_what_pascal_expects(source: Catalog, tmp_path: Path) -> None:
    convert(source, tmp_path / "new", "voc")
    old = by_bytes(source)
    for part, count in (("train", 3), ("val", 1)):
        stems = (tmp_path / "new" / "ImageSets" / "Main" / f"{part}.txt").read_text().split()
        assert len(stems) == count
        for stem in stems:
            root = ElementTree.parse(tmp_path / "new" / "Annotations" / f"{stem}.xml").getroot()
            file = tmp_path / "new" / "JPEGImages" / str(root.findtext("filename"))
            row = old[file.read_bytes()]
            with Image.open(file) as image:
                assert image.size == (int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0))
            things = root.findall("object")
            corners = [
                [float(t.findtext(f"bndbox/{s}") or -1) for s in ("xmin", "ymin", "xmax", "ymax")] for t in things
            ]
            assert np.array(corners, np.float32).tolist() == source.boxes[source.objects(row)].tolist()
            labels = source.labels[source.objects(row)]
            assert [t.findtext("name") for t in things] == [source.classes.names[label] for label in labels]
            assert {t.findtext("occluded") for t in things} == {"1"}
            assert {t.findtext("difficult") for t in things} == {"0"}
    assert "<xmax>60</xmax>" in next((tmp_path / "new" / "Annotations").glob("*.xml")).read_text()


def test_the_labels_are_what_yolo_expects(source: Catalog, tmp_path: Path) -> None:
    convert(source, tmp_path / "new", "yolo")
    old = by_bytes(source)
    content = yaml.safe_load((tmp_path / "new" / "data.yaml").read_text())
    assert tuple(content["names"]) == source.classes.names
    seen = 0
    for part in ("train", "val"):
        for file in sorted((tmp_path / "new" / content[part]).rglob("*.[jp]*g")):
            row, seen = old[file.read_bytes()], seen + 1
            label = Path(str(file).replace("/images/", "/labels/")).with_suffix(".txt")
            table = np.array([line.split() for line in label.read_text().splitlines()], float)
            assert table[:, 0].tolist() == source.labels[source.objects(row)].tolist()
            assert (table[:, 1:] >= 0).all()
            assert (table[:, 1:] <= 1).all()
            height, width = source.sizes[row]
            centre, half = table[:, 1:3] * [width, height], table[:, 3:] * [width, height] / 2
            expected = source.boxes[source.objects(row)]
            assert np.allclose(np.concatenate([centre - half, centre + half], 1), expected, atol=1e-9, rtol=1e-7)
    assert seen == len(source)


def test_what_a_format_cannot_hold_is_said(source: Catalog, tmp_path: Path) -> None:
    assert convert(source, tmp_path / "a", "coco") == []
    yolo = "\n".join(convert(source, tmp_path / "b", "yolo"))
    assert "4 boxes are crowd" in yolo
    assert "12 boxes are occluded" in yolo
    assert "1 images have a new name, the first is images/train/a_2.png for train/a.png" in yolo
    assert "4 boxes are crowd" in "\n".join(convert(source, tmp_path / "c", "voc"))
    apart = replace(source, groups=np.arange(len(source), dtype=np.int32))
    assert any("belong together" in note for note in convert(apart, tmp_path / "d", "coco"))
    doubled = replace(source, boxes=np.repeat(source.boxes[:1], len(source.boxes), 0), labels=source.labels * 0)
    assert any("8 boxes will not be read again: doubled-box" in n for n in convert(doubled, tmp_path / "e", "coco"))
    assert len(read(tmp_path / "e").boxes) == 4


def test_converting_again_and_again_keeps_the_names(source: Catalog, tmp_path: Path) -> None:
    names = []
    for number, to in enumerate(("coco", "yolo", "coco", "yolo")):
        convert(source, tmp_path / str(number), to)
        source = read(tmp_path / str(number))
        names.append(sorted(below(source.name(row)) for row in range(len(source))))
    assert names[1] == names[2] == names[3]


def test_only_xml_refuses_class_names_and_names_them(source: Catalog, tmp_path: Path) -> None:
    for name in ("a\x01b", " stop", "a\nb"):
        odd = replace(source, classes=ClassTable.plain([name, "b", "c", "d"]))
        with pytest.raises(InputError, match=re.escape(repr(name))):
            convert(odd, tmp_path / "new", "voc")
        for to in ("coco", "yolo"):
            convert(odd, tmp_path / to, to, force=True)
            assert read(tmp_path / to, to).classes.names[0] == name
    for name in ("\ud800", ""):
        odd = replace(source, classes=ClassTable.plain([name, "b", "c", "d"]))
        with pytest.raises(InputError, match=re.escape(repr(name))):
            convert(odd, tmp_path / "new", "coco")
    assert not (tmp_path / "new").exists()


def test_links_are_the_same_files_and_copies_are_not(source: Catalog, tmp_path: Path) -> None:
    for way, links in (("link", 2), ("copy", 1)):
        convert(source, tmp_path / way, "yolo", images=way)  # type: ignore[arg-type]
        assert {os.stat(file).st_nlink for file in (tmp_path / way / "images").rglob("*.[jp]*g")} == {links}
        agree(source, read(tmp_path / way), Flag(0))
    picture(source.path(0), 40, 71, quality=50)  # changed through the link as well: still ours to replace
    convert(source, tmp_path / "link", "yolo", force=True)


@pytest.mark.parametrize("to", ["coco", "voc"])
def test_without_images(source: Catalog, tmp_path: Path, to: str) -> None:
    convert(source, tmp_path / "new", to, images="none")
    assert not list((tmp_path / "new").rglob("*.[jp]*g"))
    back = read(tmp_path / "new")
    assert not back.has_images
    assert back.sizes.tolist() == [[40, 60 + len(source.name(row))] for row in order(source, back)]
    assert back.boxes.tolist() == source.take(order(source, back)).boxes.tolist()
    with pytest.raises(InputError, match="--images none"):
        convert(back, tmp_path / "newer", "yolo")
    convert(back, tmp_path / "newer", "coco", images="none")
    assert read(tmp_path / "newer").boxes.tolist() == back.boxes.tolist()


def order(source: Catalog, back: Catalog) -> Any:
    """The rows of `source` in the order of `back`, by the ends of their names."""
    names = [source.name(row) for row in range(len(source))]
    ends = [back.name(row).removeprefix("JPEGImages/").removeprefix("images/") for row in range(len(back))]
    return np.array([names.index(name) for name in ends])


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def refused(source: Catalog, target: Path, named: str, **options: Any) -> None:
    """The conversion is refused with these words, and nothing has changed beside or in the target."""
    before = contents(target.parent)
    with pytest.raises(InputError, match=re.escape(named)):
        convert(source, target, "coco", **options)
    assert contents(target.parent) == before


def test_force_replaces_what_was_converted_and_nothing_else(source: Catalog, tmp_path: Path) -> None:
    target = tmp_path / "new"
    convert(source, target, "yolo")
    refused(source, target, "--force")
    convert(source, target, "coco", force=True)
    assert not (target / "data.yaml").exists()
    agree(source, read(target))
    (target / "notes.txt").write_text("mine")
    refused(source, target, "notes.txt", force=True)
    (target / "notes.txt").unlink()
    file = target / "annotations" / "instances_val.json"
    file.write_text(file.read_text() + " ")
    refused(source, target, "instances_val.json", force=True)
    file.unlink()
    convert(source, target, "voc", force=True)
    (target / "labelmap.txt").unlink()
    (target / "labelmap.txt").symlink_to(source.path(0))
    refused(source, target, "labelmap.txt", force=True)
    assert source.path(0).is_file()


def test_targets_that_are_refused(source: Catalog, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "a.txt").write_text("mine")
    refused(source, full, "--force")
    refused(source, full, "a.txt", force=True)
    (full / "a.txt").rename(tmp_path / "a.txt")
    refused(source, tmp_path / "a.txt", "this is a file")
    (tmp_path / "link").symlink_to(full)
    refused(source, tmp_path / "link", "this is a link")
    refused(source, tmp_path / "a.txt" / "new", "cannot be written")
    refused(source, source.root, "of its own", force=True)
    refused(source, source.root / "inner", "of its own")
    around = tmp_path / "around"  # not `tmp_path` itself: beside it stands what all other tests have written
    refused(read(shutil.copytree(source.root, around / "source")), around, "of its own", force=True)
    (tmp_path / "round").symlink_to(source.root)
    refused(source, tmp_path / "round" / "inner", "of its own")
    (full / ".detaug").mkdir()
    (full / ".detaug" / "converted.json").write_text('{"files": [1]}')
    refused(source, full, "converted.json", force=True)
    (full / ".detaug" / "converted.json").unlink()
    convert(source, full, "coco")
    agree(source, read(full))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written(source: Catalog, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o555)
    refused(source, place / "new", "Permission denied")


@pytest.mark.parametrize("old", [False, True])
def test_a_full_disk_leaves_all_as_it_was(
    source: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    target = tmp_path / "new"
    if old:
        convert(source, target, "yolo")
    copy = shutil.copyfile
    done: list[Any] = []

    def full(one: Any, other: Any) -> None:
        if len(done) == 2:
            raise _DISK_FULL
        done.append(copy(one, other))

    monkeypatch.setattr(shutil, "copyfile", full)
    refused(source, target, "No space left", force=True)
    assert target.exists() == old


def test_an_image_that_has_gone_is_named(source: Catalog, tmp_path: Path) -> None:
    source.path(1).unlink()
    refused(source, tmp_path / "new", str(source.path(1)))


@pytest.mark.parametrize("old", [False, True])
def test_a_kill_leaves_the_old(source: Catalog, tmp_path: Path, old: bool) -> None:
    target = tmp_path / "new"
    if old:
        convert(source, target, "yolo")
    before = contents(target)
    program = (
        "import os, shutil, sys; from detaug.cli import main; copy, done = shutil.copyfile, []\n"
        "def killed(a, b):\n    os._exit(9) if len(done) == 2 else done.append(copy(a, b))\n"
        "shutil.copyfile = killed; main(sys.argv[1:])"
    )
    words = ["convert", str(source.root), str(target), "--to", "coco", "--force"]
    assert subprocess.run([sys.executable, "-c", program, *words], check=False).returncode == 9
    assert contents(target) == before
    convert(source, target, "coco", force=True)
    agree(source, read(target))


def test_where_folders_cannot_be_exchanged_in_one_step(
    source: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "new"
    convert(source, target, "yolo")
    monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    convert(source, target, "coco", force=True)
    agree(source, read(target))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "source"]
    rename = Path.rename

    def failing(self: Path, to: Path) -> Path:
        if to == target and self.name.startswith(".new.") and not self.name.endswith(".old"):
            raise _DISK_FULL
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    refused(source, target, "No space left", force=True)


def test_endings_and_hidden_names_become_what_listings_find(tmp_path: Path) -> None:
    for name in ("one", "two.jpeg", ".hidden.png", "C:d.png"):
        picture(tmp_path / "old" / "sub" / "x.png", 20 + len(name)).rename(tmp_path / "old" / "sub" / name)
    entries = [{"id": i, "file_name": f"sub/{n}"} for i, n in enumerate(("one", "two.jpeg", ".hidden.png", "C:d.png"))]
    coco(tmp_path / "old" / "instances.json", entries, [{"image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9]}])
    source = read(tmp_path / "old")
    assert len(source) == 4
    for to in ("yolo", "voc"):
        notes = convert(source, tmp_path / to, to)
        assert any("3 images have a new name" in note for note in notes)
        agree(source, read(tmp_path / to))
        assert list((tmp_path / to).rglob("one.png"))


def test_a_labelmap_gives_the_order_and_the_classes_without_boxes(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [("stop", (5, 5, 25, 25)), ("new", (6, 5, 25, 25))]})
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nyield:1,2,3::\nstop:::\n")
    assert read(root).classes.names == ("yield", "stop", "new")


@needs_real
@pytest.mark.slow
@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", ["road_signs", "road_signs_rgba", "au_signs_yolo", "otonom_coco"])
def test_real_datasets_come_back(name: str, to: str, tmp_path: Path) -> None:
    source = read(REAL / "data" / name)
    convert(source, tmp_path / "new", to)
    back = obeys(read(tmp_path / "new"))
    assert back.findings == ()
    agree(source, back, FORMATS[to].flags)
    named = [json.dumps(sorted(below(c.name(row)) for row in range(len(c)))) for c in (source, back)]
    assert named[0] == named[1]
