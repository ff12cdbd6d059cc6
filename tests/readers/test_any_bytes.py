"""Any bytes in any annotation file give a catalog that obeys its laws, or an InputError."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.coco import read_coco
from detaug.readers.read import read
from detaug.readers.voc import read_voc
from detaug.readers.yolo import read_yolo
from tests.readers.making import coco, obeys, picture, voc, yolo

EXAMPLES = settings(max_examples=30, deadline=None)
Reader = Callable[[Path], Catalog]


def survives(reader: Reader, root: Path) -> Catalog | None:
    """The catalog, checked, or None where the dataset was refused with one sentence that names the folder."""
    try:
        catalog = obeys(reader(root))
    except InputError as error:
        catalog, refusal = None, str(error)
    assert catalog is not None or str(root) in refusal
    return catalog


def small(root: Path, format: str) -> Path:
    """A dataset of two images; the file that the tests write over is named by `TARGETS`."""
    if format == "voc":
        return voc(root, {"a": [("s", (1, 1, 9, 9))], "b": [("s", (1, 1, 9, 9))]})
    if format == "coco":
        picture(root / "a.jpg")
        coco(root / "annotations" / "instances_train.json", [{"id": 1, "file_name": "../a.jpg"}])
        return root
    return yolo(root, {"a": "0 0.5 0.5 0.1 0.1", "b": None})


READERS: dict[str, Reader] = {"voc": read_voc, "coco": read_coco, "yolo": read_yolo}
TARGETS = [
    ("voc", "annotations/a.xml"),
    ("voc", "images/a.jpg"),
    ("voc", "ImageSets/Main/train.txt"),
    ("coco", "annotations/instances_train.json"),
    ("coco", "labels.json"),
    ("yolo", "labels/a.txt"),
    ("yolo", "data.yaml"),
    ("yolo", "classes.txt"),
]
pieces = [
    b"<annotation>", b"</annotation>", b"<object>", b"<bndbox>", b"<!DOCTYPE a [", b"<!ENTITY b 'c'>", b"&b;", b"<?xml",
    b' version="1.0"', b' encoding="utf-16"?>', b' encoding="x"?>', b"{", b"}", b"[", b"]", b'"images"', b'"id"', b":",
    b",", b"null", b"NaN", b"1e999", b"-1", b"0", b" 0.5", b"\n", b"names: ", b"- ", b"&a ", b"*a ", b"<<: ", b"!!int ",
    b"!!bool ", b"!!timestamp ", b"!!python/object:os.system ", b"? ", b"train: ", b"images", b"\xff\xfe", b"'", b"\t",
    b"\xef\xbb\xbf", b"\0", b"\xe9", b"%YAML 9.9\n", b"---\n", b"..", b"/",
]  # fmt: skip
tokens = st.sampled_from(pieces)
any_bytes = st.one_of(st.binary(max_size=200), st.lists(tokens, max_size=25).map(b"".join))


@pytest.mark.parametrize(("format", "target"), TARGETS)
def test_any_bytes(format: str, target: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = small(Path(folder), format)
        (root / target).parent.mkdir(parents=True, exist_ok=True)

        @given(any_bytes)
        @EXAMPLES
        def run(data: bytes) -> None:
            (root / target).write_bytes(data)
            survives(READERS[format], root)
            survives(read, root)

        run()


scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([0, 1, "1", 1.0, "a.jpg"]),
)
odd: st.SearchStrategy[Any] = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def entries(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A list of mappings with some of the keys, each as it should be or of any kind, among other things."""
    return st.lists(
        st.one_of(st.fixed_dictionaries({}, optional={k: v | odd for k, v in keys.items()}), odd), max_size=5
    )


ids = st.sampled_from([0, 1, 2, "1", "a"])
boxes = st.lists(st.integers(-9, 70) | st.floats(0, 60), min_size=4, max_size=4)
category = {"id": ids, "name": st.sampled_from(["s", "t"]), "supercategory": st.sampled_from(["s", "t"])}
annotation = {
    "id": ids,
    "image_id": ids,
    "category_id": ids,
    "bbox": boxes,
    "iscrowd": scalar,
    "segmentation": st.lists(boxes),
}
image = {"id": ids, "file_name": st.sampled_from(["a.jpg", "A.JPG", "gone.jpg"]), "height": scalar}
contents = st.fixed_dictionaries(
    {"images": entries(**image) | odd, "annotations": entries(**annotation) | odd},
    optional={"categories": entries(**category) | odd},
)


def test_json_of_any_structure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        picture(root / "a.jpg")

        @given(contents)
        @EXAMPLES
        def run(content: Any) -> None:
            (root / "labels.json").write_text(json.dumps(content))
            survives(read_coco, root)

        run()


TAGS = ["annotation", "object", "name", "bndbox", "xmin", "ymin", "xmax", "ymax", "size", "width", "height", "filename"]
names = st.sampled_from(TAGS)
texts = st.sampled_from(
    ["", "1", "5.5", "9,5", "-3", "nan", "1e400", "s", "a.jpg", "A.jpg", "../a.jpg", "/a.jpg", "ß\u0301"]
)


def element(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", names, st.lists(inner, max_size=5))


trees = st.recursive(texts, element, max_leaves=30)


def test_xml_of_any_structure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = small(Path(folder), "voc")

        @given(st.lists(trees, max_size=6))
        @EXAMPLES
        def run(parts: list[str]) -> None:
            text = f"<annotation>{''.join(parts)}</annotation>"
            (root / "annotations" / "a.xml").write_text(text, encoding="utf-8")
            catalog = survives(read_voc, root)
            assert catalog is not None
            assert catalog.images_in >= 2

        run()


words = st.one_of(
    st.sampled_from(["0", "1", "0.5", "0,5", "1e9", "nan", "-0.1", "2", "stop", "0.0", ",", ";"]), st.text(max_size=3)
)


def test_label_lines_of_any_words() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = small(Path(folder), "yolo")

        @given(st.lists(st.lists(words, max_size=9).map(" ".join), max_size=5), st.booleans())
        @EXAMPLES
        def run(lines: list[str], named: bool) -> None:
            (root / "data.yaml").write_text("train: images\nnames: [stop, yield]\n" if named else "names: {}")
            if not named:
                (root / "data.yaml").unlink()
            (root / "labels" / "a.txt").write_bytes("\n".join(lines).encode("utf-8", "replace"))
            assert survives(read_yolo, root) is not None

        run()


values = st.one_of(
    st.sampled_from(["images", "../images", "C:\\x\\images", "/etc", "null", "[images, images]", "..", "."]),
    st.text(max_size=6),
)


def test_descriptions_of_any_values() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = small(Path(folder), "yolo")

        @given(st.dictionaries(st.sampled_from(["train", "val", "test", "path", "nc"]), values), values)
        @EXAMPLES
        def run(pairs: dict[str, str], called: str) -> None:
            lines = [f"{key}: {value}" for key, value in pairs.items()]
            text = "\n".join([*lines, f"names: [stop, {called}]"])
            (root / "data.yaml").write_bytes(text.encode("utf-8", "replace"))
            survives(read_yolo, root)

        run()
