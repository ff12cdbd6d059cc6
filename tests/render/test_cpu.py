"""The renderer: seams, anti-aliasing, masks, caches."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.outline import Outline, polygon
from detaug.render.coverage import coverage
from detaug.render.cpu import render
from detaug.render.picture import PAD
from detaug.render.source import Source
from detaug.scenes.affine import Affine, about_centre
from detaug.scenes.flip import Flip
from detaug.scenes.levels import choose, grids, levels
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Scene
from tests.scenes.painted import Painter, planned, stage, whole, world
from tests.scenes.test_boxes_follow import STRONG

CATALOG = world(height=600, width=800)
GROUND = stage(CATALOG)


def white(path: Path) -> NDArray[np.uint8]:
    return np.full((600, 800, 3), 255, np.uint8)


@pytest.mark.parametrize("fill", [0, 255])
def test_constant_tiles_show_no_seam(fill: int) -> None:
    """White tiles on white ground stay white; on black ground the meeting point of four tiles stays white."""
    recipe = Recipe(mosaic=Mosaic(p=1), flip=Flip(p=0.5), affine=Affine(p=1, degrees_range=(-30, 30)))
    for slot in range(60):
        scene = replace(planned(recipe, GROUND, slot), fill=(fill, fill, fill))
        image = render(scene, Source(CATALOG, GROUND.size, open_file=whole(white)))
        if fill == 255:
            assert image.min() == 255
        else:
            grey = ((image > 0) & (image < 255)).any(2)
            inner = cv2.erode(np.pad((image[..., 0] > 0).astype(np.uint8), 2), np.ones((5, 5), np.uint8))[2:-2, 2:-2]
            assert not (grey & (inner > 0)).any(), slot


def test_a_mosaic_covers_its_canvas() -> None:
    for slot in range(60):
        scene = replace(planned(Recipe(mosaic=Mosaic(p=1), flip=Flip()), GROUND, slot), fill=(0, 0, 0))
        assert render(scene, Source(CATALOG, GROUND.size, open_file=whole(white))).min() == 255


def supersampled(image: NDArray[np.uint8], scene: Scene, times: int = 8) -> NDArray[np.float64]:
    """The first layer by nearest look-up at times x times points per pixel, averaged; the independent reference."""
    height, width = scene.size
    y, x = (np.mgrid[0 : height * times, 0 : width * times] + 0.5) / times
    inverse = np.linalg.inv(scene.matrix[0])
    u = np.floor(inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]).astype(int)
    v = np.floor(inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]).astype(int)
    inside = (u >= 0) & (v >= 0) & (u < image.shape[1]) & (v < image.shape[0])
    taken = np.where(inside[..., None], image[v.clip(0, image.shape[0] - 1), u.clip(0, image.shape[1] - 1)], 114)
    mean: NDArray[np.float64] = taken.reshape(height, times, width, times, 3).mean((1, 3))
    return mean


def textured() -> NDArray[np.uint8]:
    """Smooth random texture of 800 x 600 pixels, with an edge every 50 pixels."""
    rng = np.random.default_rng(3)
    small = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
    image = np.array(cv2.resize(small, (800, 600), interpolation=cv2.INTER_CUBIC), np.uint8)
    image[:, ::50] //= 2
    return image


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.9, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("degrees", [0, 17])
def test_pixels_agree_with_supersampling(scale: float, degrees: int) -> None:
    """No aliasing at any scale: close to 8 x 8 supersampling, and far from one that is half a pixel off."""
    image = textured()
    base = planned(Recipe(), GROUND, 0)
    scene = replace(base.moved(about_centre(base.size, scale=scale, degrees=degrees)), fill=(114, 114, 114))
    made = render(scene, Source(CATALOG, GROUND.size, open_file=whole(lambda _: image))).astype(float)
    reference = supersampled(image, scene)
    error = np.abs(made - reference).mean()
    shifts = ([0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5])
    shifted = [supersampled(image, scene.moved(np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]))) for x, y in shifts]
    assert error < 5.0
    assert error < 0.8 * min(np.abs(made - s).mean() for s in shifted)


@pytest.mark.parametrize("outline", list(Outline))
def test_coverage_agrees_with_counting(outline: Outline) -> None:
    rng = np.random.default_rng(int(outline))
    for _ in range(8):
        box = np.array([3.0, 5.0, 3 + rng.uniform(20, 60), 5 + rng.uniform(20, 60)])
        matrix = about_centre((64, 64), degrees=rng.uniform(-40, 40), scale=rng.uniform(0.4, 1.0))
        if rng.random() < 0.5:
            matrix = matrix @ np.array([[-1, 0, 66.0], [0, 1, 0], [0, 0, 1]])
        window = (-20, -20, 90, 90)
        mask = coverage(outline, box, matrix, window)
        times = 8
        corners = polygon(outline, box) @ matrix[:2, :2].T + matrix[:2, 2]
        fine = np.zeros((110 * times, 110 * times), np.uint8)
        cv2.fillPoly(fine, [np.rint((corners + 20) * times - 0.5).astype(np.int32)], 1)
        counted = fine.reshape(110, times, 110, times).mean((1, 3))
        edge = (counted > 0) & (counted < 1)
        assert np.abs(mask - counted)[edge].mean() < 0.08
        assert np.abs(mask - counted)[~edge].max() < 0.35
        assert abs(mask.sum() - counted.sum()) < 0.03 * counted.sum()


def test_the_cache_never_changes_a_pixel() -> None:
    recipe = Recipe(**STRONG)  # type: ignore[arg-type]
    paint = Painter(CATALOG)
    sources = [Source(CATALOG, GROUND.size, cache_bytes=b, open_file=whole(paint)) for b in (0, 300_000, None)]
    for slot in range(15):
        scene = planned(recipe, GROUND, slot)
        first, *others = (render(scene, source) for source in sources)
        assert all(np.array_equal(first, other) for other in others)


def test_a_bounded_cache_stays_within_its_bound() -> None:
    source = Source(CATALOG, GROUND.size, cache_bytes=400_000, open_file=whole(Painter(CATALOG)))
    for row in range(8):
        source.picture(row, 0)
        assert sum(p.rgb.nbytes for p in source._kept.values()) == source._bytes <= 400_000


def test_levels_and_their_grid() -> None:
    for height, width in ((800, 1360), (1200, 1600), (333, 517), (2048, 2048)):
        ((step_x, step_y),) = grids(np.array([[height, width]]), (320, 320)).tolist()
        for level in levels(height, width, (320, 320)):
            for places, step, full, side in (
                (level.width, step_x, width, "x"),
                (level.height, step_y, height, "y"),
            ):
                at = 7 * step * places / full
                assert abs(at - round(at)) < 1e-6, side


def test_the_level_follows_the_scale() -> None:
    fit = 320 / 1360
    shares = [level.width / 1360 for level in levels(800, 1360, (320, 320))]
    for scale in (0.1, 0.3, 0.6, 0.85, 1.0, 2.0):
        index, halvings = choose((fit * scale, 0, 0, fit * scale), 800, 1360, (320, 320))
        ratio = fit * scale / shares[index] * 2**halvings
        assert ratio >= 0.4
        assert ratio <= 0.95 or index == 1


def test_pictures_are_padded_by_their_own_border() -> None:
    picture = Source(CATALOG, GROUND.size, open_file=whole(lambda _: textured())).picture(0, 1)
    np.testing.assert_array_equal(picture.rgb[0], picture.rgb[PAD])
    np.testing.assert_array_equal(picture.rgb[:, -1], picture.rgb[:, -1 - PAD])
