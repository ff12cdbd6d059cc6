"""A million boxes in one file, and a line of a gigabyte: read or refused by name, in bounded memory and time."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from detaug.readers.content import LARGEST_TEXT
from tests.readers.making import coco, picture, voc, xml, yolo

BOXES = 1_000_000
GIGABYTE = 1_000_000_000
HEAD = "Filename;Annotation tag;Upper left corner X;Upper left corner Y;Lower right corner X;Lower right corner Y\n"
FIRST = {"gtsdb": b"00000.png;1;1;9;9;14", "lisa": HEAD.encode() + b"a.png;stop;1;1;9;9"}

PROGRAM = """
import sys
from pathlib import Path
from detaug.errors import InputError
from detaug.readers.read import read
try:
    catalog = read(sys.argv[1], sys.argv[2])
    print(catalog.boxes_in, len(catalog.boxes), len(catalog))
    print(";".join(f"{f.kind} {f.file} {f.value}" for f in catalog.findings))
except InputError as error:
    print("refused")
    print(str(error).replace(chr(10), " "))
# getrusage would count what the parent had in use when it forked
print(next(int(line.split()[1]) // 1024 for line in Path("/proc/self/status").open() if line.startswith("VmHWM")))
"""


def read_apart(root: Path, format: str) -> tuple[str, str, int]:
    """Counts of a dataset read in a process of its own, its findings or refusal, and its peak memory in MB."""
    command = [sys.executable, "-c", PROGRAM, str(root), format]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    counts, told, peak = done.stdout.splitlines()
    return counts, told, int(peak)


def _coco(root: Path) -> None:
    coco(root / "annotations" / "instances_train.json", [{"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}])
    file = root / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    boxes = (
        {"id": i, "image_id": 1, "category_id": 1, "bbox": [i % 50, i % 30, 1 + i * 1e-6, 2]} for i in range(BOXES)
    )
    content["annotations"] = list(boxes)
    file.write_text(json.dumps(content))
    picture(root / "a.jpg")


def _gtsdb(root: Path) -> None:
    picture(root / "00000.png")
    lines = (f"00000.png;{i % 50};{i % 30};{i % 50 + 1 + i * 1e-6:.6f};{i % 30 + 2};14\n" for i in range(BOXES))
    (root / "gt.txt").write_text("".join(lines))


def _lisa(root: Path) -> None:
    picture(root / "aiua120214-0" / "a.png")
    lines = (
        f"aiua120214-0/a.png;stop;{i % 50};{i % 30};{i % 50 + 1 + i * 1e-6:.6f};{i % 30 + 2}\n" for i in range(BOXES)
    )
    (root / "allAnnotations.csv").write_text(HEAD + "".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize(("format", "make"), [("coco", _coco), ("gtsdb", _gtsdb), ("lisa", _lisa)])
def test_a_million_boxes_of_one_image(tmp_path: Path, format: str, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    counts, told, peak = read_apart(tmp_path, format)
    assert counts == f"{BOXES} {BOXES} 1", told[:500]
    assert peak < 2500


@pytest.mark.slow
def test_a_million_boxes_in_the_file_of_one_image_are_too_many(tmp_path: Path) -> None:
    root = voc(tmp_path / "voc", {"b": [("s", (1, 1, 9, 9))]})
    picture(root / "images" / "a.jpg")
    (root / "annotations" / "a.xml").write_text(xml([("s", (1, 1, 9, 9))] * BOXES, "a.jpg"))
    counts, told, peak = read_apart(root, "voc")
    assert counts == "1 1 1"
    assert "annotations/a.xml" in told
    assert str(LARGEST_TEXT) in told
    assert peak < 500
    root = yolo(tmp_path / "yolo", {"b": "0 0.5 0.5 0.1 0.1\n", "a": "0 0.5 0.5 0.1 0.1\n" * BOXES})
    counts, told, peak = read_apart(root, "yolo")
    assert counts == "1 1 1"
    assert "labels/a.txt" in told
    assert peak < 500


LINES = [
    ("voc", "annotations/a.xml", False), ("voc", "ImageSets/Main/train.txt", False), ("yolo", "labels/a.txt", False),
    ("yolo", "train.txt", True), ("yolo", "data.yaml", True), ("gtsdb", "gt.txt", True),
    ("lisa", "allAnnotations.csv", True), ("coco", "annotations/instances_train.json", True),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("format", "name", "is_fatal"), LINES)
def test_a_line_of_a_gigabyte(tmp_path: Path, format: str, name: str, is_fatal: bool) -> None:
    if format == "voc":
        voc(tmp_path, {"a": [("s", (1, 1, 9, 9))], "b": [("s", (1, 1, 9, 9))]})
    elif format == "yolo":
        labels = {"a": "0 0.5 0.5 0.1 0.1\n", "b": "0 0.5 0.5 0.1 0.1\n"}
        yolo(tmp_path, labels, f"train: {'train.txt' if name == 'train.txt' else 'images'}\nnames: [stop]\n")
    else:
        picture(tmp_path / "00000.png")
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    _extend(path, GIGABYTE, FIRST.get(format, b""))
    counts, told, peak = read_apart(tmp_path, format)
    assert (counts == "refused") == is_fatal
    assert name in told
    assert peak < (4500 if format == "coco" else 500)


def _extend(path: Path, size: int, first: bytes) -> None:
    """Bytes of one line at the end of a file, written in pieces."""
    with path.open("ab") as file:
        file.write(first)
        for _ in range(size // 10_000_000):
            file.write(b"7" * 10_000_000)
