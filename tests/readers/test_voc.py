import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detaug.errors import InputError
from detaug.readers.catalog import Flag, Split
from detaug.readers.read import read
from detaug.readers.voc import read_voc
from detaug.render.source import Source
from tests.readers.making import REAL, kinds, needs_real, obeys, picture, voc, xml


def test_an_image_without_objects_is_kept(tmp_path: Path) -> None:
    catalog = obeys(read_voc(voc(tmp_path, {"a": []})))
    assert len(catalog) == 1
    assert len(catalog.boxes) == 0
    assert catalog.findings == ()


def test_coordinates_stay_as_they_are(tmp_path: Path) -> None:
    catalog = obeys(read_voc(voc(tmp_path, {"a": [("stop", (0, 0, 60, 40)), ("b", (1, 2, 3.5, 4))]})))
    assert catalog.boxes.tolist() == [[0, 0, 60, 40], [1, 2, 3.5, 4]]
    assert catalog.sizes.tolist() == [[40, 60]]
    assert catalog.name(0) == "images/a.jpg"
    assert [catalog.classes.names[label] for label in catalog.labels] == ["stop", "b"]
    assert catalog.classes.names == ("b", "stop")


def test_boxes_follow_their_image(tmp_path: Path) -> None:
    images = {f"i{n}": [("stop", (n, 1, 20 + n, 30))] * (n % 2) for n in range(9)}
    catalog = obeys(read_voc(voc(tmp_path, images)))
    for row in range(9):
        number = int(Path(catalog.name(row)).stem[1:])
        assert catalog.boxes[catalog.objects(row), 0].tolist() == [number] * (number % 2)


def test_split_folders_share_their_classes(tmp_path: Path) -> None:
    voc(tmp_path / "train", {"a": [("z", (1, 1, 9, 9))]})
    voc(tmp_path / "val", {"b": [("y", (1, 1, 9, 9))]})
    voc(tmp_path / "test", {"c": []})
    catalog = obeys(read_voc(tmp_path))
    assert catalog.classes.names == ("y", "z")
    assert {catalog.name(i): Split(catalog.splits[i]) for i in range(3)} == {
        "train/images/a.jpg": Split.TRAIN,
        "val/images/b.jpg": Split.VAL,
        "test/images/c.jpg": Split.TEST,
    }
    assert read_voc(tmp_path / "val").splits.tolist() == [Split.NONE]


def test_devkit_lists_say_the_split(tmp_path: Path) -> None:
    base = tmp_path / "VOC2007"
    for name in ("000001", "000002", "000003"):
        picture(base / "JPEGImages" / f"{name}.jpg")
        (base / "Annotations").mkdir(exist_ok=True)
        (base / "Annotations" / f"{name}.xml").write_text(xml([], f"{name}.jpg"))
    lists = base / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("000001\n")
    (lists / "val.txt").write_text("000002 1\n\n")
    for root in (tmp_path, base):
        assert obeys(read_voc(root)).splits.tolist() == [Split.TRAIN, Split.VAL, Split.NONE]


def test_other_layouts(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "train" / "x.jpg")
    (tmp_path / "a" / "train" / "x.xml").write_text(xml([("s", (1, 1, 9, 9))], "x.jpg"))
    assert obeys(read_voc(tmp_path / "a")).splits.tolist() == [Split.TRAIN]
    assert obeys(read_voc(tmp_path / "a" / "train")).splits.tolist() == [Split.NONE]
    picture(tmp_path / "b" / "images" / "val" / "x.jpg")
    (tmp_path / "b" / "annotations" / "val").mkdir(parents=True)
    (tmp_path / "b" / "annotations" / "val" / "x.xml").write_text(xml([], "x.jpg"))
    assert obeys(read_voc(tmp_path / "b")).splits.tolist() == [Split.VAL]


def test_flags(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": []})
    marks = "<difficult>1</difficult><truncated>1</truncated>"
    (root / "annotations" / "a.xml").write_text(xml([("s", (1, 1, 9, 9))], "a.jpg", extra=marks))
    assert read_voc(root).flags.tolist() == [Flag.DIFFICULT | Flag.TRUNCATED]


@pytest.mark.parametrize(
    ("box", "kind", "kept"),
    [
        (("nan", 1, 9, 9), "bad-number", 0),
        (("inf", 1, 9, 9), "bad-number", 0),
        (("left", 1, 9, 9), "bad-number", 0),
        (("", 1, 9, 9), "bad-number", 0),
        ((9, 1, 1, 9), "inside-out-box", 0),
        ((1, 9, 9, 1), "inside-out-box", 0),
        ((5, 1, 5, 9), "empty-box", 0),
        ((60, 1, 70, 9), "outside-box", 0),
        ((-9, 1, 0, 9), "outside-box", 0),
        ((-9, 1, 0.5, 9), "tiny-box", 0),
        ((1, 1, 1.5, 9), "tiny-box", 0),
        ((-5, 1, 9, 9), "clipped-box", 1),
        ((1, 1, 61, 41), "clipped-box", 1),
    ],
)
def test_faulty_boxes(tmp_path: Path, box: tuple[object, object, object, object], kind: str, kept: int) -> None:
    catalog = obeys(read_voc(voc(tmp_path, {"a": [("s", box), ("s", (2, 2, 8, 8))]})))
    assert kinds(catalog) == [kind]
    assert catalog.findings[0].file == "images/a.jpg"
    assert "object 1" in catalog.findings[0].value
    assert len(catalog.boxes) == 1 + kept


def test_repeated_boxes_are_dropped(tmp_path: Path) -> None:
    box = (2, 2, 8, 8)
    catalog = obeys(read_voc(voc(tmp_path, {"a": [("s", box), ("s", box), ("t", box)], "b": [("s", box)]})))
    assert kinds(catalog) == ["doubled-box"]
    assert len(catalog.boxes) == 3


coordinate = st.one_of(
    st.integers(-20, 80), st.floats(-1e3, 1e3), st.sampled_from(["nan", "inf", "x", "", 1e300, -1e300])
)


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(["s", "", "t"]), st.tuples(*[coordinate] * 4)), max_size=4), max_size=4)
)
@settings(max_examples=30, deadline=None)
def test_nothing_is_lost_without_a_finding(
    images: list[list[tuple[str, tuple[object, object, object, object]]]],
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = voc(Path(folder), {"whole": [], **{f"i{n}": objects for n, objects in enumerate(images)}})
        catalog = obeys(read_voc(root))
    assert catalog.boxes_in == sum(len(objects) for objects in images)
    assert catalog.images_in == 1 + len(images)


def test_faulty_images(tmp_path: Path) -> None:
    root = voc(tmp_path, {name: [("s", (2, 2, 8, 8))] for name in ("good", "gone", "empty", "cut", "html")})
    files = root / "images"
    (files / "gone.jpg").unlink()
    (files / "empty.jpg").write_bytes(b"")
    (files / "cut.jpg").write_bytes((files / "cut.jpg").read_bytes()[:-30])
    (files / "html.jpg").write_text("<html></html>")
    picture(files / "extra.jpg")
    catalog = obeys(read_voc(root))
    assert kinds(catalog) == sorted(
        ["missing-image", "unreadable-image", "truncated-image", "unreadable-image", "unannotated-image"]
    )
    assert catalog.images_in == 6
    assert catalog.boxes_in == 5


@pytest.mark.parametrize(
    "text", ["", "<annotation>", "<html/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>"]
)
def test_a_broken_annotation_loses_its_image_alone(tmp_path: Path, text: str) -> None:
    root = voc(tmp_path, {"a": [("s", (2, 2, 8, 8))], "b": [("s", (2, 2, 8, 8))]})
    (root / "annotations" / "a.xml").write_text(text)
    catalog = obeys(read_voc(root))
    assert kinds(catalog) == ["unreadable-annotation"]
    assert catalog.images_in == 2


def test_sizes_come_from_the_upright_image(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [("s", (2, 30, 8, 50))]})
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(root / "images" / "a.jpg", exif=exif)
    catalog = obeys(read_voc(root))
    assert catalog.sizes.tolist() == [[60, 40]]
    assert kinds(catalog) == ["size-mismatch"]
    assert catalog.boxes.tolist() == [[2, 30, 8, 50]]


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/passwd.jpg", "C:\\x.jpg", "..\\..\\secret.jpg", "link.jpg"])
def test_nothing_outside_is_read(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "secret.jpg")
    root = voc(tmp_path / "set", {"a": [("s", (2, 2, 8, 8))], "b": []})
    os.symlink(tmp_path / "secret.jpg", root / "images" / "link.jpg")
    (root / "images" / "a.jpg").unlink()
    (root / "annotations" / "a.xml").write_text(xml([("s", (2, 2, 8, 8))], name))
    catalog = obeys(read_voc(root))
    assert "path-outside" in kinds(catalog)
    assert len(catalog) == 1


def test_an_annotation_outside_is_not_read(tmp_path: Path) -> None:
    root = voc(tmp_path / "set", {"a": [], "b": []})
    (tmp_path / "secret.xml").write_text(xml([("secret", (2, 2, 8, 8))], "a.jpg"))
    (root / "annotations" / "a.xml").unlink()
    os.symlink(tmp_path / "secret.xml", root / "annotations" / "a.xml")
    catalog = obeys(read_voc(root))
    assert kinds(catalog) == ["path-outside"]
    assert catalog.classes.names == ()


def test_another_suffix_is_found_and_told(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": []})
    (root / "images" / "a.jpg").rename(root / "images" / "a.JPG")
    catalog = obeys(read_voc(root))
    assert kinds(catalog) == ["renamed-image"]
    assert catalog.name(0) == "images/a.JPG"


def test_two_annotations_of_one_image(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [], "b": [("s", (2, 2, 8, 8))]})
    (root / "annotations" / "b.xml").write_text(xml([("s", (2, 2, 8, 8))], "a.jpg"))
    assert kinds(obeys(read_voc(root))) == ["doubled-image", "unannotated-image"]


def test_a_class_table_decides_what_is_known(tmp_path: Path) -> None:
    root = voc(tmp_path / "set", {"a": [("s", (2, 2, 8, 8)), ("t", (2, 2, 8, 8))]})
    (tmp_path / "table.yaml").write_text("t: {outline: ellipse}\n")
    catalog = obeys(read_voc(root, tmp_path / "table.yaml"))
    assert catalog.classes.names == ("t",)
    assert kinds(catalog) == ["unknown-class"]


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_voc(tmp_path / "gone")
    with pytest.raises(InputError, match="looked for"):
        read_voc(tmp_path)
    root = voc(tmp_path, {"a": []})
    (root / "images" / "a.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match="none of 1 images"):
        read_voc(root)
    with pytest.raises(InputError, match="this is a file"):
        read_voc(root / "annotations" / "a.xml")


@needs_real
def test_tt100k_sample(tmp_path: Path) -> None:
    flat = tmp_path / "flat.png"
    Image.new("L", (2048, 2048)).save(flat)
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    for file in (REAL / "formats" / "tt100k_voc_sample").glob("*.xml"):
        (tmp_path / "annotations" / file.name).write_bytes(file.read_bytes())
        os.link(flat, tmp_path / "images" / f"{file.stem}.png")
    catalog = obeys(read_voc(tmp_path))
    assert len(catalog) == 201
    clipped = [finding.file for finding in catalog.findings if finding.kind == "clipped-box"]
    assert (len(clipped), len(set(clipped))) == (55, 51)


@needs_real
def test_road_signs() -> None:
    catalog = obeys(read_voc(REAL / "data" / "road_signs"))
    assert catalog.findings == ()
    for split, images, counts in (("train", 490, (100, 510, 34, 57)), ("val", 114, (33, 120, 7, 12))):
        part = catalog.split(split)
        assert len(part) == images
        assert tuple(part.class_counts()) == counts
    assert catalog.classes.names == ("crosswalk", "speedlimit", "stop", "trafficlight")
    assert not np.isin(catalog.split("train").groups, catalog.split("val").groups).any()
    assert len(obeys(read_voc(REAL / "data" / "road_signs" / "val"))) == 114
    assert len(obeys(read_voc(REAL / "data" / "road_signs_rgba"))) == 8


def test_without_any_image_a_dataset_can_be_planned_but_not_drawn(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [("stop", (1, 2, 11, 12))], "b": [("stop", (3, 4, 9, 9))]})
    whole = read_voc(root)
    for name in ("a", "b"):
        (root / "images" / f"{name}.jpg").unlink()
    catalog = read_voc(root)
    assert not catalog.has_images
    assert [f.kind for f in catalog.findings] == ["no-images"]
    np.testing.assert_array_equal(catalog.boxes, whole.boxes)
    np.testing.assert_array_equal(catalog.sizes, whole.sizes)
    with pytest.raises(InputError, match="not drawn"):
        Source(catalog, (64, 64))


@pytest.mark.parametrize("filename", ["", "a", "a.JPG", "b", "elsewhere/a.jpg", "a.png"])
def test_an_image_is_found_by_the_annotations_own_name(tmp_path: Path, filename: str) -> None:
    root = voc(tmp_path, {"a": []})
    (root / "annotations" / "a.xml").write_text(xml([("s", (2, 2, 8, 8))], filename))
    catalog = obeys(read_voc(root))
    assert (catalog.name(0), len(catalog.boxes)) == ("images/a.jpg", 1)
    assert kinds(catalog) == ([] if filename == "a" else ["renamed-image"])


@pytest.mark.parametrize(("image", "annotation"), [("IMG", "img"), ("img", "IMG"), ("Größe", "Gro\u0308ße")])
def test_names_that_differ_in_case_or_in_how_they_are_composed(tmp_path: Path, image: str, annotation: str) -> None:
    picture(tmp_path / "images" / f"{image}.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / f"{annotation}.xml").write_text(xml([], f"{annotation}.jpg"), encoding="utf-8")
    catalog = obeys(read_voc(tmp_path))
    assert catalog.name(0) == f"images/{image}.jpg"
    assert kinds(catalog) == ["renamed-image"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_declared_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    root = voc(tmp_path, {"a": []})
    declared = encoding.removesuffix("-sig")
    text = f"<?xml version='1.0' encoding='{declared}'?>" + xml([("Größe", (2, 2, 8, 8))], "a.jpg")
    (root / "annotations" / "a.xml").write_bytes(text.encode(encoding))
    assert obeys(read_voc(root)).classes.names == ("Größe",)


def test_annotations_in_folders_of_any_name(tmp_path: Path) -> None:
    for place, xmls in (("north/JPEGImages", "north/Annotations"), ("south", "south"), ("images/west", "labels/west")):
        for folder, name, text in ((place, "x.jpg", None), (xmls, "x.xml", xml([("s", (2, 2, 8, 8))], "x.jpg"))):
            path = tmp_path / "all" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                picture(path)
            else:
                path.write_text(text)
    catalog = obeys(read(tmp_path))
    assert catalog.findings == ()
    assert catalog.root == tmp_path / "all"
    names = sorted(catalog.name(row) for row in range(3))
    assert names == ["images/west/x.jpg", "north/JPEGImages/x.jpg", "south/x.jpg"]
    assert len(catalog.boxes) == 3


@pytest.mark.parametrize("text", ["12,5", "12.5"])
def test_a_comma_may_stand_for_the_decimal_point(tmp_path: Path, text: str) -> None:
    catalog = obeys(read_voc(voc(tmp_path, {"a": [("s", (text, 2, "20", 8))]})))
    assert catalog.boxes.tolist() == [[12.5, 2, 20, 8]]
    assert kinds(catalog) == (["decimal-comma"] if "," in text else [])
