"""Images decoded at a reduced scale: the same places, as sharp, and never another pixel by what is kept."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from detaug.errors import InputError
from detaug.readers.image import Coded, ImageError, Pixels, decode
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


def jpeg(path: Path, image: Pixels, *flags: int) -> Path:
    """A file as OpenCV writes it."""
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95, *flags])
    return path


def lossless(path: Path, height: int, width: int, parts: bytes) -> Path:
    """A lossless JPEG (ITU-T T.81, annex H) of mid grey: each sample is as predicted, which takes one bit."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    layers = b"".join(bytes((part, 0x11, 0)) for part in parts)
    chosen = b"".join(bytes((part, 0)) for part in parts)
    segments = {
        0xC4: bytes(1) + bytes((1, *[0] * 15)) + bytes(1),
        0xC3: b"\x08" + size + bytes((len(parts),)) + layers,
        0xDA: bytes((len(parts),)) + chosen + b"\x01\x00\x00",
    }
    head = b"".join(bytes((0xFF, m)) + (len(s) + 2).to_bytes(2, "big") + s for m, s in segments.items())
    path.write_bytes(b"\xff\xd8" + head + bytes(-(-height * width * len(parts) // 8)) + b"\xff\xd9")
    return path


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("by", [2, 4, 8])
@pytest.mark.parametrize(("mode", "options"), [("RGB", {}), ("L", {}), ("RGB", {"progressive": True})])
def test_what_is_divided_is_the_mean_and_upright(
    tmp_path: Path, by: int, mode: str, options: dict[str, Any], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = textured(tmp_path / "a.jpg", 1, 96, 160, mode, quality=95, exif=exif, **options)
    coded = Coded(path)
    assert coded.divides
    pixels, expected = coded.decode(by), mean_of(decode(path), by)
    assert pixels.flags.c_contiguous
    assert pixels.shape == expected.shape == (coded.size[0] // by, coded.size[1] // by, 3)
    assert np.abs(pixels - expected).mean() < 1
    with Image.open(path) as image:
        assert coded.size == ImageOps.exif_transpose(image).size[::-1]


@pytest.mark.parametrize(
    ("sampling", "divides"),
    [
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, True),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, True),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, False),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, False),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, False),
    ],
)
def test_colour_is_never_divided_twice(tmp_path: Path, sampling: int, divides: bool) -> None:
    """Of stripes of colour along both sides."""
    image = np.full((96, 160, 3), 128, np.uint8)
    image[::8, :, 0], image[:, ::8, 2] = 255, 20
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)
    path = jpeg(tmp_path / "a.jpg", image, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)
    assert Coded(path).divides == divides
    small = resized(Coded(path).decode(2 if divides else 1), 48, 80)[PAD:-PAD, PAD:-PAD]
    assert np.abs(small - mean_of(decode(path), 2)).mean() < 2


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.bmp"])
def test_other_files_are_not_divided(tmp_path: Path, name: str) -> None:
    assert not Coded(picture(tmp_path / name, 96, 160)).divides
    assert not Coded(picture(tmp_path / "b.jpg", 96, 160, "CMYK")).divides


@pytest.mark.parametrize("parts", [b"RGB", b"\x01"], ids=["colour", "grey"])
def test_a_lossless_jpeg_is_decoded_whole(tmp_path: Path, parts: bytes) -> None:
    """In a process of its own: at a reduced scale libjpeg would write beyond the memory that it is given."""
    path = lossless(tmp_path / "a.jpg", 96, 160, parts)
    code = f"""
from pathlib import Path
from detaug.readers.image import Coded, ImageError
from detaug.readers.reduced import reduced
from detaug.render.picture import pictures
from detaug.scenes.levels import levels
path = Path({str(path)!r})
assert not Coded(path).divides
try:
    made = pictures(path, (96, 160), levels(96, 160, (40, 40)), (0, 1))
    assert len(made) == 2 and all((picture.rgb == 128).all() for picture in made.values())
except ImageError:  # no decoder here makes colours of a grey one
    assert {len(parts)} == 1
assert (reduced(path).grey == 128).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_damage_gives_the_same_pixels_each_time_or_an_error(tmp_path: Path) -> None:
    """Progressive files with bytes changed at random: what the decoder gives up on was once whatever lay in memory."""
    path = textured(tmp_path / "whole.jpg", 3, 96, 128, progressive=True)
    data, rng = path.read_bytes(), np.random.default_rng(8)
    outcomes = Counter[str]()
    for number in range(150):
        spoilt = bytearray(data)
        for at in rng.integers(200, len(data) - 2, 4):
            spoilt[at] = rng.integers(256)
        bad = tmp_path / f"{number}.jpg"
        bad.write_bytes(spoilt)
        for by in (1, 2):
            try:
                first, *others = (Coded(bad).decode(by) for _ in range(3))
            except ImageError as error:
                assert bad.name in str(error)  # noqa: PT017
                outcomes["refused"] += 1
                continue
            assert all(np.array_equal(first, other) for other in others)
            outcomes["decoded"] += 1
            np.empty(10**6, np.uint8).fill(number)  # what the next one would find
    assert min(outcomes.values()) > 0
    assert len(outcomes) == 2


@needs_real
def test_photographs_are_divided_to_their_means() -> None:
    found = sorted((REAL / "data" / "road_signs").rglob("*.jpg"))[:12]
    compared = 0
    for path in found:
        coded = Coded(path)
        assert coded.divides
        for by in (2, 4):
            if not any(side % by for side in coded.size):
                error = np.square(coded.decode(by) - mean_of(decode(path), by)).mean()
                assert 10 * np.log10(255**2 / error) > 40, path
                compared += 1
    assert compared > 12


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
    made = pictures(path, (800, 1360), levels(800, 1360, (640, 640)), (0,))[0].rgb[PAD:-PAD, PAD:-PAD]
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


@pytest.mark.parametrize("ratio", [1.25, 1.42, 1.6, 2.1, 2.6, 3.5, 5.2])
def test_what_is_too_fine_to_show_is_not_shown_otherwise(ratio: float) -> None:
    """Stripes of up to 0.7 of the sampling rate, of which 0.5 can be shown: a good part must be gone."""
    side, stripes = 480, min(0.7 / ratio, 0.45)
    wave = 127 + 100 * np.sin(2 * np.pi * stripes * (np.arange(side) + 0.3))
    image = np.repeat(np.tile(np.rint(wave).astype(np.uint8), (side, 1))[..., None], 3, 2)
    made = resized(image, round(side / ratio), round(side / ratio))[PAD:-PAD, PAD:-PAD, 0]
    assert made[:, 4:-4].std() < 0.75 * wave.std()


def test_what_is_kept_or_made_with_it_never_changes_a_pixel_of_files(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"train": 6}, size=(400, 600), suffix="jpg")
    catalog = read(root)
    ground = stage(catalog, size=(256, 256))
    sources = [Source(catalog, ground.size, kept) for kept in (0, 300_000, None)]
    sizes = levels(400, 600, ground.size)
    assert {divisor((400, 600), level) for level in sizes} == {1, 2}
    for row in range(len(catalog)):
        together = pictures(catalog.path(row), (400, 600), sizes, (0, 1))
        for index in (0, 1):
            alone = pictures(catalog.path(row), (400, 600), sizes, (index,), more=False)
            assert list(alone) == [index]
            np.testing.assert_array_equal(alone[index].rgb, together[index].rgb)
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
    seen: list[int] = []

    class Noted(Coded):
        def decode(self, by: int = 1) -> Pixels:
            seen.append(by)
            return super().decode(by)

    for first, expected in asked.items():
        seen.clear()
        source = Source(catalog, (256, 256), cache_bytes, Noted)
        source.hold([0])
        for index in (first, 1 - first, first, 1 - first):
            source.picture(0, index)
        assert seen == expected
        source.hold([])
        source.fill([0])
        assert (seen == expected) == (cache_bytes is None)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_an_image_that_is_now_as_large_as_its_reduction_is_refused(tmp_path: Path, name: str) -> None:
    path = picture(tmp_path / name, 100, 200)
    with pytest.raises(InputError, match=re.escape(f"{path}: the image is 200x100 pixels now, but was 400x200")):
        pictures(path, (200, 400), (Level(100, 200),), (0,))


def test_a_broken_image_names_its_row(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"train": 2}, size=(400, 600), suffix="jpg")
    catalog = read(root)
    picture(catalog.path(1), 200, 300)
    with pytest.raises(BrokenImage, match="the image is 300x200 pixels now, but was 600x400") as caught:
        Source(catalog, (256, 256), 0).picture(1, 0)
    assert caught.value.row == 1
