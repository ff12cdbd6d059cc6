"""Recipes: files, switching off, purity."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detaug.draws.draw import Draw
from detaug.errors import InputError
from detaug.render.cpu import render
from detaug.render.source import Source
from detaug.scenes.finish import finish
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Scene, fit_matrix, same
from tests.scenes.painted import Painter, planned, stage, whole, world
from tests.scenes.test_boxes_follow import STRONG

CATALOG = world()
GROUND = stage(CATALOG)
ALL = Recipe(**STRONG)  # type: ignore[arg-type]


def test_a_plan_is_a_pure_function_of_its_place() -> None:
    first = [ALL.plan(Draw(2, slot, slot % 8), GROUND) for slot in range(20)]
    again = [ALL.plan(Draw(2, slot, slot % 8), stage(CATALOG)) for slot in reversed(range(20))]
    assert all(same(a, b) for a, b in zip(first, reversed(again), strict=True))
    assert not any(same(a, ALL.plan(Draw(3, s, s % 8), GROUND)) for s, a in enumerate(first))
    assert not any(same(a, ALL.plan(Draw(2, s, s % 8), stage(CATALOG, seed=1))) for s, a in enumerate(first))


@pytest.mark.parametrize("name", list(STRONG))
def test_switching_one_off_leaves_the_others_random_numbers(name: str) -> None:
    """What the later operations draw does not depend on whether an earlier one is there."""
    late = {"colour", "noise", "effects"} - {name}
    for slot in range(10):
        whole = ALL.plan(Draw(0, slot, slot % 8), GROUND)
        without = Recipe(**{n: op for n, op in STRONG.items() if n != name})  # type: ignore[arg-type]
        less = without.plan(Draw(0, slot, slot % 8), GROUND)
        for field in late:
            a, b = getattr(whole, field), getattr(less, field)
            assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def test_mixing_operations_stop_when_mixing_is_off() -> None:
    for slot in range(20):
        scene = ALL.plan(Draw(0, slot, slot % 8, mixing=False), GROUND)
        assert len(scene.image) == 1
        assert len(scene.opacity) == 1


def test_all_probabilities_zero_give_the_plain_fitted_image() -> None:
    off = Recipe(**{n: replace(op, p=0) for n, op in STRONG.items()})  # type: ignore[arg-type]
    plain: list[Scene] = [Recipe().plan(Draw(0, s, s), GROUND) for s in range(8)]
    for slot, scene in enumerate(plain):
        assert same(off.plan(Draw(0, slot, slot), GROUND), scene)
        np.testing.assert_array_equal(scene.matrix[0], fit_matrix(1200, 1600, (120, 160)))
    paint = Painter(CATALOG)
    image = render(plain[4], Source(CATALOG, GROUND.size, open_file=whole(paint))).astype(int)
    area = paint(Path("4.png")).reshape(120, 10, 160, 10, 3).mean((1, 3))
    assert np.abs(image - area).mean() < 1.0


def test_builtin_recipes_are_read() -> None:
    assert Recipe.builtin("signs").mosaic is not None
    assert not Recipe.builtin("plain").operations()
    with pytest.raises(InputError, match=r"no built-in recipe 'sings'; there are plain, signs"):
        Recipe.builtin("sings")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mosiac: {p: 1}", "mosiac is not a setting of Recipe"),
        ("mosaic: {prob: 1}", "mosaic.prob is not a setting of Mosaic"),
        ("mosaic: {p: 2}", "mosaic.p is a probability between 0 and 1, not 2"),
        ("mosaic: {p: often}", "mosaic.p takes"),
        ("mosaic: {scale_range: [2, 1]}", r"mosaic.scale_range is a range \(low, high\), not \(2, 1\)"),
        ("mixup: {opacity_range: [0.1, 0.9]}", "mixup.opacity_range stays within"),
        ("effects: {chances: {snow: 0.1}}", "effects.chances names 'snow'"),
        ("noise: 3", "noise takes settings by name or null, not 3"),
        ("- mosaic", "maps operations to their settings"),
        ("a: [", "not valid YAML"),
    ],
)
def test_bad_recipes_are_one_sentence_with_file_and_value(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        Recipe.from_yaml(file)
    assert "mine.yaml" in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: the recipe cannot be read"):
        Recipe.from_yaml(tmp_path / "none.yaml")


def test_remnants_are_erased_and_nothing_else() -> None:
    """Every pixel of a painted object says whose it is: after erasing, dropped objects that stand alone are gone."""
    recipe = Recipe(mosaic=Mosaic(p=1, focus=0, candidates=1), min_visible=0.5)
    source = Source(CATALOG, GROUND.size, open_file=whole(Painter(CATALOG)))
    erased = 0
    for slot in range(30):
        left, gone = planned(recipe, GROUND, slot), planned(replace(recipe, remnants="erase"), GROUND, slot)
        before, after = (finish(scene, 0.5, 3.0) for scene in (left, gone))
        np.testing.assert_array_equal(before.boxes, after.boxes)
        one, other = render(left, source), render(gone, source)
        changed = (one != other).any(2)
        inside = np.zeros_like(changed)
        for x1, y1, x2, y2 in gone.erased:
            inside[max(0, int(y1) - 1) : int(np.ceil(y2)) + 1, max(0, int(x1) - 1) : int(np.ceil(x2)) + 1] = True
            # a neighbour across a seam is erased with a pixel round it
            part = other[int(np.ceil(y1)) + 1 : max(0, int(y2) - 1), int(np.ceil(x1)) + 1 : max(0, int(x2) - 1)]
            assert part.size == 0 or (part == part[0, 0]).all()
        assert not (changed & ~inside).any()
        for x1, y1, x2, y2 in np.floor(after.boxes).astype(int):
            assert not changed[y1 + 2 : y2 - 1, x1 + 2 : x2 - 1].any()
        erased += len(gone.erased)
    assert erased > 10
