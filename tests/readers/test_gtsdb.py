import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.detect import detect
from detaug.readers.gtsdb import read_gtsdb
from detaug.readers.image import decode
from detaug.readers.read import read
from tests.readers.making import REAL, kinds, needs_real, obeys, picture
from tests.readers.telling import obeys_or_tells

NAMES = ClassTable.builtin("gtsdb").names


def gtsdb(root: Path, text: str | bytes, images: tuple[str, ...] = ("00000.ppm", "00001.ppm")) -> Path:
    for name in images:
        picture(root / name)
    root.mkdir(parents=True, exist_ok=True)
    (root / "gt.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def rows(catalog: Catalog) -> list[tuple[str, str, list[float]]]:
    owners = catalog.images_of_boxes()
    return [
        (catalog.name(int(owners[i])), catalog.classes.names[catalog.labels[i]], catalog.boxes[i].tolist())
        for i in range(len(catalog.boxes))
    ]


def test_a_row_is_a_box_with_its_edges_as_they_stand_there(tmp_path: Path) -> None:
    root = gtsdb(tmp_path, "00000.ppm;1;2;21;32;11\n00000.ppm;5;6;50;39;0\n")
    catalog = obeys(read(root))
    assert rows(catalog) == [("00000.ppm", NAMES[11], [1, 2, 21, 32]), ("00000.ppm", NAMES[0], [5, 6, 50, 39])]
    assert catalog.classes.names == NAMES
    assert len(NAMES) == 43
    assert catalog.has_images
    assert decode(catalog.path(0)).shape == (40, 60, 3)


def test_images_without_a_row_are_background_and_no_loss(tmp_path: Path) -> None:
    catalog = obeys(read_gtsdb(gtsdb(tmp_path, "00001.ppm;1;2;21;32;11\n", ("00000.ppm", "00001.ppm", "00700.ppm"))))
    assert sorted(np.diff(catalog.starts).tolist()) == [0, 0, 1]
    assert catalog.findings == ()
    assert {catalog.name(i): Split(catalog.splits[i]) for i in range(3)} == {
        "00000.ppm": Split.TRAIN,
        "00001.ppm": Split.TRAIN,
        "00700.ppm": Split.TEST,
    }


def test_cropped_signs_are_no_scenes(tmp_path: Path) -> None:
    picture(tmp_path / "00" / "00001.ppm", 30, 30)
    picture(tmp_path / "42" / "00000.ppm", 30, 30)
    catalog = obeys(read(gtsdb(tmp_path, "00000.ppm;1;2;21;32;11\n")))
    assert [catalog.name(i) for i in range(len(catalog))] == ["00000.ppm", "00001.ppm"]
    assert catalog.findings == ()


@pytest.mark.parametrize(
    "text",
    [
        "#ImgNo#.ppm;#leftCol#;##topRow#;#rightCol#;#bottomRow#;#ClassID#\n00000.ppm;1;2;21;32;11\n",
        b"\xef\xbb\xbf00000.ppm;1;2;21;32;11\r\n\r\n",
        '"00000.ppm";"1";"2";"21";"32";"11"\n',
        "  00000.ppm ; 1 ; 2 ; 21 ; 32 ; 11 ; \r",
        "00000.ppm;1;2;21;32;11\n".encode("utf-16"),
    ],
    ids=["header", "bom-crlf-blank", "quotes", "spaces-cr", "utf-16"],
)
def test_spellings_of_the_same_row(tmp_path: Path, text: str | bytes) -> None:
    catalog = obeys(read_gtsdb(gtsdb(tmp_path, "00000.ppm;1;2;21;32;11"))), obeys(read_gtsdb(gtsdb(tmp_path, text)))
    assert rows(catalog[0]) == rows(catalog[1])
    assert catalog[1].findings == ()


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("00001.ppm;1;2;21;32", "unreadable-line"),
        ("00001.ppm", "unreadable-line"),
        ("00001.ppm;1;2;21;32;11;7", "unreadable-line"),
        (";1;2;21;32;11", "unreadable-line"),
        ("stop.txt;1;2;21;32;11", "unreadable-line"),
        ("00001.ppm;1;x;21;32;11", "bad-number"),
        ("00001.ppm;1;2;1e999;32;11", "bad-number"),
        ("00001.ppm;1;2;21;32;43", "unknown-class"),
        ("00001.ppm;1;2;21;32;-1", "unknown-class"),
        ("00001.ppm;1;2;21;32;1.5", "unknown-class"),
        ("00001.ppm;1;2;21;32;", "unknown-class"),
        ('00001.ppm;"1;2;21;32;11', "unreadable-line"),
    ],
)
def test_a_bad_row_costs_itself_and_is_named_with_its_line(tmp_path: Path, row: str, kind: str) -> None:
    root = gtsdb(tmp_path, f"00000.ppm;1;2;21;32;11\n\n{row}\n00001.ppm;3;3;9;9;4\n")
    catalog = obeys(read_gtsdb(root))
    assert [box for _, _, box in rows(catalog)] == [[1, 2, 21, 32], [3, 3, 9, 9]]
    assert kinds(catalog) == [kind]
    assert "line 3" in catalog.findings[0].value
    assert catalog.boxes_in == 3


def test_converted_images_are_found_by_their_stem(tmp_path: Path) -> None:
    catalog = obeys(read(gtsdb(tmp_path, "00000.ppm;1;2;21;32;11\n", ("00000.png", "00001.png"))))
    assert rows(catalog)[0][0] == "00000.png"
    assert kinds(catalog) == ["renamed-image"]


def test_names_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "secret.ppm")
    names = ("../secret.ppm", "/etc/secret.ppm", "C:\\secret.ppm", "a\0b.ppm")
    text = "00000.ppm;1;2;21;32;11\n" + "".join(f"{name};1;2;21;32;11\n" for name in names)
    catalog = obeys(read_gtsdb(gtsdb(tmp_path / "data", text)))
    assert kinds(catalog) == ["path-outside"] * 4
    assert len(catalog) == 2


def test_folders_of_the_benchmark(tmp_path: Path) -> None:
    gtsdb(tmp_path / "TrainIJCNN2013", "00000.ppm;1;2;21;32;11\n")
    picture(tmp_path / "TestIJCNN2013" / "00000.ppm")
    catalog = obeys(read(tmp_path))
    assert [Split(s) for s in catalog.splits] == [Split.TRAIN, Split.TRAIN]
    assert kinds(catalog) == ["unannotated-image"]  # nobody knows whether the test images show signs
    gtsdb(tmp_path / "TestIJCNN2013", "00000.ppm;1;2;21;32;11\n", ("00000.ppm",))
    catalog = obeys(read(tmp_path))
    assert [Split(s) for s in catalog.splits] == [Split.TRAIN, Split.TRAIN, Split.TEST]
    assert catalog.findings == ()
    gtsdb(tmp_path / "FullIJCNN2013", "00000.ppm;1;2;21;32;11\n", ("00000.ppm", "00600.ppm"))
    catalog = obeys(read(tmp_path))
    assert [Split(s) for s in catalog.splits] == [Split.TRAIN, Split.TEST]
    assert kinds(catalog) == ["unused-annotation"] * 2
    alone = obeys(read(tmp_path / "TestIJCNN2013"))
    assert [Split(s) for s in alone.splits] == [Split.TEST]


def test_other_names_leave_the_split_open(tmp_path: Path) -> None:
    catalog = obeys(read(gtsdb(tmp_path, "00000.ppm;1;2;21;32;11\n", ("00000.ppm", "road7.ppm"))))
    assert not catalog.splits.any()


@pytest.mark.parametrize("mark", [",", "\t"])
def test_other_marks_between_the_columns_are_read_and_named(tmp_path: Path, mark: str) -> None:
    text = "00000.ppm;1;2;21;32;11\n" + "00000.ppm;3;2;23;32;11\n".replace(";", mark)
    catalog = obeys(read_gtsdb(gtsdb(tmp_path, text)))
    assert catalog.boxes.tolist() == [[1, 2, 21, 32], [3, 2, 23, 32]]
    assert [(f.kind, f.value[:29]) for f in catalog.findings] == [("odd-delimiter", "1 lines, the first is line 2,")]


@pytest.mark.parametrize("text", ["", "\n", "1,-1,912,484,97,109,0,7,1\n", "00000.ppm 1 2\n", b"\xff\xfe\x00\xd8"])
def test_a_gt_of_another_kind_is_not_taken(tmp_path: Path, text: str | bytes) -> None:
    root = gtsdb(tmp_path, text)
    with pytest.raises(InputError, match=r"gt\.txt"):
        read_gtsdb(root)
    with pytest.raises(InputError, match="no dataset is recognised"):
        detect(root)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30) | st.sampled_from(["00000.ppm;1;2;21;32;11", "00000.ppm;a;;;"]), max_size=6))
def test_any_lines_give_a_catalog_or_a_clear_error(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = gtsdb(Path(folder), "\n".join(lines).encode("utf-8", "surrogatepass"), ("00000.ppm",))
        obeys_or_tells(read_gtsdb, root)


@needs_real
def test_the_benchmark_has_its_published_counts(tmp_path: Path) -> None:
    shutil.copy(REAL / "formats" / "gtsdb_gt.txt", tmp_path / "gt.txt")
    assert detect(tmp_path)[0] == "gtsdb"
    catalog = obeys(read(tmp_path))
    assert (len(catalog), catalog.boxes_in, len(catalog.classes)) == (741, 1213, 43)
    assert not catalog.has_images
    assert kinds(catalog) == ["assumed-size", "doubled-box", "no-images"]  # line 536 repeats line 534
    assert (catalog.class_counts() > 0).all()
    assert {tuple(size) for size in catalog.sizes.tolist()} == {(800, 1360)}
    assert [len(catalog.split(name)) for name in ("train", "test")] == [506, 235]
    text = (tmp_path / "gt.txt").read_text().splitlines()[1:]
    expected = {(f, NAMES[int(c)], *map(float, b)) for f, *b, c in (line.split(";") for line in text)}
    assert {(f, name, *box) for f, name, box in rows(catalog)} == expected
