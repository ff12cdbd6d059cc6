"""What is measured of the pixels once, and where it is kept."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, pack_names
from detaug.readers.colours import CELLS, colours_of, mean_colours, measured_colours, sharpness_of
from tests.readers.making import picture


def small(root: Path) -> Catalog:
    """Three pictures of different sizes; the last one is cut short. Two boxes each."""
    sizes = [(40, 60), (64, 64), (48, 80)]
    for k, (height, width) in enumerate(sizes):
        picture(root / f"{k}.png", height, width)
    (root / "2.png").write_bytes((root / "2.png").read_bytes()[:-30])
    text, ends = pack_names([f"{k}.png" for k in range(3)])
    return Catalog(
        root=root,
        classes=ClassTable.plain(["sign"]),
        text=text,
        ends=ends,
        sizes=np.array(sizes, np.int32),
        starts=np.array([0, 2, 4, 6]),
        boxes=np.tile(np.array([[2, 2, 30, 30], [5, 5, 10, 10]], np.float32), (3, 1)),
        labels=np.zeros(6, np.int32),
        flags=np.zeros(6, np.uint8),
        ids=np.arange(3),
        splits=np.ones(3, np.uint8),
        groups=np.arange(3, dtype=np.int32),
        images_in=3,
        boxes_in=6,
    )


def test_cells_are_the_means_of_their_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (CELLS * 5, CELLS * 7, 3)).astype(np.uint8)
    expected = image.reshape(CELLS, 5, CELLS, 7, 3).mean((1, 3))
    assert np.abs(mean_colours(image) - expected).max() <= 0.51


def test_blurred_signs_are_less_sharp_whatever_their_size() -> None:
    rng = np.random.default_rng(1)
    for side in (12, 30, 100):
        image = np.asarray(
            cv2.resize(rng.integers(0, 256, (9, 9, 3)).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST),
            np.uint8,
        )
        box = np.array([0, 0, side, side], np.float32)
        blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), side / 10), np.uint8)
        assert sharpness_of(blurred, box) < 0.25 * sharpness_of(image, box)
    assert np.isnan(sharpness_of(image, np.array([0, 0, 5, 50], np.float32)))


def test_what_was_measured_is_kept_and_found_until_a_picture_changes(tmp_path: Path) -> None:
    catalog, cache = small(tmp_path), tmp_path / "cache"
    steps: list[object] = []

    def watched(given: "object") -> "object":
        for step in given:  # type: ignore[attr-defined]
            steps.append(step)
            yield step

    first = measured_colours(catalog, cache, watched)  # type: ignore[arg-type]
    assert len(steps) == 3
    again = measured_colours(catalog, cache, watched)  # type: ignore[arg-type]
    assert len(steps) == 3
    for one, other in (
        (first.grid, again.grid),
        (first.sharpness, again.sharpness),
        (first.brightest, again.brightest),
    ):
        np.testing.assert_array_equal(one, other)
    assert isinstance(again.grid, np.memmap)
    assert first.grid[:2].any((1, 2, 3)).all()
    assert not first.grid[2].any()
    assert np.isnan(first.sharpness[[1, 3, 4, 5]]).all()
    assert np.isfinite(first.sharpness[[0, 2]]).all()
    image = cv2.cvtColor(np.asarray(cv2.imread(str(tmp_path / "0.png")), np.uint8), cv2.COLOR_BGR2RGB)
    assert first.brightest[0] == pytest.approx(float(np.percentile(image[2:30, 2:30], 95)))
    os.utime(tmp_path / "0.png", ns=(1, 1))
    measured_colours(catalog, cache, watched)  # type: ignore[arg-type]
    assert len(steps) == 6
    assert not [f for f in cache.iterdir() if f.name.startswith(".")]


def test_a_damaged_file_is_measured_anew(tmp_path: Path) -> None:
    catalog, cache = small(tmp_path), tmp_path / "cache"
    grid: NDArray[np.uint8] = np.array(measured_colours(catalog, cache).grid)
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(measured_colours(catalog, cache).grid, grid)


def test_it_lies_beside_the_index_and_needs_images(tmp_path: Path) -> None:
    catalog = small(tmp_path)
    assert colours_of(replace(catalog, has_images=False)) is None
    with pytest.raises(InputError, match="none of the image files"):
        measured_colours(replace(catalog, has_images=False), tmp_path)
    assert colours_of(catalog) is not None
    assert len(list((tmp_path / ".detaug").glob("*.npy"))) == 2
