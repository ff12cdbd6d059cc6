"""How sharpness is measured: figures known beforehand, and all ways put the same thing in the same place."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import sharpness
from benchmarks.sharpness import WAYS, Seen, brightness, by_size, figures, reference, seen, warped
from detaug.draws.draw import Draw
from detaug.readers.catalog import Catalog
from detaug.readers.image import decode
from detaug.readers.read import read
from detaug.render.source import Source
from detaug.scenes.affine import about_centre
from detaug.scenes.block import scene_of
from tests.batches.painting import painted

IDEAL = (1, 1, 1, 0)


def picture(key: int = 0, side: int = 24) -> NDArray[np.float64]:
    return np.random.default_rng(key).normal(128, 30, (side, side))


@pytest.fixture
def waves(tmp_path: Path) -> Catalog:
    """One photograph that shows nothing finer than 16 pixels, so that any sound resampling keeps it."""
    root = painted(tmp_path / "waves", {"train": 1}, size=(300, 400))
    catalog = read(root)
    y, x = np.mgrid[0:300, 0:400] + 0.5
    wave = 128 + 50 * np.sin(2 * np.pi * x / 40) * np.cos(2 * np.pi * y / 30)
    cv2.imwrite(str(catalog.path(0)), np.repeat(wave[..., None], 3, 2).round().astype(np.uint8))
    return catalog


def test_the_reference_is_as_sharp_as_itself() -> None:
    one = picture()
    assert figures(one, one)[:4] == pytest.approx(IDEAL)
    assert figures(one, one)[4] > 80


def test_a_faded_picture_has_true_detail_alone() -> None:
    one = picture()
    laplacian, band, true, false, _ = figures(128 + 0.5 * (one - 128), one)
    assert (laplacian, band, true, false) == pytest.approx((0.25, 0.25, 0.25, 0), abs=1e-9)


def test_detail_of_another_picture_is_false() -> None:
    """Of 40 draws the mean: in a picture of 24 x 24 pixels two noises are a little alike by chance."""
    found = np.array([figures(picture(1 + k), picture(100 + k)) for k in range(40)]).mean(0)
    assert found[2] == pytest.approx(0, abs=0.02)
    assert found[3] == pytest.approx(1, abs=0.15)


def test_a_shared_and_a_foreign_part_are_told_apart() -> None:
    """The reference at 0.8 with foreign noise of half its height: 0.64 of it is true, 0.25 false."""
    pairs = [(picture(1 + k), picture(100 + k)) for k in range(40)]
    made = [128 + 0.8 * (one - 128) + 0.5 * (other - 128) for one, other in pairs]
    found = np.array([figures(m, one) for m, (one, _) in zip(made, pairs, strict=True)]).mean(0)
    assert found[2] == pytest.approx(0.64, abs=0.05)
    assert found[3] == pytest.approx(0.25, abs=0.05)


def test_blurring_lowers_and_sharpening_raises_what_is_above_half_of_nyquist() -> None:
    one = picture(side=40)
    soft = cv2.GaussianBlur(one, (0, 0), 0.8).astype(np.float64)
    assert figures(soft, one)[1] < 0.3
    assert figures(one + (one - soft), one)[1] > 1.5


def test_slow_waves_are_not_in_the_high_band() -> None:
    y, x = np.mgrid[0:32, 0:32]
    slow, fast = (np.sin(2 * np.pi * x / length) + 0 * y for length in (8, 3))
    assert np.abs(sharpness.high_band(slow)).max() < 0.05 * np.abs(sharpness.high_band(fast)).max()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("scale", "degrees"), [(0.6, 4.0), (1.0, 0.0), (1.4, -3.0)])
def test_all_ways_show_the_same_place(waves: Catalog, way: str, scale: float, degrees: float) -> None:
    """What they differ by is small, and a shift by half a pixel, put in on purpose, is far larger."""
    canvas = (160, 160)
    scene = scene_of(waves, 0, canvas, Draw(0, 0, 0, mixing=False))
    scene = scene.moved(about_centre(canvas, degrees=degrees, scale=scale))
    image, window = decode(waves.path(0)), (60, 66, 100, 97)
    made = brightness(WAYS[way](image, scene, Source(waves, canvas), window))
    wanted = reference(brightness(image), scene.matrix[0], window)
    away = reference(brightness(image), np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]]) @ scene.matrix[0], window)
    assert made.shape == wanted.shape == (31, 40)
    assert np.abs(made - wanted).mean() < 1.2
    assert np.abs(made - wanted).mean() < 0.4 * np.abs(made - away).mean()


@pytest.mark.parametrize(("length", "scale"), [(40, 0.25), (8, 0.25), (8, 0.8), (6, 1.3)])
def test_the_reference_is_the_mean_over_each_pixels_area(length: float, scale: float) -> None:
    """A wave's mean over k pixels is the wave times sinc(k / length)."""
    x = np.arange(400) + 0.5
    photograph = np.repeat(128 + 50 * np.sin(2 * np.pi * x / length)[None], 300, 0).astype(np.float32)
    made = reference(photograph, np.diag([scale, scale, 1]), (20, 20, 60, 40))
    middles = (np.arange(20, 60) + 0.5) / scale
    wanted = 128 + 50 * np.sinc(1 / scale / length) * np.sin(2 * np.pi * middles / length)
    np.testing.assert_allclose(made, np.repeat(wanted[None], 20, 0), atol=0.8)


def test_a_window_is_cut_from_the_canvas() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    np.testing.assert_array_equal(warped(image, np.eye(3), (10, 5, 30, 35)), image[5:35, 10:30])


def test_every_sign_lies_in_its_class_of_size() -> None:
    found = [Seen(side, 1.0, {}) for side in (6.0, 15.9, 16.0, 31.0, 32.0, 63.9, 64.0, 150.0)]
    assert [[one.side for one in some] for some in by_size(found).values()] == [
        [6.0, 15.9], [16.0, 31.0], [32.0, 63.9], [64.0, 150.0]
    ]  # fmt: skip


def test_the_program_prints_a_row_for_each_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = painted(tmp_path / "signs", {"train": 4}, size=(120, 160))
    sharpness.main(["--data", str(root), "--size", "96", "--signs", "4"])
    out = capsys.readouterr().out
    assert "from 4 photographs of about 160x120" in out
    for scale in sharpness.SCALES:
        block = out[out.index(f"scale {scale}, all sizes") :].splitlines()
        assert [line.split()[0] for line in block[2:5]] == list(WAYS)
    catalog = read(root).split("train")
    again = [list(seen(catalog, (96, 96), 4, 0)) for _ in range(2)]
    assert again[0] == again[1]
