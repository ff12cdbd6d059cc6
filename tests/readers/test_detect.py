import json
import logging
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.batches.datamodule import SignData
from detaug.cli import main
from detaug.errors import InputError
from detaug.readers.detect import detect
from detaug.readers.read import READERS, read
from detaug.readers.root import Root
from detaug.readers.table import head_columns
from tests.readers.making import REAL, coco, needs_real, picture, voc, xml, yolo

LISA = (
    "Filename;Annotation tag;Upper left corner X;Upper left corner Y;Lower right corner X;Lower right corner Y\n"
    "a.jpg;stop;1;2;9;9\n"
)


def make(root: Path, format: str) -> Path:
    """A dataset of that format with one image and one box."""
    picture(root / "a.jpg")
    if format == "voc":
        voc(root, {"a": [("s", (1, 1, 9, 9))]})
    elif format == "yolo":
        yolo(root, {"a": "0 0.5 0.5 0.1 0.1"})
    elif format == "coco":
        annotation = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9]}
        coco(root / "instances_train.json", [{"id": 0, "file_name": "a.jpg"}], [annotation])
    elif format == "gtsdb":
        (root / "gt.txt").write_text("a.jpg;1;2;9;9;14\n")
    elif format == "tt100k":
        things = [{"category": "pn", "bbox": {"xmin": 1, "ymin": 1, "xmax": 9, "ymax": 9}}]
        entry = {"path": "a.jpg", "id": 1, "objects": things}
        (root / "annotations.json").write_text(json.dumps({"types": ["pn"], "imgs": {"1": entry}}))
    elif format == "lisa":
        (root / "allAnnotations.csv").write_text(LISA)
    elif format == "mtsd":
        box = {"xmin": 1, "ymin": 1, "xmax": 9, "ymax": 9}
        content = {"width": 60, "height": 40, "ispano": False, "objects": [{"label": "other-sign", "bbox": box}]}
        picture(root / "images" / "a.jpg")
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / "a.json").write_text(json.dumps(content))
    return root


FORMATS = ["voc", "yolo", "coco", "gtsdb", "tt100k", "lisa", "mtsd"]


def test_all_formats_are_here() -> None:
    assert set(FORMATS) == set(READERS) - {"drawn", "images"}


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_is_recognised_alone(tmp_path: Path, format: str) -> None:
    found, reason = detect(make(tmp_path, format))
    assert found == format
    assert "not read" not in reason
    assert len(read(tmp_path).boxes) == 1


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
def test_of_two_formats_one_is_taken_and_the_other_named(tmp_path: Path, first: str, second: str) -> None:
    if first >= second:
        return
    found, reason = detect(make(make(tmp_path, first), second))
    assert found in (first, second)
    other = second if found == first else first
    taken, _, left = reason.partition("; not read: ")
    assert taken
    assert f"({other})" in left


def test_what_only_makes_words_is_no_dependency(tmp_path: Path) -> None:
    root = Root(make(make(tmp_path, "gtsdb"), "voc"))
    detect(root)
    assert "gt.txt" in root.files
    assert not any(".xml" in suffixes for _, suffixes, _ in root.folders)


def test_a_coco_file_called_annotations_is_coco(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    annotation = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9]}
    coco(tmp_path / "annotations.json", [{"id": 0, "file_name": "a.jpg"}], [annotation])
    assert detect(tmp_path)[0] == "coco"


def test_xml_that_is_no_annotation_is_not_voc(tmp_path: Path) -> None:
    make(tmp_path, "coco")
    (tmp_path / "pom.xml").write_text("<project/>")
    assert detect(tmp_path)[0] == "coco"
    (tmp_path / "pom.xml").write_text(xml([("s", (1, 1, 9, 9))], "a.jpg"))
    assert detect(tmp_path)[0] == "voc"


def test_a_broken_description_hides_no_other_format(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [a\n")
    with pytest.raises(InputError, match=r"data\.yaml"):
        detect(tmp_path)
    assert detect(make(tmp_path, "voc"))[0] == "voc"


def test_nothing_is_recognised_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "gt.csv").write_text('\ufeff"frame","left"\n1,2\n')
    with pytest.raises(InputError, match="no dataset is recognised") as told:
        detect(tmp_path)
    for word in ("YOLO", "VOC", "COCO", "GTSDB", "TT100K", "LISA", "Mapillary", "gt.csv", "frame, left"):
        assert word in str(told.value)


def test_odd_things_under_the_names_of_annotations(tmp_path: Path) -> None:
    for name in ("gt.txt", "annotations.json", "allAnnotations.csv", "data.yaml", "annotations"):
        odd = tmp_path / "folders" / name
        odd.mkdir(parents=True)
        pipe = tmp_path / "pipes" / name
        pipe.parent.mkdir(exist_ok=True)
        os.mkfifo(pipe)  # opening one would wait for ever
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "empty" / name).touch()
        (tmp_path / "links").mkdir(exist_ok=True)
        (tmp_path / "links" / name).symlink_to("/etc/passwd")
    for kind in ("folders", "pipes", "empty", "links"):
        with pytest.raises(InputError, match=kind):
            detect(tmp_path / kind)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["gt.txt", "annotations.json", "a.csv", "data.yaml", "a.xml", "annotations/a.json", "x.json"]),
        st.binary(max_size=60)
        | st.sampled_from([b'{"imgs": 3', b'{"images":[],"annotations":{}}', b"a.ppm;1;2;3;4;5"]),
        max_size=4,
    )
)
def test_any_files_are_detected_or_refused(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        told = folder
        try:
            assert detect(folder)[0] in READERS
        except InputError as error:
            told = str(error)
        assert folder in told


@needs_real
def test_a_manifest_is_no_dataset_and_its_columns_are_read(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    shutil.copy(REAL / "formats" / "latzi_manifest_utf8_bom.csv", manifest)
    assert head_columns(manifest)[:3] == ["sample_id", "image_relpath", "annotation_relpath"]
    with pytest.raises(InputError, match=r"no dataset is recognised .*manifest\.csv .*sample_id"):
        read(tmp_path)


@needs_real
@pytest.mark.parametrize(
    ("name", "format"), [("road_signs", "voc"), ("au_signs_yolo", "yolo"), ("otonom_coco", "coco")]
)
def test_real_datasets_are_recognised(name: str, format: str) -> None:
    assert detect(REAL / "data" / name)[0] == format


def test_a_run_and_a_preview_say_what_was_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    root = voc(tmp_path / "data", {"a": [("s", (1, 1, 9, 9))], "b": [("s", (2, 2, 9, 9))]})
    sentence = f"{root}: read as {': '.join(detect(root))}"
    with caplog.at_level(logging.INFO):
        data = SignData(root=str(root), workers=0)
        assert len(data.catalog) == len(data.catalog) == 2
        SignData(root=str(root), format="voc", workers=0).catalog  # noqa: B018 (told, so nothing to say)
    assert [record.getMessage() for record in caplog.records if "read as" in record.getMessage()] == [sentence]
    words = ["preview", str(root), "--recipe", "plain", "--out", str(tmp_path / "sheet.png"), "--count", "1"]
    assert main([*words, "--size", "64", "--split", "all"]) == 0
    assert sentence in capsys.readouterr().out
