"""What single operations promise beside their boxes."""

import numpy as np
import pytest

from detaug.outline import moved
from detaug.scenes.affine import Affine, about_centre
from detaug.scenes.colour import after, brightness, contrast, hue, saturation, white_balance
from detaug.scenes.crop import Crop
from detaug.scenes.finish import finish, measured
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from detaug.scenes.window import KEEP_SIDE
from tests.scenes.painted import planned, stage, world

CATALOG = world(images=20)
GROUND = stage(CATALOG)


def test_colour_steps_compose_in_order() -> None:
    pixel = np.array([40.0, 120.0, 200.0, 1.0])
    steps = [brightness(1.3), contrast(0.8), saturation(0.5), hue(20), white_balance(1.1, 0.9)]
    expected = pixel
    for step in steps:
        expected = np.append(step @ expected, 1.0)
    np.testing.assert_allclose(after(*steps) @ pixel, expected[:3])


def test_greys_keep_their_colour_under_hue_and_saturation() -> None:
    grey = np.array([90.0, 90.0, 90.0, 1.0])
    for step in (hue(77), saturation(0.0), saturation(1.7)):
        np.testing.assert_allclose(step @ grey, grey[:3])
    luma = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(saturation(0.0) @ [10, 20, 250, 1], np.full(3, luma @ [10, 20, 250]))
    np.testing.assert_allclose(hue(120) @ [255, 0, 0, 1], [0, 255, 0], atol=1e-9)


def test_about_centre_keeps_the_centre() -> None:
    matrix = about_centre((80, 120), degrees=33, scale=1.7, shear=(5, -8))
    np.testing.assert_allclose(moved(np.array([[60.0, 40.0]]), matrix), [[60.0, 40.0]])
    assert np.linalg.det(about_centre((80, 120), degrees=50, scale=2.0)[:2, :2]) == pytest.approx(4)


def test_signs_are_not_shrunk_below_what_can_be_learnt() -> None:
    affine = Affine(p=1, degrees_range=(0, 0), scale_range=(0.05, 0.1), shift_range=(0, 0), shear_range=(0, 0))
    shrinking = Recipe(affine=affine)
    for slot in range(20):
        before = planned(Recipe(), GROUND, slot).hulls()
        after_ = planned(shrinking, GROUND, slot).hulls()
        small, smaller = ((b[:, 2:] - b[:, :2]).min(1) for b in (before, after_))
        assert (smaller[small >= KEEP_SIDE] >= KEEP_SIDE - 1e-6).all()


def test_turning_stays_within_the_classes_limits() -> None:
    from dataclasses import replace

    table = replace(CATALOG.classes, turn=np.full(8, 4, np.float32))
    ground = stage(replace(CATALOG, classes=table))
    recipe = Recipe(affine=Affine(p=1, degrees_range=(-90, 90), shear_range=(0, 0)))
    for slot in range(30):
        matrix = planned(recipe, ground, slot).matrix[0]
        turn = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
        assert abs(turn) <= 4 + 1e-6


@pytest.mark.parametrize("recipe", [Recipe(mosaic=Mosaic(p=1, focus=1)), Recipe(crop=Crop(p=1, focus=1))])
def test_a_window_with_focus_shows_a_whole_object(recipe: Recipe) -> None:
    """Each tile keeps at least one of its objects whole, where it fits into the tile."""
    kept = []
    for slot in range(60):
        scene = planned(recipe, GROUND, slot)
        _, share = measured(scene)
        kept += [share[scene.layer == layer].max(initial=0) for layer in range(len(scene.image))]
    assert np.mean(np.array(kept) > 0.999) > 0.95


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
