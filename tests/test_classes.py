"""The class table."""

from pathlib import Path

import pytest

from detaug.classes import NEVER, ClassTable
from detaug.errors import InputError
from detaug.outline import Outline


def test_the_road_signs_table() -> None:
    table = ClassTable.builtin("road_signs")
    index = {name: i for i, name in enumerate(table.names)}
    assert table.outline[index["stop"]] == Outline.OCTAGON
    assert table.mirror[index["speedlimit"]] == NEVER
    assert table.mirror[index["stop"]] == NEVER
    assert table.mirror[index["trafficlight"]] == index["trafficlight"]


def test_the_drawn_tables_partners_mirror_into_each_other() -> None:
    table = ClassTable.builtin("drawn")
    left, right = table.names.index("turn_left"), table.names.index("turn_right")
    assert (table.mirror[left], table.mirror[right]) == (right, left)
    for i, partner in enumerate(table.mirror.tolist()):
        assert partner == NEVER or table.mirror[partner] == i
        assert partner == NEVER or table.outline[partner] == table.outline[i]


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stop: {outline: blob}", "class 'stop' has the unknown outline 'blob'"),
        ("stop: {shape: octagon}", "class 'stop' has the unknown key 'shape'"),
        ("left: {mirror: right}", "names the mirror partner 'right', which is not a class"),
        ("a: {mirror: b}\nb: {mirror: self}", "'a' mirrors to 'b', but 'b' does not mirror back"),
        ("stop: octagon", "maps each class name"),
        ("{", "not valid YAML"),
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


def test_doubled_names_are_refused() -> None:
    with pytest.raises(InputError, match="'a' occurs twice"):
        ClassTable.plain(["a", "b", "a"])
