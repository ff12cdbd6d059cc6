"""The proposed class table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detaug.classes import NEVER, ClassTable
from detaug.outline import Outline
from detaug.readers.catalog import Catalog, pack_names
from detaug.readers.propose import partners_by_name, propose

Boxes = Sequence[tuple[float, float, float, float]]
ROUND: Boxes = [(10, 10, 30, 30)] * 5
WIDE: Boxes = [(10, 10, 50, 30)] * 5
CUT: Boxes = [(0, 10, 20, 50)] * 5  # touches the left border


def catalog(classes: Mapping[str, Boxes], table: ClassTable | None = None) -> Catalog:
    """One image of 100 x 100 pixels with these boxes."""
    names = list(classes)
    boxes = np.array([box for all_ in classes.values() for box in all_], np.float32).reshape(-1, 4)
    labels = np.repeat(np.arange(len(names)), [len(all_) for all_ in classes.values()]).astype(np.int32)
    text, ends = pack_names(["a.jpg"])
    return Catalog(
        root=Path("nowhere"),
        classes=table or ClassTable.plain(names),
        text=text,
        ends=ends,
        sizes=np.array([[100, 100]], np.int32),
        starts=np.array([0, len(boxes)]),
        boxes=boxes,
        labels=labels,
        flags=np.zeros(len(boxes), np.uint8),
        ids=np.zeros(1, np.int64),
        splits=np.zeros(1, np.uint8),
        groups=np.zeros(1, np.int32),
    )


def read_back(text: str, folder: Path) -> ClassTable:
    file = folder / "proposed.yaml"
    file.write_bytes(text.encode())
    return ClassTable.from_yaml(file)


def outlines(classes: Mapping[str, Boxes], folder: Path) -> dict[str, str]:
    table = read_back(propose(catalog(classes)), folder)
    return {name: Outline(int(code)).name.lower() for name, code in zip(table.names, table.outline, strict=True)}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("turn_left", "turn_right"),
        ("turnLeft", "turnRight"),
        ("LEFT TURN", "RIGHT TURN"),
        ("no-left-turn", "no-right-turn"),
        ("Keep Left", "Keep Right"),
        ("left", "right"),
        ("Links abbiegen", "Rechts abbiegen"),
        ("virage.gauche", "virage.droite"),
        ("curva_izquierda2", "curva_derecha2"),
        ("svolta a sinistra", "svolta a destra"),
        ("sola-don", "saga-don"),
        ("Sola Dönülmez", "Sağa Dönülmez"),
        ("Curba stanga", "Curba dreapta"),
        ("Cấm rẽ trái", "Cấm rẽ phải"),
        ("cam re trai", "cam re phai"),
        ("向左转弯", "向右转弯"),
        ("turn (left)", "turn (right)"),
    ],
)
def test_left_and_right_are_partners_by_name(left: str, right: str, tmp_path: Path) -> None:
    names = [left, "speed 50", right]
    assert partners_by_name(names) == {left: right, right: left}
    table = read_back(propose(catalog({name: ROUND for name in names})), tmp_path)
    assert table.mirror.tolist() == [2, NEVER, 0]
    assert table.outline[0] == table.outline[2]


@pytest.mark.parametrize(
    "names",
    [
        ["bright", "bleft"],
        ["right of way", "way"],
        ["leftover", "rightover"],
        ["Turn_left", "turn_right"],
        ["copyright", "copyleft"],
        ["left", "LEFT"],
        ["keep left", "turn right"],
    ],
)
def test_other_names_are_no_partners(names: list[str]) -> None:
    assert partners_by_name(names) == {}


def test_outlines_come_from_names_where_the_boxes_agree(tmp_path: Path) -> None:
    proposed = outlines(
        {
            "Stop": ROUND, "STOP sign": [], "bus stop": ROUND, "no stopping": ROUND, "Give_Way": ROUND,
            "yieldAhead": ROUND, "priority road": ROUND,
            "Danger Ahead": ROUND, "Speed Limit 30": ROUND, "speedlimit": WIDE, "stop ": WIDE,
            "Cedeaza Trecerea": ROUND, "x": WIDE, "max speed": CUT, "end speed limit": ROUND,
        },
        tmp_path,
    )  # fmt: skip
    told = {name: outline for name, outline in proposed.items() if outline != "rectangle"}
    assert told == {
        "Stop": "octagon",
        "STOP sign": "octagon",
        "Give_Way": "triangle_down",
        "priority road": "diamond",
        "Danger Ahead": "triangle_up",
        "Speed Limit 30": "ellipse",
        "Cedeaza Trecerea": "triangle_down",
        "max speed": "ellipse",
    }


def test_each_line_says_why(tmp_path: Path) -> None:
    text = propose(catalog({"stop": ROUND, "x": WIDE, "left": [], "right": [], "No Entry": ROUND, "y": ROUND}))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    reasons = [line.partition("  # ")[2] for line in lines]
    assert reasons == [
        "outline by name (stop); mirror not known",
        "outline by shape, 2.00 times as wide as high; mirror not known",
        "outline not known; partner by name",
        "outline not known; partner by name",
        "outline not known; its own mirror image by name",
        "outline not known; mirror not known",
    ]
    assert read_back(text, tmp_path).mirror.tolist() == [NEVER, NEVER, 3, 2, 4, NEVER]


@pytest.mark.parametrize("name", ["gtsdb", "drawn", "road_signs"])
def test_what_a_table_knows_is_kept(name: str, tmp_path: Path) -> None:
    table = ClassTable.builtin(name)
    again = read_back(propose(catalog({sign: WIDE for sign in table.names}, table)), tmp_path)
    for key in ("outline", "mirror", "turn"):
        np.testing.assert_array_equal(getattr(again, key), getattr(table, key))


def test_no_classes_give_an_empty_table(tmp_path: Path) -> None:
    assert len(read_back(propose(catalog({})), tmp_path)) == 0


NAMES = st.lists(
    st.text(max_size=12)
    | st.text(alphabet="'\":#{}[],&*!|>%@`-? \n\t\\<~=", max_size=8)
    | st.sampled_from(["left", "right", "sol", "sag", "Left", "RIGHT", "self", "never", "yes", "null", "pairs"])
    | st.sampled_from(["patterns", "<<", "1e3", "010", "=", "...", "---", "🛑", "\ud800", "\x85", "\u2028", "\ufeff"]),
    unique=True,
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(names=NAMES)
@example(names=["x" * 5000, "left " + "🛑" * 1200, "right " + "🛑" * 1200])
def test_any_names_read_back(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    text = propose(catalog({name: [] for name in names}))
    table = read_back(text, tmp_path_factory.getbasetemp())
    assert table.names == tuple(names)
    for i, partner in enumerate(table.mirror.tolist()):
        assert partner == NEVER or table.mirror[partner] == i
    if not any("\ud800" <= letter <= "\udfff" for name in names for letter in name):
        assert list(yaml.safe_load(text)) == names  # other programs read the same names
