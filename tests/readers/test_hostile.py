"""Datasets made to do harm: each is refused by name, nothing is run, nothing outside is read, memory stays bounded."""

import os
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.coco import read_coco
from detaug.readers.content import LARGEST_JSON, LARGEST_TEXT
from detaug.readers.read import read
from detaug.readers.voc import read_voc
from detaug.readers.yolo import read_yolo
from tests.readers.making import coco, kinds, obeys, picture, voc, xml, yolo

SENTINEL = "sentinel-4711"
pytestmark = pytest.mark.timeout(60)


def faults(catalog: Catalog) -> str:
    """All findings as one text."""
    return "\n".join(f"{f.kind} {f.file} {f.value}" for f in catalog.findings)


def shown(catalog: Catalog) -> str:
    """Everything that a catalog lets be seen of its files."""
    names = [catalog.name(row) for row in range(len(catalog))]
    return "\n".join([*names, *catalog.classes.names, *(str(asdict(f)) for f in catalog.findings)])


def pair(root: Path) -> Path:
    """Two images in VOC form."""
    return voc(root, {"a": [("s", (1, 1, 9, 9))], "b": [("s", (1, 1, 9, 9))]})


def enlarged(path: Path, size: int) -> None:
    """The file at a size, with a hole in it instead of bytes."""
    with path.open("ab") as file:
        file.truncate(size)


BOMB = "<!DOCTYPE a [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12)
) + "]><annotation><filename>&a11;</filename></annotation>"  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file://{secret}'>]><annotation><filename>&b;</filename></annotation>",
        "<!DOCTYPE a [<!ENTITY % b SYSTEM 'file://{secret}'> %b;]><annotation/>",
        "<!DOCTYPE a [<!ENTITY b PUBLIC 'x' 'http://127.0.0.1:9/x'>]><annotation>&b;</annotation>",
    ],
    ids=["expansion", "external", "parameter", "network"],
)
def test_entities(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.txt").write_text(SENTINEL)
    root = pair(tmp_path / "set")
    (root / "annotations" / "a.xml").write_text(text.replace("{secret}", str(tmp_path / "secret.txt")))
    catalog = obeys(read_voc(root))
    assert kinds(catalog) == ["unreadable-annotation"]
    assert "a.xml" in faults(catalog)
    assert "Entit" in faults(catalog)
    assert SENTINEL not in shown(catalog)


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/secret.jpg", "C:\\secret.jpg", "a\0.jpg", "out/secret.jpg", "out.jpg"]
)
@pytest.mark.parametrize("format", ["coco", "yolo"])
def test_names_that_leave_the_root(tmp_path: Path, name: str, format: str) -> None:
    picture(tmp_path / "secret.jpg")
    (tmp_path / "secret.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{SENTINEL}\n")
    root = tmp_path / "set"
    picture(root / "a.jpg")
    os.symlink(tmp_path, root / "out")
    os.symlink(tmp_path / "secret.jpg", root / "out.jpg")
    if format == "coco":
        coco(root / "labels.json", [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": name}])
        catalog = obeys(read_coco(root))
    else:
        (root / "list.txt").write_text(f"a.jpg\n{name}\n")
        (root / "data.yaml").write_text("train: list.txt\nnames: [s]\n")
        catalog = obeys(read_yolo(root))
    outside = [f for f in catalog.findings if f.kind == "path-outside"]
    assert len(outside) == 1
    assert outside[0].file == name.replace("\\", "/")
    assert ("follow_links" in outside[0].value) == name.startswith("out")
    assert len(catalog) == 1
    assert SENTINEL not in shown(catalog)


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
def test_a_linked_folder_of_images_is_read_when_asked(tmp_path: Path, format: str) -> None:
    root = tmp_path / "set"
    if format == "voc":
        pair(root)
    elif format == "yolo":
        yolo(root, {"a": "0 0.5 0.5 0.1 0.1"})
    else:
        picture(root / "images" / "a.jpg")
        coco(root / "labels.json", [{"id": 1, "file_name": "a.jpg"}])
    (root / "images").rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", root / "images")
    with pytest.raises(InputError, match="follow_links"):
        read(root, format)
    catalog = read(root, format, follow_links=True)
    assert catalog.has_images
    assert catalog.name(0) == "images/a.jpg"


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (tmp_path / "marker",)

    root = yolo(tmp_path / "set", {"a": "0 0.5 0.5 0.1 0.1"})
    (root / "labels.cache").write_bytes(pickle.dumps(Harm()))
    (root / "labels" / "train.pkl").write_bytes(pickle.dumps(Harm()))
    catalog = obeys(read(root))
    assert [(f.kind, f.file) for f in catalog.findings] == [
        ("ignored-pickle", "labels.cache"), ("ignored-pickle", "labels/train.pkl")
    ]  # fmt: skip
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "text",
    [
        "names: !!python/object/apply:os.system ['touch {marker}']",
        "names: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{marker}']]",
        "names: [s]\nclass_path: !!python/name:os.system",
        "names: [s]\ntrain: !!python/module:antigravity",
        "names: [s]\nx: !<tag:yaml.org,2002:python/object/new:os.system> ['touch {marker}']",
    ],
)
def test_python_in_a_description_is_not_run(tmp_path: Path, text: str) -> None:
    root = yolo(tmp_path / "set", {"a": None}, text.replace("{marker}", str(tmp_path / "marker")))
    with pytest.raises(InputError, match=r"data\.yaml: not valid YAML.*python"):
        read(root)
    assert not (tmp_path / "marker").exists()


def test_a_dotted_callable_is_a_text(tmp_path: Path) -> None:
    text = "train: images\nnames: [os.system]\nclass_path: os.system\ninit_args: {command: touch marker}\n"
    catalog = obeys(read(yolo(tmp_path, {"a": None}, text)))
    assert catalog.classes.names == ("os.system",)
    assert not (tmp_path / "marker").exists()


NINE = {i: ", ".join([f"*a{i - 1}"] * 9) for i in range(1, 30)}
MERGES = "a0: &a0 {x: y}\n" + "".join(f"a{i}: &a{i} {{!!merge <<: [{NINE[i]}]}}\n" for i in range(1, 12))
ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{NINE[i]}]\n" for i in range(1, 30))


@pytest.mark.parametrize(
    "text",
    [
        MERGES + "names: [s]",
        ALIASES + "names: *a29",
        ALIASES + "names: [*a29]",
        ALIASES + "names: {*a29 : s}",
        ALIASES + "names: {0: *a29}",
        "names: " + "[" * 20_000,
        "&a names: &b [*b]",
        "names: {0x" + "f" * 9000 + ": s}",
        "names: !!int ''",
        "names: !!bool maybe",
        "names: !!timestamp never",
        "names: !!float x",
    ],
    ids=range(12),
)
def test_bombs_in_a_description(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"data\.yaml") as caught:
        read(yolo(tmp_path, {"a": None}, text))
    assert len(str(caught.value)) < 2000


def test_deep_json(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "labels.json").write_text('{"images": [], "annotations": ' + "[" * 200_000)
    with pytest.raises(InputError, match=r"labels\.json"):
        read(tmp_path)


def test_files_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    root = pair(tmp_path / "voc")
    enlarged(root / "annotations" / "a.xml", LARGEST_TEXT + 1)
    assert str(LARGEST_TEXT) in faults(obeys(read(root)))
    root = yolo(tmp_path / "yolo", {"a": "0 0.5 0.5 0.1 0.1\n", "b": None})
    enlarged(root / "labels" / "a.txt", LARGEST_TEXT + 1)
    assert str(LARGEST_TEXT) in faults(obeys(read(root)))
    enlarged(root / "data.yaml", LARGEST_TEXT)
    with pytest.raises(InputError, match=r"data\.yaml: 10000000 bytes"):
        read(root)
    picture(tmp_path / "coco" / "a.jpg")
    coco(tmp_path / "coco" / "annotations" / "instances_train.json", [{"id": 1, "file_name": "a.jpg"}])
    enlarged(tmp_path / "coco" / "annotations" / "instances_train.json", LARGEST_JSON + 1)
    with pytest.raises(InputError, match=rf"instances_train\.json: {LARGEST_JSON + 1} bytes"):
        read(tmp_path / "coco")


TARGETS = [
    ("voc", "annotations/a.xml"), ("voc", "images/a.jpg"), ("voc", "ImageSets/Main/train.txt"), ("yolo", "data.yaml"),
    ("yolo", "labels/a.txt"), ("yolo", "images/a.jpg"), ("coco", "x.json"),
    ("coco", "annotations/instances_train.json"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize(("format", "target"), TARGETS)
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, format: str, target: str, kind: str) -> None:
    root = tmp_path / "set"
    if format == "voc":
        pair(root)
    elif format == "yolo":
        yolo(root, {"a": "0 0.5 0.5 0.1 0.1", "b": None})
    else:
        picture(root / "a.jpg")
    path = root / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        os.symlink("/dev/zero", path)
    try:
        text = faults(obeys(read(root, format)))
    except InputError as error:
        text = str(error)
    if kind != "folder":  # a folder of a file's name is as if there were no such file
        assert path.name in text
        assert any(why in text for why in ("not a regular file", "not a file", "leads out"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("target", ["labels/a.txt", "data.yaml", "labels", "images", "images/a.jpg"])
def test_what_may_not_be_read(tmp_path: Path, target: str) -> None:
    root = yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1", "b": None})
    (root / target).chmod(0)
    try:
        text = faults(obeys(read(root)))
    except InputError as error:
        text = str(error)
    finally:
        (root / target).chmod(0o755)
    assert target in text
    assert "ermission" in text or "missing" in text


def png(path: Path, side: int) -> Path:
    """A black picture of side x side in one bit per pixel, whole and valid: a few kilobytes."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    line = b"\0" * (1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


PROGRAM = """
import sys
from pathlib import Path
from detaug.errors import InputError
from detaug.readers.image import decode
from detaug.readers.read import read
catalog = read(sys.argv[1])
print(";".join(f"{f.kind} {f.file}" for f in catalog.findings))
for name in sys.argv[2:]:
    try:
        decode(name)
    except InputError as error:
        print("refused", error)
# getrusage would count what the parent had in use when it forked
print(next(int(line.split()[1]) // 1024 for line in Path("/proc/self/status").open() if line.startswith("VmHWM")))
"""


def run_apart(root: Path, *images: Path) -> list[str]:
    """Read a folder, then decode images, in a process of its own; its lines, the last being its peak memory in MB."""
    command = [sys.executable, "-c", PROGRAM, str(root), *map(str, images)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_pictures_that_unpack_to_gigabytes_are_refused_by_their_header(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1"})
    bombs = [png(root / "images" / f"bomb{side}.png", side) for side in (10_000, 16_000, 32_000)]
    assert all(path.stat().st_size < 150_000 for path in bombs)
    found, *refused, peak = run_apart(root, *bombs)
    assert found == ";".join(f"too-large-image images/{path.name}" for path in bombs)
    assert len(refused) == len(bombs)
    assert int(peak) < 500


@pytest.mark.slow
def test_ten_megabytes_of_xml_stay_within_bounds(tmp_path: Path) -> None:
    root = pair(tmp_path)
    deep = 1_200_000
    (root / "annotations" / "a.xml").write_text("<annotation>" + "<a>" * deep + "</a>" * deep + "</annotation>")
    *_, peak = run_apart(root)
    assert int(peak) < 500


def test_a_climbing_annotation_says_nothing_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_text(xml([(SENTINEL, (1, 1, 9, 9))], "a.jpg"))
    (tmp_path / "secret.txt").write_text(SENTINEL)
    root = pair(tmp_path / "set")
    for name, secret in (
        ("annotations/a.xml", "secret.xml"),
        ("classes.txt", "secret.txt"),
        ("notes.json", "secret.txt"),
    ):
        (root / name).unlink(missing_ok=True)
        os.symlink(tmp_path / secret, root / name)
    catalog = obeys(read(root, "voc"))
    assert SENTINEL not in shown(catalog)
    assert "path-outside" in kinds(catalog)
