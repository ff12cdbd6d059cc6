"""A goal becomes repeat factors and quotas that reach it, within their bounds."""

import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detaug.draws.balance import Balance
from detaug.draws.deck import Deck
from detaug.draws.draw import Draw
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.drawn import draw_dataset
from detaug.readers.read import read
from detaug.scenes import solver
from detaug.scenes.allotment import Room, allot
from detaug.scenes.exposure import exposure
from detaug.scenes.ground import Ground, ground
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.response import Rates
from detaug.scenes.scene import Role
from tests.readers.making import REAL, needs_real
from tests.scenes.painted import world

PLAIN = Recipe(mosaic=Mosaic(p=0.5))
PASTING = Recipe(mosaic=Mosaic(p=0.5), paste=Paste(p=0.6, count_range=(1, 3)))


def tail(images: int = 60, counts: tuple[int, ...] = (90, 40, 20, 8, 3, 1, 5, 0)) -> Catalog:
    """A world without image files whose boxes are divided among the classes like these counts."""
    made = world(images=images)
    wanted = np.array(counts) * len(made.boxes) // sum(counts)
    wanted = np.where(np.array(counts) > 0, np.maximum(1, wanted), 0)
    wanted[0] += len(made.boxes) - wanted.sum()
    labels = np.random.default_rng(5).permutation(np.repeat(np.arange(len(counts)), wanted)).astype(np.int32)
    return replace(made, labels=labels, has_images=False)


TAIL = tail()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rough solution, where it is not its exactness that is tested."""
    monkeypatch.setattr(solver, "PILOT", 60)
    monkeypatch.setattr(solver, "SCENES", 120)


def solved(catalog: Catalog, recipe: Recipe, size: int = 160, length: int | None = None, **settings: Any) -> Ground:
    return ground(catalog, recipe, size, balance=Balance(**settings), length=length)


def keeps_its_word(made: Ground, epochs: int = 20) -> np.ndarray:
    """Check that classes called reachable are; the mean number of instances an epoch."""
    assert made.solution is not None
    mean = exposure(made.stage, made.recipe, range(epochs)).per_epoch()
    reachable = ~made.solution.short
    assert (mean[reachable] >= 0.95 * made.solution.goal[reachable]).all()
    assert len(made.solution.unreached) == made.solution.short.sum()
    return mean


@pytest.mark.slow
@pytest.mark.parametrize("first", ["repeats", "pastes"])
def test_a_floor_is_kept_in_a_long_tail(first: str) -> None:
    even = exposure(ground(TAIL, PLAIN, 160, length=300).stage, PLAIN, range(4)).per_epoch()
    made = solved(TAIL, PASTING, length=300, floor=60, first=first)
    mean = keeps_its_word(made)
    assert made.solution is not None
    assert made.solution.short.sum() <= 2  # the absent one, and what one box can give
    assert (even[:7] < 50).sum() >= 3
    assert mean[0] > 200  # what is frequent stays frequent


@pytest.mark.slow
def test_a_share_is_kept() -> None:
    made = solved(TAIL, PASTING, length=300, share=0.05)
    assert made.solution is not None
    mean = exposure(made.stage, made.recipe, range(10)).per_epoch()
    reachable = ~made.solution.short
    assert reachable.sum() >= 5
    assert (mean[reachable] >= 0.95 * 0.05 * mean.sum()).all()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_classes_that_compete_get_equal_parts_of_their_floor() -> None:
    alone = tail(300, counts=(90, 40, 30, 20, 10, 10, 10, 10)).take(np.arange(0, 300, 5))  # one box an image
    made = solved(alone, PLAIN, length=60, floor=400, most=100)
    assert made.solution is not None
    assert made.solution.short.all()
    even = exposure(ground(alone, PLAIN, 160).stage, PLAIN, range(20)).per_epoch()
    mean = exposure(made.stage, made.recipe, range(20)).per_epoch()
    assert even.max() > 5 * even.min()
    assert mean.max() < 1.6 * mean.min()


@pytest.mark.usefixtures("quick")
def test_bounds_hold_in_fact() -> None:
    made = solved(TAIL, PASTING, length=100, floor=80, most=3, donor_most=4)
    assert made.solution is not None
    pasted = 0
    for epoch in range(3):
        items = made.stage.order.items(epoch)
        scenes = [made.recipe.plan(Draw(epoch, s, int(i)), made.stage) for s, i in enumerate(items)]
        origins = Counter(o for s in scenes for o in s.origin[s.role[s.layer] == Role.PASTE].tolist())
        assert max(origins.values()) <= 4
        assert max((s.role == Role.PASTE).sum() for s in scenes) <= 3
        pasted += sum(origins.values())
    assert pasted > 50
    shown = np.bincount(np.concatenate([made.stage.order.items(e) for e in range(300)]), minlength=len(TAIL)) / 300
    assert shown.max() <= 3 * 100 / 60 * 1.02
    assert shown.min() >= 0.25 * 100 / 60 * 0.95


@pytest.mark.usefixtures("quick")
def test_what_comes_first_does_as_much_as_its_bounds_allow() -> None:
    """Pastes first leave to repeats what they cannot reach, and the other way round."""
    wide: dict[str, Any] = {"length": 300, "floor": 120, "most": 8.0, "donor_most": 20}
    repeats, pastes = (solved(TAIL, PASTING, first=first, **wide).solution for first in ("repeats", "pastes"))
    assert repeats is not None
    assert pastes is not None
    needed = np.flatnonzero(repeats.tries > 1)
    by_class = np.array([repeats.factors[TAIL.images_of_boxes()[TAIL.labels == c]].min() for c in needed])
    assert 0 < len(needed) < (pastes.tries > 1).sum()
    assert (by_class >= 0.95 * repeats.factors.max()).all()
    assert pastes.factors.sum() < 0.9 * repeats.factors.sum()
    no_pastes = solved(TAIL, PLAIN, first="pastes", **wide).solution
    assert no_pastes is not None
    assert (no_pastes.tries == 0).all()
    np.testing.assert_allclose(no_pastes.factors.sum(), repeats.factors.sum(), rtol=0.1)


@pytest.mark.usefixtures("quick")
def test_what_stops_a_class_is_named() -> None:
    made = solved(TAIL, PASTING, length=100, floor=200, most=2, donor_most=3)
    assert made.solution is not None
    said = {sentence.split(":")[0]: sentence for sentence in made.solution.unreached}
    assert said["right"].startswith("right: 0 boxes in 0 images; reaches 0 of 200; stopped by having no box")
    assert said["priority"].endswith("stopped by most=2 and donor_most=3.")
    assert "1 box in 1 image" in said["priority"]
    without = solved(TAIL, PLAIN, length=100, floor=200, most=2)
    assert without.solution is not None
    assert any(s.endswith("most=2 and a recipe without paste.") for s in without.solution.unreached)
    more = solved(TAIL, PASTING, length=100, floor=200, most=8, donor_most=20)
    assert more.solution is not None
    assert more.solution.reaches[5] > 2 * made.solution.reaches[5]


@pytest.mark.usefixtures("quick")
def test_the_solution_is_a_function_of_its_arguments() -> None:
    one, two = (solved(TAIL, PASTING, length=80, floor=40) for _ in range(2))
    assert one.solution is not None
    assert two.solution is not None
    np.testing.assert_array_equal(one.solution.factors, two.solution.factors)
    np.testing.assert_array_equal(one.solution.tries, two.solution.tries)
    draws = [Draw(3, s, 0) for s in range(80)]
    hands = [g.stage.donors.hands(draws, (1, 1), np.empty((80, 0))) for g in (one, two)]
    for first, second in zip(*hands, strict=True):
        np.testing.assert_array_equal(first, second)
    assert len(hands[0][0]) > 0
    assert len(one.stage.order.items(0)) == 80


@pytest.mark.usefixtures("quick")
def test_a_floor_that_is_met_anyway_changes_nothing() -> None:
    made = solved(TAIL.take(np.arange(20)), PASTING, length=2000, floor=1)
    assert made.solution is not None
    present = TAIL.take(np.arange(20)).class_counts() > 0
    assert (made.solution.factors == 1).all()
    assert made.solution.tries.sum() == 0
    assert not made.solution.short[present].any()


@pytest.mark.usefixtures("quick")
def test_named_classes_alone_are_pasted() -> None:
    made = ground(TAIL, PASTING, 160, balance=Balance(floor=100), rare=["warn"], length=60)
    assert set(TAIL.labels[made.stage.donors.box].tolist()) == {list(TAIL.classes.names).index("warn")}


@pytest.mark.usefixtures("quick")
def test_images_without_boxes_are_planned_too() -> None:
    empty = replace(
        TAIL, boxes=TAIL.boxes[:0], labels=TAIL.labels[:0], flags=TAIL.flags[:0], starts=np.zeros_like(TAIL.starts)
    )
    made = solved(empty, PASTING, length=10, floor=5)
    assert made.solution is not None
    assert made.solution.short.all()
    assert (made.solution.factors == 1).all()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"floor": 0}, "floor"),
        ({"floor": 2, "share": 0.1}, "both"),
        ({"share": 0.0}, "share"),
        ({"share": 0.6}, "share"),
        ({"donor_most": 0}, "donor_most"),
        ({"first": "donors"}, "first"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Balance(**settings)


def test_shares_of_more_than_all_are_refused() -> None:
    with pytest.raises(InputError, match="7 classes"):
        solved(TAIL, PLAIN, share=0.2)


def test_a_deck_deals_its_quotas() -> None:
    quotas = np.array([3.0, 0.0, 2.5, 1.0, 0.25])
    deck = Deck(quotas, seed=3, length=12, share=0.5, most=2)
    counts = np.zeros(5)
    for epoch in range(400):
        hands = [deck.hand(epoch, slot) for slot in range(12)]
        assert max(map(len, hands)) <= 2
        assert sum(bool(h) for h in hands) <= 6
        dealt = np.bincount([d for h in hands for d in h], minlength=5)
        assert (dealt >= np.floor(quotas)).all()
        assert (dealt <= np.ceil(quotas)).all()
        counts += dealt
    np.testing.assert_allclose(counts / 400, quotas, atol=0.08)
    assert deck.hand(5, 3) == Deck(quotas, 3, 12, 0.5, 2).hand(5, 3)
    with pytest.raises(ValueError, match="quotas"):
        Deck(np.full(5, 3.0), 3, 12, 0.5, 2)


def test_an_empty_deck_deals_nothing() -> None:
    assert Deck(np.empty(0), 0, 4, 0.5, 2).hand(0, 3) == []


@pytest.mark.slow
def test_drawn_scenes_keep_a_floor(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "drawn", images={"train": 200, "val": 1}, size=(192, 320))
    catalog = read(tmp_path / "drawn", "drawn").split("train")
    made = solved(catalog, Recipe.builtin("signs"), size=320, floor=30)
    keeps_its_word(made)
    assert made.solution is not None
    assert made.solution.short.mean() < 0.5


@needs_real
@pytest.mark.slow
def test_road_signs_keep_a_floor() -> None:
    catalog = read(REAL / "data" / "road_signs").split("train")
    made = solved(catalog, Recipe.builtin("signs"), size=320, floor=250)
    keeps_its_word(made)
    assert made.solution is not None
    assert made.solution.unreached == ()


@needs_real
@pytest.mark.slow
def test_162_classes_of_which_21_have_one_box_keep_a_floor(tmp_path: Path) -> None:
    with zipfile.ZipFile(REAL / "formats" / "tt100k_voc_all.zip") as boxes:
        boxes.extractall(tmp_path)
    catalog = read(tmp_path, "voc")
    assert (len(catalog), len(catalog.classes), catalog.has_images) == (9170, 162, False)
    made = solved(catalog, Recipe.builtin("signs"), size=640, length=700, floor=10)
    keeps_its_word(made)
    assert made.solution is not None
    assert made.solution.short.mean() < 0.3


def test_scarce_pastes_of_some_classes_do_not_cut_what_repeats_give_another() -> None:
    """Class 1 reaches its floor by repeats; 2 and 3 cannot, and there are few pastes for them."""
    images = np.concatenate([np.zeros(254, int), np.full(30, 1), np.full(8, 2), np.full(8, 3)])
    counts = np.bincount(images)
    room = Room(
        present=counts, pair_image=np.arange(300), pair_class=images, pair_boxes=np.ones(300), images=300, length=300,
        slots=3.0, donors=np.array([0, 30, 8, 8]), donor_most=10, tries=20.0, open_share=0.5, hand=2,
        repeats_first=True,
    )  # fmt: skip
    found = Rates(1.0, np.tile([1.0, 0.0], (4, 1)), np.tile([0.8, 0.0], (4, 1)), np.arange(4))
    made = allot(room, found, np.full(4, 60.0))
    assert made.shown[1] >= 0.99 * 60
    assert (made.shown[2:] < 50).all()
    assert made.tries.sum() == pytest.approx(20, rel=0.01)
    plenty = allot(replace(room, tries=400.0), found, np.full(4, 60.0))
    assert (plenty.shown >= 0.99 * 60).all()
