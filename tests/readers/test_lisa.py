import csv
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Flag, Split
from detaug.readers.detect import detect
from detaug.readers.lisa import read_lisa
from detaug.readers.read import read
from detaug.readers.split import with_splits
from tests.readers.making import REAL, kinds, needs_real, obeys, picture
from tests.readers.telling import obeys_or_tells

BOX = "Upper left corner X;Upper left corner Y;Lower right corner X;Lower right corner Y"
ORIGIN = "Origin file;Origin frame number;Origin track;Origin track frame number"
SIGNS = f"Filename;Annotation tag;{BOX};Occluded,On another road;{ORIGIN}"
LIGHTS = f"Filename;Annotation tag;{BOX};{ORIGIN}"


def sign(name: str, tag: str = "stop", box: str = "1;2;21;32", occluded: str = "0,0", track: str = "t1") -> str:
    return f"{name};{tag};{box};{occluded};v.avi;9;{track};0"


def light(name: str, tag: str = "go", box: str = "1;2;21;32", track: str = "clip.mp4") -> str:
    return f"{name};{tag};{box};v.mp4;0;{track};0"


def table(path: Path, header: str, *rows: str, ending: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ending.join((header, *rows, "")).encode())
    return path.parent


def boxes(catalog: Catalog) -> list[tuple[str, str, list[float]]]:
    owners = catalog.images_of_boxes()
    return [
        (catalog.name(int(owners[i])), catalog.classes.names[catalog.labels[i]], catalog.boxes[i].tolist())
        for i in range(len(catalog.boxes))
    ]


def test_signs_are_read_relative_to_the_table(tmp_path: Path) -> None:
    for name in ("aiua-0/a.png", "aiua-0/b.png", "negatives/n.png"):
        picture(tmp_path / name)
    rows = sign("aiua-0/a.png"), sign("aiua-0/a.png", "yield", "3;3;9;9", "1,0"), sign("aiua-0/b.png", "yield")
    root = table(tmp_path / "allAnnotations.csv", SIGNS, *rows)
    assert detect(root)[0] == "lisa"
    catalog = obeys(read(root))
    assert boxes(catalog) == [
        ("aiua-0/a.png", "stop", [1, 2, 21, 32]),
        ("aiua-0/a.png", "yield", [3, 3, 9, 9]),
        ("aiua-0/b.png", "yield", [1, 2, 21, 32]),
    ]
    assert catalog.flags.tolist() == [0, Flag.OCCLUDED, 0]
    assert [(f.kind, f.file) for f in catalog.findings] == [("unannotated-image", "negatives")]
    assert not catalog.splits.any()


def test_columns_count_by_name(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    order = ["Origin track", "Lower right corner Y", "Filename", *BOX.split(";")[:3], "Annotation tag", "More"]
    row = ["t", "32", "a.png", "1", "2", "21", "stop", "x"]
    for mark in ";,\t":
        root = table(tmp_path / "allAnnotations.csv", mark.join(order), mark.join(row))
        assert boxes(obeys(read(root))) == [("a.png", "stop", [1, 2, 21, 32])]


def test_the_comma_in_a_column_name_survives_other_delimiters(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with (tmp_path / "allAnnotations.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([SIGNS.split(";"), sign("a.png", occluded="1,0").split(";")])
    catalog = obeys(read(tmp_path))
    assert catalog.flags.tolist() == [Flag.OCCLUDED]
    assert catalog.findings == ()


def test_frames_of_one_track_are_never_parted(tmp_path: Path) -> None:
    names = [f"x/{stem}.png" for stem in ("q1", "w2", "e3", "r4", "t5", "y6")]
    for name in names:
        picture(tmp_path / name)
    rows = [sign(names[0], track="A"), sign(names[1], track="A"), sign(names[1], box="3;3;9;9", track="B")]
    rows += [sign(names[2], track="B"), sign(names[3], track="C"), sign(names[4], track=""), sign(names[5], track="C")]
    catalog = obeys(read(table(tmp_path / "allAnnotations.csv", SIGNS, *rows)))
    group = {catalog.name(i): int(catalog.groups[i]) for i in range(len(catalog))}
    assert group[names[0]] == group[names[1]] == group[names[2]]  # by A, then by B
    assert group[names[3]] == group[names[5]]
    assert len(set(group.values())) == 3
    for seed in range(5):
        divided = with_splits(catalog, 0.4, seed)
        for number in set(group.values()):
            assert len(set(divided.splits[catalog.groups == number])) == 1


def test_one_name_for_tracks_of_two_videos_is_two_tracks(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    rows = sign("a.png", track="t"), sign("b.png", track="t").replace("v.avi", "w.avi")
    catalog = obeys(read(table(tmp_path / "allAnnotations.csv", SIGNS, *rows)))
    assert len(set(catalog.groups.tolist())) == 2


def test_lights_are_found_by_the_last_part_of_their_name(tmp_path: Path) -> None:
    picture(tmp_path / "daySequence1" / "daySequence1" / "frames" / "daySequence1--00000.jpg")
    picture(tmp_path / "dayTrain" / "dayTrain" / "dayClip1" / "frames" / "dayClip1--00000.jpg")
    picture(tmp_path / "sample-dayClip1" / "sample-dayClip1" / "frames" / "dayClip1--00000.jpg")
    tables = tmp_path / "Annotations" / "Annotations"
    table(tables / "daySequence1" / "frameAnnotationsBOX.csv", LIGHTS, light("dayTest/daySequence1--00000.jpg"))
    clip = light("dayTraining/dayClip1--00000.jpg")
    table(tables / "dayTrain" / "dayClip1" / "frameAnnotationsBOX.csv", LIGHTS, clip)
    table(tables / "sample-dayClip1" / "frameAnnotationsBOX.csv", LIGHTS, clip)
    assert detect(tmp_path)[0] == "lisa"
    catalog = obeys(read(tmp_path))
    splits = {catalog.name(i): Split(catalog.splits[i]) for i in range(len(catalog))}
    assert splits == {
        "daySequence1/daySequence1/frames/daySequence1--00000.jpg": Split.TEST,
        "dayTrain/dayTrain/dayClip1/frames/dayClip1--00000.jpg": Split.TRAIN,
        "sample-dayClip1/sample-dayClip1/frames/dayClip1--00000.jpg": Split.TRAIN,
    }
    assert catalog.findings == ()


def test_a_name_that_two_images_have_is_a_finding(tmp_path: Path) -> None:
    for folder in ("p", "q"):
        picture(tmp_path / folder / "f--0.jpg")
    picture(tmp_path / "p" / "f--1.jpg")
    root = table(tmp_path / "frameAnnotationsBOX.csv", LIGHTS, light("dayTest/f--0.jpg"), light("dayTest/f--1.jpg"))
    catalog = obeys(read(root))
    assert [catalog.name(i) for i in range(len(catalog))] == ["p/f--1.jpg"]
    assert [(f.kind, f.boxes_lost) for f in catalog.findings] == [("ambiguous-image", 1)]
    assert "p/f--0.jpg" in catalog.findings[0].value
    assert "q/f--0.jpg" in catalog.findings[0].value


def test_the_whole_light_is_read_where_the_bulb_is_marked_too(tmp_path: Path) -> None:
    picture(tmp_path / "f--0.jpg")
    root = table(tmp_path / "frameAnnotationsBULB.csv", LIGHTS, light("f--0.jpg", box="5;5;8;8"))
    assert boxes(obeys(read(root)))[0][2] == [5, 5, 8, 8]
    table(tmp_path / "frameAnnotationsBOX.csv", LIGHTS, light("f--0.jpg", box="4;2;9;20"))
    catalog = obeys(read(root))
    assert [box for _, _, box in boxes(catalog)] == [[4, 2, 9, 20]]
    assert [(f.kind, f.file) for f in catalog.findings] == [("unused-annotation", "frameAnnotationsBULB.csv")]


def test_the_table_of_all_signs_stands_for_those_below_it(tmp_path: Path) -> None:
    picture(tmp_path / "aiua-0" / "a.png")
    table(tmp_path / "aiua-0" / "frameAnnotations.csv", SIGNS, sign("a.png"))
    assert len(obeys(read(tmp_path)).boxes) == 1
    root = table(tmp_path / "allAnnotations.csv", SIGNS, sign("aiua-0/a.png"))
    catalog = obeys(read(root))
    assert len(catalog.boxes) == catalog.boxes_in == 1
    assert [(f.kind, f.file) for f in catalog.findings] == [("unused-annotation", "aiua-0/frameAnnotations.csv")]


@pytest.mark.parametrize(
    ("row", "kind", "lost"),
    [
        ("b.png;stop;1;2;21", "unreadable-line", 1),
        ("stop", "unreadable-line", 1),
        (sign(""), "unreadable-line", 1),
        (sign("notes.txt"), "unreadable-line", 1),
        (sign("b.png") + ";more", "unreadable-line", 1),
        (sign("b.png").replace("b.png", '"b.png'), "unreadable-line", 1),
        (sign("b.png").rpartition(";")[0], "short-line", 0),
        (sign("b.png", occluded="yes,0"), "bad-flag", 0),
        (sign("b.png", box="1;2;x;32"), "bad-number", 1),
        (sign("b.png", tag=" "), "unknown-class", 1),
        (sign("b.png", box="21;2;1;32"), "inside-out-box", 1),
    ],
)
def test_a_bad_row_costs_itself_and_is_named_with_its_line(tmp_path: Path, row: str, kind: str, lost: int) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    rows = sign("a.png"), "", row, sign("b.png", "yield", "3;3;9;9")
    catalog = obeys(read(table(tmp_path / "allAnnotations.csv", "\ufeff" + SIGNS, *rows, ending="\r\n")))
    assert [(f.kind, f.boxes_lost) for f in catalog.findings] == [(kind, lost)]
    assert "line 4" in catalog.findings[0].value
    assert len(catalog.boxes) == 3 - lost


def test_names_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    picture(tmp_path / "data" / "a.png")
    rows = [sign(name) for name in ("a.png", "../secret.png", "/tmp/a.png", "C:\\a.png", "..\\a.png")]
    catalog = obeys(read(table(tmp_path / "data" / "allAnnotations.csv", SIGNS, *rows)))
    assert kinds(catalog) == ["path-outside"] * 4
    assert len(catalog) == 1


def test_a_table_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    table(tmp_path / "frameAnnotations.csv", LIGHTS, light("a.png"))
    bad = tmp_path / "x.csv"
    bad.write_bytes(f"{LIGHTS}\n".encode() + b"a.png;stra\xdfe;1;2;3;4\n")
    catalog = obeys(read(tmp_path))
    assert [(f.kind, f.file) for f in catalog.findings] == [("unreadable-annotation", "x.csv")]
    bad.unlink()
    table(tmp_path / "frameAnnotations.csv", LIGHTS)
    with pytest.raises(InputError, match="none of 0 images"):
        read_lisa(tmp_path)


_CELL = st.sampled_from(["a.png", "stop", "1", "9", '"', "0,0", "\0", "../a.png"]) | st.text(max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([SIGNS, LIGHTS]), st.lists(st.lists(_CELL, max_size=12).map(";".join), max_size=4))
def test_any_rows_give_a_catalog_or_a_clear_error(header: str, rows: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        picture(Path(folder) / "a.png")
        obeys_or_tells(read_lisa, table(Path(folder) / "allAnnotations.csv", header, sign("a.png"), *rows))


SEQUENCES = [
    ("lisa_tl_daySequence1_frameAnnotationsBULB.csv", "daySequence1", 3465, 10308),
    ("lisa_tl_daySequence2_first3000.csv", "daySequence2", 1767, 3000),
    ("lisa_tl_nightSequence1_first3000.csv", "nightSequence1", 1171, 3000),
]


@needs_real
@pytest.mark.parametrize(("file", "sequence", "images", "rows"), SEQUENCES)
def test_real_lights_are_what_a_plain_csv_reader_finds(
    tmp_path: Path, file: str, sequence: str, images: int, rows: int
) -> None:
    place = tmp_path / "Annotations" / "Annotations" / sequence / "frameAnnotationsBULB.csv"
    place.parent.mkdir(parents=True)
    shutil.copy(REAL / "formats" / file, place)
    catalog = obeys(read(tmp_path))
    assert (len(catalog), catalog.boxes_in, len(catalog.boxes)) == (images, rows, rows)
    assert kinds(catalog) == ["assumed-size", "no-images"]
    assert not catalog.has_images
    assert len(set(catalog.groups.tolist())) == 1  # one video
    assert {Split(code) for code in catalog.splits} == {Split.TEST}
    with place.open(newline="") as opened:
        expected = [
            (Path(r["Filename"]).name, r["Annotation tag"], [float(r[side]) for side in BOX.split(";")])
            for r in csv.DictReader(opened, delimiter=";")
        ]
    found = [(Path(name).name, label, box) for name, label, box in boxes(catalog)]
    assert sorted(found) == sorted(expected)


@needs_real
def test_the_real_row_of_a_sign(tmp_path: Path) -> None:
    shutil.copy(REAL / "formats" / "lisa_sign_transcribed_example.csv", tmp_path / "allAnnotations.csv")
    catalog = obeys(read(tmp_path))
    assert [(label, box) for _, label, box in boxes(catalog)] == [("stop", [862, 104, 916, 158])]
    assert catalog.flags.tolist() == [0]
    assert catalog.name(0).endswith("_annotations/stop_1330545910.avi_image0.png")
