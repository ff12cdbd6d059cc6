import pytest

from detaug.measures.names import class_map


@pytest.mark.parametrize(
    ("model", "data", "to_data", "to_model", "unscored", "unknown"),
    [
        (["a", "b"], ["a", "b"], [0, 1], [0, 1], (), ()),
        (["a", "b"], ["b", "a"], [1, 0], [1, 0], (), ()),
        (["a", "b", "c"], ["c"], [-1, -1, 0], [2], ("a", "b"), ()),
        (["b"], ["a", "b", "c"], [1], [-1, 0, -1], (), ("a", "c")),
        ([], ["a"], [], [-1], (), ("a",)),
    ],
)
def test_classes_meet_by_name(
    model: list[str],
    data: list[str],
    to_data: list[int],
    to_model: list[int],
    unscored: tuple[str, ...],
    unknown: tuple[str, ...],
) -> None:
    found = class_map(model, data)
    assert found.to_data.tolist() == to_data
    assert found.to_model.tolist() == to_model
    assert (found.unscored, found.unknown) == (unscored, unknown)
    assert found.same is (model == data)
