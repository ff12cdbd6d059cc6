"""What single operations promise beside their boxes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detaug.draws.donors import Donors
from detaug.errors import InputError
from detaug.outline import moved
from detaug.scenes.affine import Affine, about_centre
from detaug.scenes.colour import Colour, colour_matrix, tone_curve
from detaug.scenes.crop import Crop
from detaug.scenes.finish import finish
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from detaug.scenes.stage import Stage
from detaug.scenes.visibility import measured
from detaug.scenes.window import KEEP_SIDE
from tests.scenes.painted import planned, stage, world

CATALOG = world(images=20)
GROUND = stage(CATALOG)


LUMA = np.array([0.299, 0.587, 0.114])
GREY_AXIS = np.full(3, 1 / np.sqrt(3))
PLAIN = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0, "white": (1.0, 1.0)}


def changed(pixel: np.ndarray, **settings: Any) -> np.ndarray:
    return np.asarray(colour_matrix(**{**PLAIN, **settings}) @ np.append(pixel, 1.0))


def turned(pixel: np.ndarray, degrees: float) -> np.ndarray:
    """Rodrigues' formula about the grey axis, on a vector."""
    angle = np.radians(degrees)
    along = GREY_AXIS * (GREY_AXIS @ pixel)
    return np.asarray(along + np.cos(angle) * (pixel - along) + np.sin(angle) * np.cross(GREY_AXIS, pixel))


def test_one_matrix_does_what_the_steps_do_one_after_the_other() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        pixel = rng.uniform(0, 255, 3)
        bright, contrast, saturation, red, blue = rng.uniform(0.5, 1.5, 5)
        degrees = rng.uniform(-90, 90)
        step = 128 + contrast * (bright * pixel - 128)
        step = LUMA @ step + saturation * (step - LUMA @ step)
        step = turned(step, degrees) * [red, 1, blue]
        got = changed(
            pixel, brightness=bright, contrast=contrast, saturation=saturation, hue=degrees, white=(red, blue)
        )
        np.testing.assert_allclose(got, step)


def test_greys_keep_their_colour_under_hue_and_saturation() -> None:
    grey = np.full(3, 90.0)
    np.testing.assert_allclose(changed(grey, hue=77, saturation=0.3), grey)
    np.testing.assert_allclose(changed(np.array([10.0, 20, 250]), saturation=0.0), np.full(3, LUMA @ [10, 20, 250]))
    np.testing.assert_allclose(changed(np.array([255.0, 0, 0]), hue=120), [0, 255, 0], atol=1e-9)


@pytest.mark.parametrize("exponent", [0.5, 0.75, 1.0, 1.35, 3.0])
def test_the_tone_curve_is_a_power(exponent: float) -> None:
    exact = [round(255 * (value / 255) ** exponent) for value in range(256)]
    assert tone_curve(exponent).tolist() == exact


def test_more_candidates_keep_more_of_the_signs() -> None:
    """Without focus, so that only the choice among candidates can keep signs whole."""
    kept = {}
    for number in (1, 8):
        recipe = Recipe(mosaic=Mosaic(p=1, focus=0, centres=number, candidates=number))
        shares = [measured(planned(recipe, GROUND, slot))[1] for slot in range(80)]
        kept[number] = np.mean([(share > 0.99).sum() for share in shares])
    assert kept[8] > 1.3 * kept[1]


def test_candidates_prefer_classes_of_more_weight() -> None:
    heavy = np.ones(len(CATALOG.classes))
    heavy[3] = 50
    recipe = Recipe(mosaic=Mosaic(p=1, focus=0, candidates=8))
    plain, weighted = (
        sum(
            float(measured(scene)[1][scene.label == 3].sum())
            for scene in (planned(recipe, ground, slot) for slot in range(80))
        )
        for ground in (replace(GROUND, weights=np.ones(len(heavy))), replace(GROUND, weights=heavy))
    )
    assert weighted > 1.1 * plain


def test_about_centre_keeps_the_centre() -> None:
    matrix = about_centre((80, 120), degrees=33, scale=1.7, shear=(5, -8))
    np.testing.assert_allclose(moved(np.array([[60.0, 40.0]]), matrix), [[60.0, 40.0]])
    assert np.linalg.det(about_centre((80, 120), degrees=50, scale=2.0)[:2, :2]) == pytest.approx(4)


@pytest.mark.parametrize("keep", [KEEP_SIDE, 20.0, 0.0])
def test_signs_are_not_shrunk_below_what_can_be_learnt(keep: float) -> None:
    affine = Affine(p=1, degrees_range=(0, 0), scale_range=(0.05, 0.1), shift_range=(0, 0), shear_range=(0, 0))
    shrinking = Recipe(affine=replace(affine, keep_side=keep))
    least = []
    for slot in range(20):
        before = planned(Recipe(), GROUND, slot).hulls()
        after_ = planned(shrinking, GROUND, slot).hulls()
        small, smaller = ((b[:, 2:] - b[:, :2]).min(1) for b in (before, after_))
        assert (smaller[small >= keep] >= keep - 1e-6).all()
        least.append((smaller / small).min(initial=1))
    assert (min(least) < 0.1) == (keep == 0)


def test_a_bound_below_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"affine\.keep_side .* -1"):
        Affine(keep_side=-1)


def test_turning_stays_within_the_classes_limits() -> None:
    table = replace(CATALOG.classes, turn=np.full(8, 4, np.float32))
    ground = stage(replace(CATALOG, classes=table))
    recipe = Recipe(affine=Affine(p=1, degrees_range=(-90, 90), shear_range=(0, 0)))
    for slot in range(30):
        matrix = planned(recipe, ground, slot).matrix[0]
        turn = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
        assert abs(turn) <= 4 + 1e-6


@pytest.mark.parametrize(
    ("recipe", "aimless"),
    [
        (Recipe(mosaic=Mosaic(p=1, focus=1)), Recipe(mosaic=Mosaic(p=1, focus=0, candidates=1))),
        (Recipe(crop=Crop(p=1, focus=1)), Recipe(crop=Crop(p=1, focus=0, candidates=1))),
    ],
)
def test_a_window_with_focus_shows_a_whole_object(recipe: Recipe, aimless: Recipe) -> None:
    """Each tile keeps at least one of its objects whole, where it fits into the tile."""

    def whole(recipe: Recipe) -> float:
        kept = []
        for slot in range(120):
            scene = planned(recipe, GROUND, slot)
            _, share = measured(scene)
            kept += [share[scene.layer == layer].max(initial=0) for layer in range(len(scene.image))]
        return float(np.mean(np.array(kept) > 0.999))

    assert whole(recipe) > 0.92
    assert whole(recipe) > whole(aimless) + 0.1


def test_tiles_do_not_overlap_and_meet_in_a_point() -> None:
    for slot in range(40):
        scene = planned(Recipe(mosaic=Mosaic(p=1)), GROUND, slot)
        assert len(scene.image) == 4
        low = np.stack([moved(scene.region[i, None, :2], scene.matrix[i])[0] for i in range(4)])
        high = np.stack([moved(scene.region[i, None, 2:], scene.matrix[i])[0] for i in range(4)])
        meet = high[0]
        np.testing.assert_allclose([low[1, 0], low[3, 0], high[2, 0]], meet[0], atol=1e-9)
        np.testing.assert_allclose([low[2, 1], low[3, 1], high[1, 1]], meet[1], atol=1e-9)


def test_mixup_keeps_both_label_sets_and_its_opacity_bounds() -> None:
    for slot in range(40):
        plain, mixed = planned(Recipe(), GROUND, slot), planned(Recipe(mixup=Mixup(p=1)), GROUND, slot)
        assert 0.4 <= mixed.opacity[1] <= 0.6
        assert set(plain.origin.tolist()) <= set(mixed.origin.tolist())
        np.testing.assert_array_equal(measured(plain)[1], measured(mixed)[1][: len(plain.label)])


def test_pastes_stay_inside_their_tile_and_leave_objects_visible() -> None:
    pasted = 0
    recipe = Recipe(mosaic=Mosaic(p=0.5), paste=Paste(p=1, count_range=(2, 4)))
    for slot in range(90):
        scene = planned(recipe, GROUND, slot)
        _, share = measured(scene)
        own = scene.role[scene.layer] == Role.PASTE
        pasted += int(own.sum())
        assert (share[own] > 0.85).all()
        without = planned(Recipe(mosaic=recipe.mosaic), GROUND, slot)
        assert (share[~own] >= measured(without)[1] - 0.1).all()
        donors = scene.matrix[scene.layer[own]]
        assert (np.sqrt(np.abs(np.linalg.det(donors[:, :2, :2]))) <= 1.5 + 1e-9).all()
        assert set(scene.image[scene.role == Role.PASTE].tolist()) <= set(range(len(CATALOG)))
    assert pasted > 60


def test_filters_drop_what_is_small_or_hidden() -> None:
    recipe = Recipe(mosaic=Mosaic(p=1, focus=0))
    for slot in range(20):
        scene = planned(recipe, GROUND, slot)
        boxes, share = measured(scene)
        sides = (boxes[:, 2:] - boxes[:, :2]).min(1)
        visible = finish(scene, min_visible=0.4, min_side=5)
        expected = np.flatnonzero((share >= 0.4) & (sides >= 5))
        np.testing.assert_array_equal(visible.objects, expected)
        np.testing.assert_array_equal(visible.boxes, boxes[expected].astype(np.float32))


def test_rare_classes_vary_more_widely_within_their_limits() -> None:
    """`GROUND` has donors of every class; without donors nothing is rare and the range is the plain one."""
    common = replace(GROUND, donors=Donors.of(CATALOG, np.zeros(len(CATALOG.classes), bool)))
    ranges = {"degrees_range": (-5.0, 5.0), "scale_range": (0.8, 1.25), "shear_range": (-2.0, 2.0)}
    wide = Recipe(affine=Affine(p=1, multiply=3.0, **ranges))  # type: ignore[arg-type]

    def spread(ground: Stage) -> tuple[float, float]:
        matrices = [planned(wide, ground, slot, epoch=2).matrix[0] for slot in range(100)]
        plain = [planned(Recipe(), ground, slot, epoch=2).matrix[0] for slot in range(100)]
        turns = [np.degrees(np.arctan2(m[1, 0], m[0, 0])) for m in matrices]
        ratios = [
            np.log(np.sqrt(abs(np.linalg.det(m[:2, :2]) / np.linalg.det(p[:2, :2]))))
            for m, p in zip(matrices, plain, strict=True)
        ]
        return float(np.abs(turns).max()), float(np.max(ratios))

    few, many = spread(common), spread(GROUND)
    assert few[0] < 8
    assert many[0] > 12
    assert few[1] <= np.log(1.25) + 0.01
    assert many[1] > 2 * np.log(1.25)
    limit = float(CATALOG.classes.turn.min())
    assert many[0] <= limit + np.degrees(np.arctan(3 * np.tan(np.radians(2.0)) * 2))


def test_hue_is_not_widened_for_rare_classes() -> None:
    strong, plain = (
        planned(Recipe(colour=Colour(p=1, multiply=m, white_range=(1, 1))), GROUND, 3).colour for m in (3.0, 1.0)
    )
    assert strong is not None
    assert plain is not None
    ratio = strong[:, :3] / plain[:, :3]
    np.testing.assert_allclose(ratio, ratio[0, 0])
    assert abs(ratio[0, 0] - 1) > 0.01
