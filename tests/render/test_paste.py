"""Pasted pixels: the mask follows the box at every edge, the light is a factor, Poisson is refused where it lies."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.outline import Outline, hulls
from detaug.render.blend import MOST_CHANGED, alpha, blended, margin, with_gain
from detaug.render.coverage import depth
from detaug.render.cpu import render
from detaug.render.source import Source
from detaug.scenes.affine import about_centre
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Blend, Role
from tests.scenes.painted import planned, stage, whole, world

EDGES = [(Blend.HARD, 0.0), (Blend.FEATHER, 1.0), (Blend.FEATHER, 3.0), (Blend.GAUSSIAN, 0.5), (Blend.GAUSSIAN, 1.2)]
POINTED = (Outline.TRIANGLE_UP, Outline.TRIANGLE_DOWN, Outline.DIAMOND)


@pytest.mark.parametrize("outline", list(Outline))
@pytest.mark.parametrize(("blend", "soft"), EDGES)
def test_each_side_of_the_box_lies_within_a_pixel_of_the_mask(outline: Outline, blend: Blend, soft: float) -> None:
    rng = np.random.default_rng(int(outline))
    for _ in range(60):
        side = rng.uniform(24, 60)
        box = np.array([10, 10, 10 + side * rng.uniform(0.7, 1.3), 10 + side])
        turned = about_centre(
            (80, 80), degrees=rng.uniform(-8, 8), shear=(rng.uniform(-4, 4), 0), scale=rng.uniform(0.7, 1)
        )
        matrix = turned @ np.array([[1, 0, rng.uniform(-1, 1)], [0, 1, rng.uniform(-1, 1)], [0, 0, 1]])
        hull = hulls(np.array([outline]), box[None], matrix[None])[0]
        fine = 4  # the mask as a function of the place, looked at four times in each pixel
        shares = alpha(
            depth(outline, box, np.diag([fine, fine, 1]) @ matrix, (0, 0, 100 * fine, 100 * fine)) / fine, blend, soft
        )
        rows, columns = (np.flatnonzero((shares >= 0.5).any(axis)) for axis in (1, 0))
        seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / fine
        assert np.abs(seen - hull).max() <= 1
        shared = np.clip(np.minimum(seen[2:], hull[2:]) - np.maximum(seen[:2], hull[:2]), 0, None).prod()
        union = (seen[2:] - seen[:2]).prod() + (hull[2:] - hull[:2]).prod() - shared
        if (hull[2:] - hull[:2]).min() >= 24:
            assert shared / union >= 0.9


@pytest.mark.parametrize("outline", list(Outline))
@pytest.mark.parametrize(("blend", "soft"), EDGES)
def test_the_mask_is_as_large_as_the_outline(outline: Outline, blend: Blend, soft: float) -> None:
    box = np.array([10.3, 9.6, 52.1, 55.2])
    inside = depth(outline, box, np.eye(3), (0, 0, 64, 64))
    hard, soft_ = alpha(inside, Blend.HARD, 0.0).sum(), alpha(inside, blend, soft).sum()
    assert abs(soft_ - hard) < 0.03 * hard


def test_a_gaussian_edge_is_a_blurred_edge() -> None:
    import cv2

    sharp = np.zeros((64, 64), np.float32)
    sharp[:, 32:] = 1
    blurred = cv2.GaussianBlur(sharp, (0, 0), 1.5)
    inside = np.tile(np.arange(64) + 0.5 - 32, (64, 1))
    assert np.abs(alpha(inside, Blend.GAUSSIAN, 1.5) - blurred).max() < 0.02


@pytest.mark.parametrize(("blend", "soft"), EDGES)
def test_the_margin_holds_the_whole_edge(blend: Blend, soft: float) -> None:
    assert alpha(np.array([[-float(margin(blend, soft))]]), blend, soft).max() < 0.01


def test_the_gain_is_a_factor_on_each_channel() -> None:
    patch = np.random.default_rng(0).integers(0, 256, (9, 7, 4)).astype(np.uint8)
    made = with_gain(patch, np.array([1.4, 1.0, 0.7], np.float32)).astype(float)
    assert np.abs(made - np.clip(patch * np.array([1.4, 1.0, 0.7, 1.0]), 0, 255)).max() <= 0.51
    assert with_gain(patch, np.ones(3, np.float32)) is patch


def red_on(grey: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """A red disc in a wide grey rim, what it is pasted on, and the depth of its outline; OpenCV drops a narrow rim."""
    inside = depth(Outline.ELLIPSE, np.array([8.0, 8, 40, 40]), np.eye(3), (0, 0, 48, 48))
    patch = np.full((48, 48, 4), 128, np.uint8)
    patch[inside > 6, :3] = [200, 30, 30]
    beneath = np.full((48, 48, 4), grey, np.uint8)
    return patch, beneath, inside


def test_poisson_is_used_where_colours_stay_and_feathers_where_they_would_move() -> None:
    used = 0
    for grey in range(20, 240, 12):
        patch, beneath, inside = red_on(grey)
        made = blended(patch, beneath, inside, Blend.POISSON, 2.0).astype(float)
        feathered = blended(patch, beneath, inside, Blend.FEATHER, 2.0).astype(float)
        used += not np.array_equal(made, feathered)
        assert np.abs(made - feathered)[inside > 3].mean(0).max() <= MOST_CHANGED + 3
    assert 0 < used < 12


def test_poisson_is_feathered_at_the_canvas_border() -> None:
    patch, beneath, inside = red_on(128)
    made = blended(patch[:, 20:], beneath[:, 20:], inside[:, 20:], Blend.POISSON, 2.0)
    np.testing.assert_array_equal(made, blended(patch[:, 20:], beneath[:, 20:], inside[:, 20:], Blend.FEATHER, 2.0))


def test_pixels_away_from_a_paste_stay_and_its_middle_is_the_donors() -> None:
    catalog = replace(big := world(images=12, height=600, width=800), boxes=(big.boxes * 0.25 + 150).astype(np.float32))
    ground = stage(catalog)
    grey = whole(lambda path: np.full((600, 800, 3), 10 * int(path.stem) + 20, np.uint8))
    source = Source(catalog, ground.size, open_file=grey)
    recipe = Recipe(paste=Paste(p=1, count_range=(1, 1), decoy=0))
    found = 0
    for slot in range(30):
        scene, bare = planned(recipe, ground, slot), planned(Recipe(), ground, slot)
        made, plain = (render(s, source).astype(float) for s in (scene, bare))
        for layer in np.flatnonzero(scene.role != Role.TILE):
            inside = depth(int(scene.outline[layer]), scene.region[layer], scene.matrix[layer], (0, 0, 160, 120))
            far, near = inside < -5, inside > 4
            np.testing.assert_array_equal(made[far], plain[far])
            if near.any():
                found += 1
                expected = np.clip((10 * int(scene.image[layer]) + 20) * scene.gain[layer], 0, 255)
                assert np.abs(made[near] - expected).max() <= 2.5
    assert found > 10
