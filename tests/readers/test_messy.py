"""Three datasets with everything wrong that people have been seen to do: each fault is named, and the rest is read."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from detaug.readers.catalog import Catalog
from detaug.readers.read import read
from tests.readers.making import obeys, picture, xml

BOX = [("stop", (2, 2, 20, 20))]
GOOD = "0 0.5 0.5 0.2 0.2\n"


def named(catalog: Catalog) -> set[tuple[str, str]]:
    """Kind and file of each finding."""
    return {(f.kind, f.file) for f in catalog.findings}


def written(root: Path, texts: dict[str, str | bytes]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def pictures(root: Path, names: Iterable[str]) -> None:
    for name in names:
        picture(root / name)


def on_its_side(path: Path) -> None:
    """A picture that its EXIF turns by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(path, exif=exif)


LATIN = "<?xml version='1.0' encoding='latin-1'?>" + xml([("déviation", BOX[0][1])], "b1.jpg")


def test_a_messy_voc_dataset(tmp_path: Path) -> None:
    pictures(tmp_path, [f"images/{n}.jpg" for n in ("good", "small", "left", "case", "b1")])
    pictures(tmp_path, ["images/twice.jpg", "images/twice.png", "photos/else.jpg", "images/deep/inner.jpg"])
    (tmp_path / "images" / "small.jpg").rename(tmp_path / "images" / "SMALL.JPG")
    picture(tmp_path / "images" / "other.png")
    on_its_side(tmp_path / "images" / "side.jpg")
    comma = [
        ("no  entry", ("2,5", 2, "20,5", 20)),
        ("", (30, 2, 50, 20)),
        ("Stop", (20, 2, 2, 20)),
        ("stop", (5, 5, 5, 9)),
    ]
    written(
        tmp_path,
        {
            "annotations/good.xml": "\ufeff" + xml(BOX, "good.jpg"),
            "annotations/small.xml": xml(BOX, "small.jpg"),
            "annotations/other.xml": xml(BOX, "other.jpg"),
            "annotations/inner.xml": xml(BOX, "inner.jpg"),
            "annotations/else.xml": xml(BOX, "else.jpg"),
            "annotations/twice.xml": xml(BOX, "twice.jpg"),
            "annotations/case.xml": xml(comma, ""),
            "annotations/side.xml": xml([("stop", (2, 2, 58, 38))], "side.jpg"),
            "annotations/b1.xml": LATIN.encode("latin-1"),
            "annotations/empty.xml": b"",
            "annotations/gone.xml": xml(BOX, "gone.jpg"),
            "annotations/wrong.xml": xml(BOX, "good.jpg", size=(400, 600)),
            "Annotations_old/good.xml": xml(BOX, "good.jpg"),
            "labels_yolo/good.txt": GOOD,
            "export.json": json.dumps({"images": [], "annotations": []}),
            "images/zero.jpg": b"",
            "images/anim.gif": b"GIF89a",
            "images/Thumbs.db": b"x",
            ".DS_Store": b"x",
            "__MACOSX/images/._good.jpg": b"x",
        },
    )  # fmt: skip
    catalog = obeys(read(tmp_path, "voc"))
    assert {
        ("renamed-image", "annotations/small.xml"), ("renamed-image", "annotations/other.xml"),
        ("renamed-image", "annotations/inner.xml"), ("renamed-image", "annotations/case.xml"),
        ("decimal-comma", "annotations/case.xml"), ("unknown-class", "images/case.jpg"),
        ("inside-out-box", "images/case.jpg"), ("empty-box", "images/case.jpg"), ("size-mismatch", "images/side.jpg"),
        ("unreadable-annotation", "annotations/empty.xml"), ("missing-image", "images/gone.jpg"),
        ("missing-image", "images/else.jpg"), ("doubled-image", "images/good.jpg"),
        ("unread-annotation", "Annotations_old"), ("unread-annotation", "labels_yolo"), ("unread-annotation", "."),
        ("unannotated-image", "images"), ("unannotated-image", "photos"), ("unsupported-image", "images/anim.gif"),
        ("stray-file", ".DS_Store"), ("clipped-box", "images/side.jpg"),
    } == named(catalog)  # fmt: skip
    assert "déviation" in catalog.classes.names
    assert np.isclose(catalog.boxes, [2.5, 2, 20.5, 20]).all(1).any()


def test_a_messy_yolo_dataset(tmp_path: Path) -> None:
    names = ("good", "conf", "comma", "poly", "bytes", "half", "junk", "orphaned", "twin", "utf16", "bom", "zero")
    pictures(tmp_path, [f"train/images/{name}.jpg" for name in names])
    pictures(tmp_path, ["train/images/twin.png", "valid/images/v.JPG", "unused/images/u.jpg"])
    written(
        tmp_path,
        {
            "data.yaml": "\ufefftrain: ../train/images\nval: C:\\sets\\valid\\images\ntest: ../test/images\nnc: 3\n"
            "names:\n  '0': stop\n  '1': no\n",
            "train/labels/good.txt": GOOD,
            "train/labels/conf.txt": "0 0.5 0.5 0.2 0.2 0.93\n0.0 0.2 0.2 0.1 0.1 0.5\n",
            "train/labels/comma.txt": "1 0,5 0,5 0,2 0,2\n",
            "train/labels/poly.txt": "0 0.1 0.1 0.4 0.1 0.2 0.5\n",
            "train/labels/bytes.txt": b"0 \xff\xfe 1",
            "train/labels/half.txt": "0 0.5 0.5 0.2\n",
            "train/labels/junk.txt": GOOD + "0 0.5 0.5 0.2 0.2 stop\n7 0.5 0.5 0.2 0.2\nstop 0.5 0.5 0.2 0.2\n" + GOOD,
            "train/labels/orphan.txt": GOOD,
            "train/labels/twin.txt": GOOD,
            "train/labels/utf16.txt": GOOD.encode("utf-16"),
            "train/labels/bom.txt": "\ufeff" + GOOD,
            "train/labels/zero.txt": "",
            "train/labels/ORPHANED.TXT": GOOD,
            "train/labels_old/good.txt": GOOD,
            "train/labels.cache": b"\x80\x04pickle",
            "valid/labels/v.txt": "0 320 240 40 40\n",
            "valid/annotations/v.xml": xml(BOX, "v.jpg"),
            "desktop.ini": b"x",
        },
    )
    catalog = obeys(read(tmp_path))
    found = named(catalog)
    assert found == {
        ("class-count", "data.yaml"), ("missing-split", "data.yaml"), ("confidence-column", "train/labels/conf.txt"),
        ("comma-in-label", "train/labels/comma.txt"), ("polygon-label", "train/labels/poly.txt"),
        ("unreadable-annotation", "train/labels/bytes.txt"), ("bad-number", "train/images/half.jpg"),
        ("bad-number", "train/images/junk.jpg"), ("unknown-class", "train/images/junk.jpg"),
        ("doubled-box", "train/images/junk.jpg"), ("missing-image", "train/labels/orphan.txt"),
        ("shared-label", "train/labels/twin.txt"), ("unread-annotation", "train/labels_old"),
        ("renamed-label", "train/labels/ORPHANED.TXT"), ("ignored-pickle", "train/labels.cache"),
        ("outside-box", "valid/images/v.JPG"), ("unread-annotation", "valid/annotations"),
        ("unannotated-image", "unused/images"), ("stray-file", "desktop.ini"),
    }  # fmt: skip
    assert catalog.classes.names == ("stop", "no")
    rows = {catalog.name(row): row for row in range(len(catalog))}
    for name in ("utf16.jpg", "bom.jpg", "orphaned.jpg", "comma.jpg"):
        assert catalog.boxes[catalog.objects(rows[f"train/images/{name}"])].tolist() == [[24, 16, 36, 24]]
    assert len(catalog.boxes[catalog.objects(rows["train/images/conf.jpg"])]) == 2


def test_a_messy_coco_dataset(tmp_path: Path) -> None:
    pictures(tmp_path, [f"train/{name}.jpg" for name in ("good", "twin", "extra", "Größe")])
    pictures(tmp_path, ["train/UPPER.JPG", "valid/v.jpg", "valid/w.jpg"])
    on_its_side(tmp_path / "train" / "side.jpg")
    size = {"height": 40, "width": 60}
    images = [
        {"id": "1", "file_name": "train\\good.jpg", **size}, {"id": "2", "file_name": "train/twin.jpg", **size},
        {"id": "3", "file_name": "./train/twin.jpg", **size}, {"id": "4", "file_name": "train/upper.jpg", **size},
        {"id": "5", "file_name": "train/side.jpg", **size}, {"id": "6", "file_name": "train/gone.jpg", **size},
        {"id": "7", "file_name": "train/Gro\u0308ße.jpg", "height": 400, "width": 600}, {"id": "8"}, "image",
    ]  # fmt: skip
    box = {"bbox": [2, 2, 20, 20], "iscrowd": "0"}
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, **box}, {"id": 1, "image_id": "2", "category_id": "2", **box},
        {"id": 2, "image_id": 3, "category_id": 1, "bbox": ["30", "2", "9.5", "9"]},
        {"id": 3, "image_id": 4, "category_id": 1, "bbox": None, "segmentation": [[2, 2, 20, 2, 10, 30]]},
        {"id": 4, "image_id": 4, "category_id": 77, **box}, {"id": 5, "image_id": 99, "category_id": 1, **box},
        {"id": 6, "image_id": 1, "category_id": 1, **box}, {"id": 7, "image_id": 1, "category_id": 1}, "annotation",
    ]  # fmt: skip
    categories = [
        {"id": 0, "name": "signs"}, {"id": 1, "name": "stop", "supercategory": "signs"}, {"id": 2, "name": "No  Entry"},
        {"id": 2, "name": "yield"}, {"id": 5, "name": "stop"}, {"id": 6},
    ]  # fmt: skip
    content = {"images": images, "annotations": annotations, "categories": categories}
    bare = {"images": [{"id": 0, "file_name": "v.jpg"}], "annotations": [{"image_id": 0, "category_id": 1, **box}]}
    written(
        tmp_path,
        {
            "annotations/instances_train.json": "\ufeff" + json.dumps(content),
            "annotations/instances_val.json": json.dumps({**bare, "images": [{"id": 0, "file_name": "valid/v.jpg"}]}),
            "annotations/instances_test.json": '{"images": [',
            "annotations/backup.json": json.dumps(content),
            "valid/w.xml": xml(BOX, "w.jpg"),
        },
    )
    catalog = obeys(read(tmp_path, "coco"))
    train, val = "annotations/instances_train.json", "annotations/instances_val.json"
    assert named(catalog) == {
        ("text-id", train), ("doubled-image", "train/twin.jpg"), ("renamed-image", "train/upper.jpg"),
        ("size-mismatch", "train/side.jpg"), ("missing-image", "train/gone.jpg"),
        ("renamed-image", "train/Gro\u0308ße.jpg"), ("size-mismatch", "train/Größe.jpg"),
        ("unreadable-annotation", train), ("doubled-annotation-id", train), ("derived-box", train),
        ("unknown-class", "train/UPPER.JPG"), ("unknown-image", train), ("doubled-box", "train/good.jpg"),
        ("bad-number", "train/good.jpg"), ("doubled-class", train), ("unreadable-category", train),
        ("dummy-class", train), ("unnamed-classes", val), ("unread-annotation", "annotations"),
        ("unreadable-annotation", "annotations/instances_test.json"), ("unread-annotation", "valid"),
        ("unannotated-image", "train"), ("unannotated-image", "valid"),
    }  # fmt: skip
    rows = {catalog.name(row): row for row in range(len(catalog))}
    assert len(catalog.boxes[catalog.objects(rows["train/twin.jpg"])]) == 2
    assert catalog.boxes[catalog.objects(rows["train/UPPER.JPG"])].tolist() == [[2, 2, 20, 30]]
    assert not catalog.flags.any()
