"""The class table."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from detaug.classes import NEVER, ClassTable, names_in_table
from detaug.errors import InputError
from detaug.outline import Outline
from tests.readers.making import REAL, needs_real

TABLES = ["drawn", "gtsdb", "lisa", "lisa_lights", "mtsd", "road_signs", "tt100k"]
MTSD = [
    "other-sign",
    "regulatory--stop--g1",
    "regulatory--yield--g1",
    "regulatory--priority-road--g4",
    "regulatory--keep-left--g1",
    "regulatory--keep-right--g1",
    "regulatory--keep-right--g4",
    "regulatory--one-way-left--g1",
    "regulatory--one-way-right--g1",
    "regulatory--maximum-speed-limit-30--g1",
    "regulatory--maximum-speed-limit-45--g3",
    "warning--double-curve-first-left--g2",
    "warning--double-curve-first-right--g2",
    "information--parking--g1",
    "complementary--chevron-left--g1",
]


def partner(table: ClassTable, name: str) -> str | None:
    """The name that a class has in the mirror; None where it is never mirrored."""
    rule = int(table.mirror[table.names.index(name)])
    return None if rule == NEVER else table.names[rule]


def outline(table: ClassTable, name: str) -> Outline:
    return Outline(int(table.outline[table.names.index(name)]))


def lawful(table: ClassTable) -> ClassTable:
    """Mirroring twice changes nothing, and partners have one shape that turns equally far."""
    for i, other in enumerate(table.mirror.tolist()):
        if other != NEVER:
            assert table.mirror[other] == i
            assert table.outline[other] == table.outline[i]
            assert table.turn[other] == table.turn[i]
    assert ((table.turn >= 0) & (table.turn <= 180)).all()
    return table


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_package_is_lawful(name: str) -> None:
    table = lawful(ClassTable.builtin(name))
    assert len(table) > 0
    assert lawful(ClassTable.builtin(name, [*reversed(table.names), "giraffe"])).names[-1] == "giraffe"
    for one in table.names:  # a class alone has no partner, whatever the table says
        assert partner(ClassTable.builtin(name, [one]), one) in (None, one)


def test_the_list_above_has_every_table() -> None:
    folder = Path(__file__).parents[1] / "detaug" / "tables"
    assert sorted(file.stem for file in folder.glob("*.yaml")) == TABLES


def test_what_reads_wrong_in_a_mirror_is_never_mirrored() -> None:
    words = ("speed", "stop", "pedestrian", "child", "cycl", "truck", "animal", "end_of", "overtaking", "roundabout")
    lights = ClassTable.builtin("lisa_lights").names
    for name in TABLES:
        table = ClassTable.builtin(name)
        for sign in table.names:
            if any(word in sign.lower() for word in words) and sign not in lights and sign != "no_stopping":
                assert partner(table, sign) is None, (name, sign)


def test_the_road_signs_table() -> None:
    table = ClassTable.builtin("road_signs")
    assert outline(table, "stop") == Outline.OCTAGON
    assert partner(table, "speedlimit") is None
    assert partner(table, "stop") is None
    assert partner(table, "trafficlight") == "trafficlight"


def test_gtsdb_has_its_classes_in_the_order_of_their_ids() -> None:
    table = ClassTable.builtin("gtsdb")
    assert len(table) == 43
    shapes = [Outline(int(code)) for code in table.outline]
    assert shapes[12:15] == [Outline.DIAMOND, Outline.TRIANGLE_DOWN, Outline.OCTAGON]
    up = {i for i, shape in enumerate(shapes) if shape == Outline.TRIANGLE_UP}
    assert up == {11, *range(18, 32)}
    assert shapes.count(Outline.ELLIPSE) == 43 - 3 - len(up)
    for one, other in ((19, 20), (33, 34), (36, 37), (38, 39)):
        assert (table.mirror[one], table.mirror[other]) == (other, one)
        swapped = table.names[one].replace("left", "L").replace("right", "left").replace("L", "right")
        assert swapped == table.names[other]
    assert table.names[1] == "speed_limit_30"
    assert table.names[8] == "speed_limit_120"
    assert {i for i in range(43) if table.mirror[i] == i} == {11, 12, 13, 15, 17, 18, 22, 26, 35}


def test_stop_is_an_octagon_on_a_pole_and_a_lamp_among_lights() -> None:
    assert outline(ClassTable.known(["stop", "yield", "keepRight", "speedLimit35"]), "stop") == Outline.OCTAGON
    lamps = ClassTable.known(["go", "stop", "warning", "goLeft"])
    assert outline(lamps, "stop") == Outline.RECTANGLE
    assert partner(lamps, "stop") == "stop"
    assert partner(lamps, "goLeft") is None


def test_mapillary_names_pair_within_their_variant() -> None:
    table = lawful(ClassTable.known(MTSD))
    assert partner(table, "regulatory--keep-left--g1") == "regulatory--keep-right--g1"
    assert partner(table, "regulatory--keep-right--g4") is None
    assert partner(table, "warning--double-curve-first-right--g2") == "warning--double-curve-first-left--g2"
    assert partner(table, "regulatory--one-way-left--g1") is None  # some variants bear words
    assert partner(table, "complementary--chevron-left--g1") is None  # no class for the other side
    assert outline(table, "regulatory--stop--g1") == Outline.OCTAGON
    assert outline(table, "regulatory--yield--g1") == Outline.TRIANGLE_DOWN
    assert outline(table, "regulatory--priority-road--g4") == Outline.DIAMOND
    assert outline(table, "regulatory--maximum-speed-limit-30--g1") == Outline.ELLIPSE
    assert outline(table, "regulatory--maximum-speed-limit-45--g3") == Outline.RECTANGLE


@needs_real
def test_every_class_of_tt100k_has_a_row() -> None:
    with (REAL / "formats" / "tt100k_class_histogram.csv").open() as file:
        names = [row["class"] for row in csv.DictReader(file)]
    assert len(names) == 162
    assert names_in_table(Path(__file__).parents[1] / "detaug" / "tables" / "tt100k.yaml", names) == names
    table = lawful(ClassTable.known(names))
    assert partner(table, "p19") == "p23"
    assert partner(table, "pne") == "pne"
    assert {name for name in names if partner(table, name)} == {"p19", "p23", "pne", "pn"}
    assert {outline(table, name) for name in names if name.startswith(("pl", "ph", "pm"))} == {Outline.ELLIPSE}
    assert outline(table, "w57") == Outline.TRIANGLE_UP
    assert outline(table, "pg") == Outline.TRIANGLE_DOWN


@needs_real
@pytest.mark.parametrize("file", ["roboflow_coco_train.json", "zalo_vn_coco.json", "coco_windows_backslash_paths.json"])
def test_foreign_names_find_no_table(file: str) -> None:
    content = json.loads((REAL / "formats" / file).read_text(encoding="utf-8"))
    assert plain([category["name"] for category in content["categories"]])


@pytest.mark.parametrize(
    "names",
    [
        ["warning", "person", "icecream", "i-beam", "pl", "w", "p"],
        ["cat", "dog"],
        ["p1", "w2", "car", "bus", "person"],
        ["stop", "car", "bus", "person"],
    ],
)
def test_a_few_familiar_names_make_no_table(names: Sequence[str]) -> None:
    assert plain(names)


def plain(names: Sequence[str]) -> bool:
    table, expected = ClassTable.known(names), ClassTable.plain(names)
    return all((getattr(table, key) == getattr(expected, key)).all() for key in ("outline", "mirror", "turn"))


def test_a_table_is_brought_to_the_datasets_order() -> None:
    table = ClassTable.builtin("road_signs", ["stop", "giraffe", "crosswalk"])
    assert table.names == ("stop", "giraffe", "crosswalk")
    assert table.outline.tolist() == [Outline.OCTAGON, Outline.RECTANGLE, Outline.RECTANGLE]
    assert table.mirror.tolist() == [NEVER, NEVER, 2]


def test_a_partner_that_the_dataset_lacks_means_never() -> None:
    rows = {"left": {"mirror": "right"}, "right": {"mirror": "left"}}
    assert ClassTable.build(["left"], rows, "t").mirror.tolist() == [NEVER]
    assert ClassTable.build(["right", "left"], rows, "t").mirror.tolist() == [1, 0]


def test_known_names_find_their_table() -> None:
    assert ClassTable.known(["crosswalk", "speedlimit", "stop", "trafficlight"]).outline[2] == Outline.OCTAGON
    unknown = ClassTable.known(["cat", "dog"])
    assert unknown.mirror.tolist() == [NEVER, NEVER]
    assert set(unknown.outline.tolist()) == {Outline.RECTANGLE}
    assert len(ClassTable.known([])) == 0
    for name in ("drawn", "gtsdb", "road_signs"):
        table = ClassTable.builtin(name)
        assert (ClassTable.known(table.names).mirror == table.mirror).all()
        assert (ClassTable.known(table.names).outline == table.outline).all()


SCHEME = """
a7: {outline: diamond}
patterns:
  - {names: "a#", outline: octagon, turn: 9}
  - {names: "a*", outline: ellipse}
  - {names: "*left*"}
  - {names: "*right*"}
pairs: [[left, right]]
"""


def test_a_row_wins_over_patterns_and_the_first_pattern_counts(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SCHEME)
    names = ["a7", "a8", "a2.5", "a8x", "ab", "b"]
    table = ClassTable.from_yaml(file, names)
    shapes = [Outline(int(code)).name for code in table.outline]
    assert shapes == ["DIAMOND", "OCTAGON", "OCTAGON", "ELLIPSE", "ELLIPSE", "RECTANGLE"]
    assert table.turn.tolist() == [180, 9, 9, 180, 180, 180]
    assert ClassTable.from_yaml(file).names == ("a7",)
    assert names_in_table(file, names) == names[:-1]


def test_pairs_swap_whole_words_where_both_are_there(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SCHEME)
    names = ["1left", "1right", "2right", "bright_left", "bleft_right", "bright_right", "leftright"]
    table = lawful(ClassTable.from_yaml(file, names))
    assert partner(table, "1left") == "1right"
    assert partner(table, "2right") is None
    assert partner(table, "bright_left") == "bright_right"
    assert partner(table, "leftright") is None
    file.write_text(SCHEME + "1left: {mirror: never}\n")
    assert partner(ClassTable.from_yaml(file, names), "1right") is None


@pytest.mark.parametrize("name", ["yes", "null", "010", "1_000", "2020-01-02", "12:30", "~", "a*b", "no"])
def test_any_plain_word_is_a_class_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"{name}: {{outline: octagon}}\n")
    assert ClassTable.from_yaml(file).names == (name,)
    assert ClassTable.from_yaml(file, [name]).outline.tolist() == [Outline.OCTAGON]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stop: {outline: blob}", "class 'stop' has the unknown outline 'blob'"),
        ("stop: {shape: octagon}", "class 'stop' has the unknown key 'shape'"),
        ("stop: {turn: far}", "class 'stop' has the turn 'far'"),
        ("stop: {turn: nan}", "class 'stop' has the turn 'nan'"),
        ("stop: {turn: -1}", "class 'stop' has the turn '-1'"),
        ("stop: {turn: [1]}", "class 'stop' has the turn"),
        ("stop: {[a]: b}", "not valid YAML"),
        ("left: {mirror: right}", "names the mirror partner 'right', which is not a class"),
        ("a: {mirror: b}\nb: {mirror: self}", "'a' mirrors to 'b', but 'b' does not mirror back"),
        ("a: {mirror: b}\nb: {}", "'a' mirrors to 'b', but 'b' does not mirror back"),
        ("stop: octagon", "maps each class name"),
        ("- stop", "maps each class name"),
        ("", "maps each class name"),
        ("{", "not valid YAML"),
        ("a: " + "[" * 20_000, "not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("patterns: [a]", "a pattern needs 'names'"),
        ("patterns: [{outline: octagon}]", "a pattern needs 'names'"),
        ("patterns: [{names: 'a*', outline: blob}]", "class 'a\\*' has the unknown outline 'blob'"),
        ("patterns: [{names: 'a*', mirror: b}]", "the pattern 'a\\*' has the mirror rule 'b'"),
        ("pairs: [left]", "a pair is two different texts, and this is 'left'"),
        ("pairs: [[left]]", "a pair is two different texts"),
        ("pairs: [[left, left]]", "a pair is two different texts"),
        ("pairs: [[a, b], [b, c]]", "'b' is in two pairs"),
    ],
)
def test_bad_tables_name_file_and_value(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        ClassTable.from_yaml(file)
    assert "mine.yaml" in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        ClassTable.from_yaml(tmp_path / "none.yaml")


def test_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"stop: \xff")
    with pytest.raises(InputError, match=r"mine\.yaml: the class table is not UTF-8 text"):
        ClassTable.from_yaml(file)


def test_doubled_names_are_refused() -> None:
    with pytest.raises(InputError, match="'a' occurs twice"):
        ClassTable.plain(["a", "b", "a"])


def test_lisa_knows_its_numbers() -> None:
    names = [
        "stop",
        "speedLimit35",
        "rampSpeedAdvisory45",
        "rampSpeedAdvisoryUrdbl",
        "zoneAhead25",
        "curveLeft",
        "curveRight",
    ]
    table = lawful(ClassTable.known(names))
    assert (table.turn < 180).all()  # each has a row
    assert partner(table, "curveLeft") == "curveRight"
    assert outline(table, "curveLeft") == Outline.DIAMOND
    assert outline(table, "speedLimit35") == Outline.RECTANGLE
