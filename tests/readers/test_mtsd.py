"""The Mapillary Traffic Sign Dataset."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.errors import InputError
from detaug.readers.catalog import Flag, Split
from detaug.readers.mtsd import annotation_folder, read_mtsd
from detaug.readers.root import Root
from tests.readers.making import REAL, coco, kinds, needs_real, obeys, picture

SIGN = "regulatory--stop--g1"
FULLY, PARTIALLY = "mtsd_v2_fully_annotated", "mtsd_v2_partially_annotated"


def thing(*box: object, label: object = SIGN, bbox: Mapping[str, Any] | None = None, **properties: object) -> Any:
    """An object; `_` in a property's name stands for a hyphen."""
    corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)) if box else {}
    named = {name.replace("_", "-"): value for name, value in properties.items()}
    return {"key": "k", "label": label, "bbox": corners | dict(bbox or {}), "properties": named}


def annotate(base: Path, key: str, objects: object, image: bool = True, **more: Any) -> None:
    """One image's annotation, with its image of 60 x 40 pixels."""
    (base / "annotations").mkdir(parents=True, exist_ok=True)
    content = {"width": 60, "height": 40, "ispano": False, "objects": objects} | more
    (base / "annotations" / f"{key}.json").write_text(json.dumps(content))
    if image:
        picture(base / "images" / f"{key}.jpg")


def lists(base: Path, **keys: Sequence[str]) -> None:
    (base / "splits").mkdir(parents=True, exist_ok=True)
    for name, listed in keys.items():
        (base / "splits" / f"{name}.txt").write_text("\n".join(listed) + "\n")


@pytest.mark.parametrize("below", ["", FULLY, f"mtsd_fully_annotated_annotation/{FULLY}"])
def test_boxes_splits_and_flags(tmp_path: Path, below: str) -> None:
    base = tmp_path / below
    annotate(
        base, "a", [thing(1.5, 2.25, 9, 8, occluded=True, ambiguous=False), thing(3, 3, 20, 30, label="other-sign")]
    )
    annotate(base, "b", [thing(0, 2, 9, 8, out_of_frame=True), thing(9, 9, 19, 19, dummy=True)])
    annotate(base, "c", [])
    lists(base, train=["a"], val=["b"])
    catalog = obeys(read_mtsd(tmp_path))
    assert [catalog.name(i).rpartition("/")[2] for i in range(3)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert catalog.splits.tolist() == [Split.TRAIN, Split.VAL, Split.NONE]
    assert catalog.classes.names == ("other-sign", SIGN)
    assert catalog.labels.tolist() == [1, 0, 1, 1]
    assert catalog.boxes[0].tolist() == [1.5, 2.25, 9, 8]
    assert catalog.flags.tolist() == [Flag.OCCLUDED, 0, Flag.TRUNCATED, Flag.DIFFICULT]
    assert catalog.findings == ()
    assert annotation_folder(Root(tmp_path)) == (f"{below}/annotations" if below else "annotations")


def test_images_may_lie_where_their_archives_put_them(tmp_path: Path) -> None:
    base = tmp_path / "mtsd_fully_annotated_annotation" / FULLY
    for key, part in (("a", "train.0"), ("b", "train.1")):
        annotate(base, key, [thing(1, 2, 9, 8)], image=False)
        picture(tmp_path / f"mtsd_fully_annotated_images.{part}" / "images" / f"{key}.jpg")
    assert len(obeys(read_mtsd(tmp_path))) == 2
    picture(tmp_path / "images" / "c.jpg")
    annotate(base, "c", [], image=False)
    assert len(obeys(read_mtsd(tmp_path))) == 3


def test_a_sign_across_a_panoramas_border_is_two_boxes(tmp_path: Path) -> None:
    parts = {
        "left": {"xmin": 50, "ymin": 5, "xmax": 60, "ymax": 15},
        "right": {"xmin": 0, "ymin": 5, "xmax": 4, "ymax": 15},
    }
    crossing = thing(50, 5, 4, 15, bbox={"cross_boundary": parts})
    annotate(tmp_path, "a", [crossing, thing(9, 9, 19, 19)], ispano=True)
    annotate(tmp_path, "b", [thing(50, 5, 4, 15, occluded=True)], ispano=True)
    catalog = obeys(read_mtsd(tmp_path))
    halves = [[50, 5, 60, 15], [0, 5, 4, 15]]
    assert catalog.boxes.tolist() == [*halves, [9, 9, 19, 19], *halves]
    cut = Flag.TRUNCATED | Flag.OCCLUDED
    assert catalog.flags.tolist() == [Flag.TRUNCATED, Flag.TRUNCATED, 0, cut, cut]
    assert catalog.findings == ()


def test_an_inside_out_box_in_a_flat_picture_is_lost(tmp_path: Path) -> None:
    annotate(tmp_path, "a", [thing(50, 5, 4, 15), thing(9, 9, 19, 19)])
    catalog = obeys(read_mtsd(tmp_path))
    assert kinds(catalog) == ["inside-out-box"]
    assert len(catalog.boxes) == 1


def test_images_without_annotation_are_no_background(tmp_path: Path) -> None:
    annotate(tmp_path, "a", [thing(1, 2, 9, 8)])
    for key in ("t1", "t2", "stray"):
        picture(tmp_path / "images" / f"{key}.jpg")
    lists(tmp_path, train=["a", "gone"], test=["t1", "t2", "t3"])
    catalog = obeys(read_mtsd(tmp_path))
    assert len(catalog) == 1
    lost = {(f.kind, f.file): f.images_lost for f in catalog.findings}
    assert lost == {
        ("unlabelled-image", "splits/test.txt"): 3,
        ("unlabelled-image", "splits/train.txt"): 1,
        ("unannotated-image", "images"): 1,
    }


@pytest.mark.parametrize("shared", [True, False])
def test_partially_annotated_images_stay_out_beside_the_full_set(tmp_path: Path, shared: bool) -> None:
    annotate(tmp_path / FULLY, "a", [thing(1, 2, 9, 8)], image=not shared)
    for key in ("p", "q"):
        annotate(tmp_path / PARTIALLY, key, [thing(1, 2, 9, 8)], image=not shared)
    if shared:
        for key in ("a", "p", "q"):
            picture(tmp_path / "images" / f"{key}.jpg")
    catalog = obeys(read_mtsd(tmp_path))
    assert len(catalog) == 1
    assert [(f.kind, f.images_lost) for f in catalog.findings] == [("partially-annotated", 2)]


@pytest.mark.parametrize("inside", [True, False])
def test_partially_annotated_images_alone_are_read_and_said(tmp_path: Path, inside: bool) -> None:
    annotate(tmp_path / PARTIALLY, "p", [thing(1, 2, 9, 8)])
    catalog = obeys(read_mtsd(tmp_path / PARTIALLY if inside else tmp_path))
    assert len(catalog) == 1
    assert kinds(catalog) == ["partially-annotated"]
    assert catalog.images_in == 1


def test_keys_in_two_lists_are_said(tmp_path: Path) -> None:
    annotate(tmp_path, "a", [])
    annotate(tmp_path, "b", [])
    lists(tmp_path, train=["a", "b", "a"], val=["a"])
    catalog = obeys(read_mtsd(tmp_path))
    assert catalog.splits.tolist() == [Split.TRAIN, Split.TRAIN]
    assert kinds(catalog) == ["doubled-key"]


def test_hostile_files_are_findings(tmp_path: Path) -> None:
    annotate(tmp_path, "a", [thing(1, 2, 9, 8)])
    folder = tmp_path / "annotations"
    broken = ["{", "[]", "null", '{"objects": {}}', '{"objects": null, "width": 3}', "[" * 100_000, '{"width": 1e999']
    for place, text in enumerate(broken):
        (folder / f"broken{place}.json").write_text(text)
        picture(tmp_path / "images" / f"broken{place}.jpg")
    (folder / "bytes.json").write_bytes(b"\xff\xfe\x00")
    secret = tmp_path.parent / f"{tmp_path.name}-secret.json"
    secret.write_text(json.dumps({"objects": [], "width": 1}))
    (folder / "link.json").symlink_to(secret)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_bytes(b"\xff")
    catalog = obeys(read_mtsd(tmp_path))
    expected = ["path-outside", "unreadable-list", *["unreadable-annotation"] * (len(broken) + 1)]
    assert kinds(catalog) == sorted(expected)
    assert catalog.images_in == len(broken) + 3
    secret.unlink()


OBJECTS: list[Any] = [
    None, 3, "x", [], {}, {"label": SIGN}, {"label": 7, "bbox": {}}, {"label": SIGN, "bbox": [1, 2, 3, 4]},
    thing("a", None, [], {}), thing(float("nan"), 2, 9, 8), thing(float("inf"), 2, 9, 8), thing(1, 2, 10**400, 8),
    thing(1, 2, 9, 8, label=""), thing(1, 2, 9, 8, label=None), thing(True, 2, 9, 8),
    thing(1, 2, 9, 8, bbox={"cross_boundary": {"left": 3}}) | {"properties": 5},
    thing(bbox={"cross_boundary": {"left": {}, "right": {}}}), thing(1, 2, 9, 8, label="\ud800"),
]  # fmt: skip


@pytest.mark.parametrize("pano", [True, False, "yes", None])
def test_hostile_objects_lose_themselves_alone(tmp_path: Path, pano: object) -> None:
    annotate(tmp_path, "a", [*OBJECTS, thing(20, 20, 30, 30)], ispano=pano, width="wide", height=[])
    catalog = obeys(read_mtsd(tmp_path))
    assert [20, 20, 30, 30] in catalog.boxes.tolist()
    assert catalog.boxes_in == len(OBJECTS) + 2  # the border-crossing one counts as two


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["objects", "width", "height", "ispano", "label", "bbox", "properties", "cross_boundary"])
            | st.sampled_from(["left", "right", "xmin", "ymin", "xmax", "ymax", "out-of-frame"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None)
@given(objects=st.lists(json_values, max_size=4), other=json_values, data=st.binary(max_size=40))
def test_anything_gives_a_catalog_or_a_clear_error(objects: list[Any], other: Any, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        annotate(root, "a", objects)
        (root / "annotations" / "b.json").write_text(json.dumps(other))
        (root / "annotations" / "c.json").write_bytes(data)
        (root / "splits").mkdir()
        (root / "splits" / "val.txt").write_bytes(data)
        obeys(read_mtsd(root))


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Mapillary dataset: looked for"):
        read_mtsd(tmp_path)
    coco(tmp_path / "annotations" / "instances_train.json", [{"id": 1, "file_name": "a.jpg"}])
    assert annotation_folder(Root(tmp_path)) is None
    with pytest.raises(InputError, match="no Mapillary dataset"):
        read_mtsd(tmp_path)


def test_without_images_it_can_be_planned(tmp_path: Path) -> None:
    annotate(tmp_path, "a", [thing(1, 2, 9, 8)], image=False)
    catalog = obeys(read_mtsd(tmp_path))
    assert not catalog.has_images
    assert catalog.sizes.tolist() == [[40, 60]]


@needs_real
def test_a_real_annotation(tmp_path: Path) -> None:
    text = (REAL / "formats" / "mtsd_transcribed_example.json").read_text()
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.json").write_text(text)
    catalog = obeys(read_mtsd(tmp_path))
    expected = list(json.loads(text)["objects"][0]["bbox"].values())
    np.testing.assert_allclose(catalog.boxes, [expected], rtol=1e-6)
    assert catalog.sizes.tolist() == [[2448, 3264]]
    assert catalog.classes.names == ("warning--traffic-merges-right--g1",)
