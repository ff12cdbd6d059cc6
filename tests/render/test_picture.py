"""Images decoded at a reduced scale: the same places, as sharp, and never another pixel by what is kept."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from detaug.errors import InputError
from detaug.readers.image import Pixels, decode, decode_by
from detaug.readers.read import read
from detaug.render.cpu import render
from detaug.render.picture import PAD, divisor, pictures, resized
from detaug.render.source import BrokenImage, Source
from detaug.scenes.levels import Level, levels
from detaug.scenes.recipe import Recipe
from tests.batches.painting import painted
from tests.readers.making import REAL, needs_real, picture
from tests.readers.textures import texture, textured
from tests.scenes.painted import planned, stage
from tests.scenes.test_boxes_follow import STRONG


def mean_of(pixels: Pixels, by: int) -> NDArray[np.float64]:
    """The mean of each `by` x `by` pixels."""
    height, width = pixels.shape[0] // by, pixels.shape[1] // by
    return np.asarray(pixels.astype(float).reshape(height, by, width, by, 3).mean((1, 3)))


def brightness(image: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(image.astype(float).mean(2))


def detailed(height: int, width: int) -> Pixels:
    """A landscape with lines that are two pixels wide, here and there."""
    image = texture(5, height, width)
    image[::23] //= 2
    image[1::23] //= 2
    image[:, ::31] //= 3
    image[:, 1::31] //= 3
    return image


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("by", [2, 4, 8])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_divided_is_the_mean_and_upright(tmp_path: Path, by: int, mode: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = textured(tmp_path / "a.jpg", 1, 96, 160, mode, quality=95, exif=exif)
    pixels, made_by = decode_by(path, by)
    assert made_by == by
    assert pixels.flags.c_contiguous
    expected = mean_of(decode(path), by)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 1
    with Image.open(path) as image:
        assert pixels.shape[:2] == tuple(side // by for side in ImageOps.exif_transpose(image).size[::-1])


@pytest.mark.parametrize(("name", "size"), [("a.png", (96, 160)), ("a.jpg", (96, 161)), ("a.jpg", (95, 160))])
def test_other_files_and_sides_that_do_not_divide_are_decoded_whole(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    path = picture(tmp_path / name, *size)
    pixels, made_by = decode_by(path, 2)
    assert made_by == 1
    np.testing.assert_array_equal(pixels, decode(path))


@pytest.mark.parametrize("mode", ["CMYK", "RGB"])
def test_a_jpeg_that_only_pillow_reads_is_decoded_whole(tmp_path: Path, mode: str) -> None:
    path = picture(tmp_path / "a.jpg", 48, 64, mode)
    pixels, made_by = decode_by(path, 4)
    assert made_by == (1 if mode == "CMYK" else 4)
    assert (made_by * pixels.shape[0], made_by * pixels.shape[1]) == (48, 64)


@needs_real
def test_photographs_are_divided_to_their_means() -> None:
    found = sorted((REAL / "data" / "road_signs").rglob("*.jpg"))[:12]
    assert found
    for path in found:
        for by in (2, 4):
            pixels, made_by = decode_by(path, by)
            if made_by == by:
                error = np.square(pixels - mean_of(decode(path), by)).mean()
                assert 10 * np.log10(255**2 / error) > 40, path


def test_a_divisor_leaves_enough_pixels_and_divides_the_sides() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(3000):
        size = int(8 * rng.integers(20, 600) + rng.integers(0, 2)), int(4 * rng.integers(40, 1200))
        for level in levels(*size, (320, 320)):
            by = divisor(size, level)
            seen.add(by)
            assert size[0] % by == size[1] % by == 0
            if by > 1:
                assert size[0] // by >= level.height
                assert size[1] // by >= level.width
    assert seen == {1, 2, 4, 8}


@pytest.mark.parametrize("side", [0, 1])
def test_pixels_lie_where_those_of_the_whole_image_would(tmp_path: Path, side: int) -> None:
    """Nowhere else would the picture differ as little, and half a level's pixel beside it a good deal more."""
    image = detailed(800, 1360)
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    small, _ = levels(800, 1360, (640, 640))
    assert divisor((800, 1360), small) == 2
    made = pictures(path, (800, 1360), {0: small})[0].rgb[PAD:-PAD, PAD:-PAD]
    whole = decode(path)
    places = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(made.shape[:2], whole.shape[:2], strict=True)]

    def at(shift: float) -> NDArray[np.float64]:
        moved = list(places)
        moved[side] = places[side] + shift * whole.shape[side] / made.shape[side]
        x, y = np.meshgrid(moved[1].astype(np.float32), moved[0].astype(np.float32))
        softer = cv2.GaussianBlur(whole, (0, 0), 0.6)
        return brightness(cv2.remap(softer, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    inner = np.s_[4:-4, 4:-4]
    errors = {shift: np.abs(brightness(made) - at(shift))[inner].mean() for shift in (-0.5, -0.1, 0.0, 0.1, 0.5)}
    assert min(errors, key=errors.__getitem__) == 0
    assert errors[0.0] < 0.7 * min(errors[0.5], errors[-0.5])


@pytest.mark.parametrize(("side", "wanted"), [(340, 320), (600, 320), (400, 230)])
def test_a_reduced_image_is_no_softer_than_its_mean_over_each_pixel(side: int, wanted: int) -> None:
    """Brightness of the fine part, against the mean of what a pixel covers, taken from a copy 16 times as large."""
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.integers(0, 256, (side, side, 3)).astype(np.uint8), (0, 0), 0.8)
    large = cv2.resize(image.astype(np.float32), None, fx=16, fy=16, interpolation=cv2.INTER_LANCZOS4)
    reference = cv2.resize(large, (wanted, wanted), interpolation=cv2.INTER_AREA)
    made = resized(np.asarray(image, np.uint8), wanted, wanted)[PAD:-PAD, PAD:-PAD]
    fine = [float(np.square(cv2.Laplacian(brightness(a), cv2.CV_64F)).mean()) for a in (made, reference)]
    assert 0.95 < fine[0] / fine[1] < 1.6


def test_what_is_kept_or_made_with_it_never_changes_a_pixel_of_files(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"train": 6}, size=(400, 600), suffix="jpg")
    catalog = read(root)
    ground = stage(catalog, size=(256, 256))
    sources = [Source(catalog, ground.size, kept) for kept in (0, 300_000, None)]
    for row in range(len(catalog)):
        both = dict(enumerate(levels(400, 600, ground.size)))
        assert {divisor((400, 600), level) for level in both.values()} == {1, 2}
        together = pictures(catalog.path(row), (400, 600), both)
        for index, level in both.items():
            alone = pictures(catalog.path(row), (400, 600), {index: level})[index]
            np.testing.assert_array_equal(alone.rgb, together[index].rgb)
    recipe = Recipe(**STRONG)  # type: ignore[arg-type]
    for slot in range(8):
        scene = planned(recipe, ground, slot)
        first, *others = (render(scene, source) for source in sources)
        assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(("suffix", "asked"), [("png", {0: [1], 1: [1]}), ("jpg", {0: [2, 1], 1: [1, 2]})])
@pytest.mark.parametrize("cache_bytes", [0, None])
def test_what_is_kept_is_decoded_once_at_each_scale(
    tmp_path: Path, suffix: str, asked: dict[int, list[int]], cache_bytes: int | None
) -> None:
    """Held images and cached ones; a PNG has but one scale."""
    catalog = read(painted(tmp_path / "set", {"train": 1}, size=(400, 600), suffix=suffix))
    for first, expected in asked.items():
        seen: list[int] = []

        def noting(path: Path, by: int, seen: list[int] = seen) -> tuple[Pixels, int]:
            pixels, made_by = decode_by(path, by)
            seen.append(made_by)
            return pixels, made_by

        source = Source(catalog, (256, 256), cache_bytes, noting)
        source.hold([0])
        for index in (first, 1 - first, first, 1 - first):
            source.picture(0, index)
        assert seen == expected
        source.hold([])
        source.fill([0])
        assert (seen == expected) == (cache_bytes is None)


@pytest.mark.parametrize(("name", "times"), [("a.png", [2]), ("a.jpg", [1, 2])])
def test_a_file_is_decoded_once_at_each_scale_that_it_has(tmp_path: Path, name: str, times: list[int]) -> None:
    path, asked = picture(tmp_path / name, 400, 600), list[int]()

    def noting(path: Path, by: int) -> tuple[Pixels, int]:
        asked.append(by)
        return decode_by(path, by)

    both = dict(enumerate(levels(400, 600, (256, 256))))
    for _ in range(2):
        asked.clear()
        pictures(path, (400, 600), both, noting)
        assert sorted(asked) == times


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_an_image_that_is_now_as_large_as_its_reduction_is_refused(tmp_path: Path, name: str) -> None:
    path = picture(tmp_path / name, 100, 200)
    with pytest.raises(InputError, match=re.escape(f"{path}: the image is 200x100 pixels now, but was 400x200")):
        pictures(path, (200, 400), {0: Level(100, 200)})


def test_a_broken_image_names_its_row(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"train": 2}, size=(400, 600), suffix="jpg")
    catalog = read(root)
    picture(catalog.path(1), 200, 300)
    with pytest.raises(BrokenImage, match="the image is 300x200 pixels now, but was 600x400") as caught:
        Source(catalog, (256, 256), 0).picture(1, 0)
    assert caught.value.row == 1
