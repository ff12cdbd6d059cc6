import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.errors import InputError
from detaug.readers.catalog import Split
from detaug.readers.detect import detect
from detaug.readers.read import read
from detaug.readers.tt100k import read_tt100k
from tests.readers.making import REAL, kinds, needs_real, obeys, picture
from tests.readers.telling import obeys_or_tells


def thing(category: object, *corners: object) -> dict[str, Any]:
    return {"category": category, "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))}


def image(path: object, *objects: object) -> dict[str, Any]:
    return {"path": path, "id": 7, "objects": list(objects)}


def tt100k(root: Path, images: object, types: object = ("i5", "pl40", "pn"), file: str = "annotations.json") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    content = {"types": list(types) if isinstance(types, tuple) else types, "imgs": images}
    (root / file).write_text(json.dumps(content))
    return root


def test_images_splits_and_boxes_are_read(tmp_path: Path) -> None:
    for name in ("train/1.jpg", "test/2.jpg", "other/3.jpg"):
        picture(tmp_path / name)
    images = {
        "1": {"path": "train/1.jpg", "id": 1, "objects": [thing("pn", 1.5, 2.25, 20, 30), thing("i5", 3, 3, 9, 9)]},
        "2": {"path": "test/2.jpg", "id": 2, "objects": [thing("pn", 1, 2, 20, 30) | {"ellipse": [[1, 2], [3, 4], 5]}]},
        "3": {"path": "other/3.jpg", "id": 3, "objects": []},
    }
    assert detect(tt100k(tmp_path, images))[0] == "tt100k"
    catalog = obeys(read(tmp_path))
    assert [Split(code) for code in catalog.splits] == [Split.TRAIN, Split.TEST, Split.NONE]
    assert catalog.ids.tolist() == [1, 2, 3]
    assert catalog.boxes.tolist() == [[1.5, 2.25, 20, 30], [3, 3, 9, 9], [1, 2, 20, 30]]
    assert [catalog.classes.names[i] for i in catalog.labels] == ["pn", "i5", "pn"]
    assert catalog.classes.names == ("i5", "pn")  # the order of `types`, without the one that has no box
    assert kinds(catalog) == ["unused-class"]
    assert "'pl40'" in catalog.findings[0].value


def test_pictures_that_the_file_does_not_name_are_no_background(tmp_path: Path) -> None:
    for name in ("train/1.jpg", "other/3.jpg", "other/4.jpg"):
        picture(tmp_path / name)
    catalog = obeys(read(tt100k(tmp_path, {"1": image("train/1.jpg", thing("pn", 1, 2, 20, 30))}, ("pn",))))
    assert len(catalog) == 1
    assert [(f.kind, f.file, f.images_lost) for f in catalog.findings] == [("unannotated-image", "other", 2)]


def test_the_larger_file_is_preferred_and_the_other_named(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "1.jpg")
    tt100k(tmp_path, {"1": image("train/1.jpg", thing("pn", 1, 2, 20, 30))}, ("pn",))
    boxes = thing("pn", 1, 2, 20, 30), thing("i5", 3, 3, 9, 9)
    tt100k(tmp_path, {"1": image("train/1.jpg", *boxes)}, ("i5", "pn"), "annotations_all.json")
    catalog = obeys(read(tmp_path))
    assert len(catalog.boxes) == 2
    assert [(f.kind, f.file) for f in catalog.findings] == [("unused-annotation", "annotations.json")]


def test_the_first_release_lies_in_data(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "train" / "1.jpg")
    tt100k(tmp_path / "data", {"1": image("train/1.jpg", thing("pn", 1, 2, 20, 30))}, ("pn",))
    catalog = obeys(read(tmp_path))
    assert (catalog.name(0), Split(catalog.splits[0])) == ("data/train/1.jpg", Split.TRAIN)


@pytest.mark.parametrize(
    ("entry", "kind", "boxes"),
    [
        (None, "unreadable-annotation", 0),
        ([], "unreadable-annotation", 0),
        ({"objects": [thing("pn", 1, 2, 3, 4)]}, "unreadable-annotation", 1),
        (image(5, thing("pn", 1, 2, 3, 4)), "unreadable-annotation", 1),
        (image("train/9.jpg", thing("pn", 1, 2, 3, 4)), "missing-image", 1),
        (image("../9.jpg", thing("pn", 1, 2, 3, 4)), "path-outside", 1),
        (image("\ud800/9.jpg", thing("pn", 1, 2, 3, 4)), "path-outside", 1),
        (image("train/2.jpg") | {"objects": "none"}, "unreadable-annotation", 0),
        (image("train/2.jpg", "thing"), "bad-number", 1),
        (image("train/2.jpg", thing("pn", 1, 2, 20, None)), "bad-number", 1),
        (image("train/2.jpg", {"category": "pn", "bbox": [1, 2, 3, 4]}), "bad-number", 1),
        (image("train/2.jpg", thing(None, 1, 2, 20, 30)), "unknown-class", 1),
        (image("train/2.jpg", thing(["pn"], 1, 2, 20, 30)), "unknown-class", 1),
        (image("train/2.jpg", thing("w99", 1, 2, 20, 30)), "unlisted-class", 0),
    ],
)
def test_a_bad_entry_costs_itself(tmp_path: Path, entry: object, kind: str, boxes: int) -> None:
    picture(tmp_path / "train" / "1.jpg")
    picture(tmp_path / "train" / "2.jpg")
    good = image("train/1.jpg", thing("pn", 1, 2, 20, 30))
    catalog = obeys(read_tt100k(tt100k(tmp_path, {"1": good, "2": entry}, ("pn",))))
    found = [f for f in catalog.findings if f.kind != "unannotated-image"]
    assert [(f.kind, f.boxes_lost) for f in found] == [(kind, boxes)]
    assert "train/1.jpg" in [catalog.name(i) for i in range(len(catalog))]


@pytest.mark.parametrize("images", [[], "x", None, {}])
def test_a_file_without_images_is_refused(tmp_path: Path, images: object) -> None:
    with pytest.raises(InputError, match=r"annotations\.json|none of 0 images"):
        read_tt100k(tt100k(tmp_path, images))


def test_without_images_2048_pixels_are_assumed(tmp_path: Path) -> None:
    catalog = obeys(read(tt100k(tmp_path, {"1": image("train/1.jpg", thing("pn", 1, 2, 2040, 30))}, ("pn",))))
    assert not catalog.has_images
    assert catalog.sizes.tolist() == [[2048, 2048]]


_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda x: st.lists(x, max_size=3))
_THING = st.dictionaries(st.sampled_from(["category", "bbox"]), _JSON) | st.just(thing("pn", 1, 2, 9, 9))
_ENTRY = st.fixed_dictionaries(
    {"path": st.just("train/1.jpg") | _JSON, "id": _JSON, "objects": st.lists(_THING | _JSON)}
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), _ENTRY | _JSON, max_size=3), _JSON)
def test_any_content_gives_a_catalog_or_a_clear_error(images: object, types: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        picture(Path(folder) / "train" / "1.jpg")
        obeys_or_tells(read_tt100k, tt100k(Path(folder), images, types))


@needs_real
@pytest.mark.slow
def test_the_voc_form_goes_on_as_voc_and_has_the_same_boxes_as_this_form(tmp_path: Path) -> None:
    with zipfile.ZipFile(REAL / "formats" / "tt100k_voc_all.zip") as archive:
        archive.extractall(tmp_path / "voc")
    assert detect(tmp_path / "voc")[0] == "voc"
    catalog = read(tmp_path / "voc")
    assert (len(catalog), catalog.boxes_in, len(catalog.classes)) == (9170, 24705, 162)
    images = {}
    for row in range(len(catalog)):
        objects = [
            thing(catalog.classes.names[catalog.labels[i]], *catalog.boxes[i].tolist())
            for i in range(catalog.starts[row], catalog.starts[row + 1])
        ]
        images[str(row)] = {"path": f"train/{row}.jpg", "id": row, "objects": objects}
    same = obeys(read(tt100k(tmp_path / "json", images, catalog.classes.names)))
    np.testing.assert_array_equal(same.boxes, catalog.boxes)
    np.testing.assert_array_equal(same.labels, catalog.labels)
    np.testing.assert_array_equal(same.starts, catalog.starts)
