import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from detaug.errors import InputError
from detaug.readers.image import GREY, LIMIT, ImageError, decode, header
from tests.readers.making import picture


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_pillow_turns_it(tmp_path: Path, orientation: int, suffix: str) -> None:
    options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    path = picture(tmp_path / f"a.{suffix}", 24, 40, exif=turned(orientation), **options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    pixels = decode(path)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).max() <= 2
    assert header(path) == pixels.shape[:2]


def test_orientation_after_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 24, 40)
    data = path.read_bytes()
    exif = turned(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    path.write_bytes(data[:-12] + chunk + data[-12:])
    assert header(path) == decode(path).shape[:2] == (40, 24)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGB", "png"), ("L", "png"), ("P", "png"), ("1", "png"),
     ("RGB", "bmp"), ("L", "bmp"), ("P", "bmp"), ("RGB", "ppm"), ("L", "pgm"), ("RGB", "webp")],
)  # fmt: skip
def test_modes_as_pillow_converts_them(tmp_path: Path, mode: str, suffix: str) -> None:
    path = picture(tmp_path / f"a.{suffix}", mode=mode)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    pixels = decode(path)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.abs(pixels - expected).max() <= 2
    assert header(path) == (40, 60)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_images_lie_on_grey(tmp_path: Path, mode: str) -> None:
    alpha = np.zeros((8, 9), np.uint8)
    alpha[:, 3:] = 255
    rgb = np.full((8, 9, 3), 10, np.uint8)
    if mode == "P":
        image = Image.fromarray((alpha > 0).astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 10, 10, 10])
        image.save(tmp_path / "a.png", transparency=0)
    else:
        Image.fromarray(np.dstack([rgb, alpha])).convert(mode).save(tmp_path / "a.png")
    pixels = decode(tmp_path / "a.png")
    assert (pixels[:, :3] == GREY).all()
    assert (pixels[:, 3:] == 10).all()


def test_half_transparent_pixels_are_mixed(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 51)).save(tmp_path / "a.png")
    red, green, blue = decode(tmp_path / "a.png")[0, 0].astype(float)
    assert red == pytest.approx(0.2 * 255 + 0.8 * GREY, abs=1)
    assert green == blue == pytest.approx(0.8 * GREY, abs=1)


def test_sixteen_bits_are_divided_by_257(tmp_path: Path) -> None:
    wide = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (decode(tmp_path / "a.png")[..., 1] == np.rint(wide / 257)).all()


def test_sixteen_bit_colour_keeps_its_channels(tmp_path: Path) -> None:
    line = b"\0" + struct.pack(">6H", 257 * 200, 257 * 100, 0, 65535, 0, 257)
    parts = {b"IHDR": struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(line), b"IEND": b""}
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts.items()]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert decode(tmp_path / "a.png").tolist() == [[[200, 100, 0], [255, 0, 1]]]


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    for name in ("a.png", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert (decode(tmp_path / name)[0, 0] == (255, 0, 0)).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "ppm"])
def test_cut_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = picture(tmp_path / f"a.{suffix}", 200, 300)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    for use in (header, decode):
        with pytest.raises(ImageError, match=f"a.{suffix}") as caught:
            use(path)
        assert caught.value.kind in ("truncated-image", "unreadable-image")


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(tmp_path: Path) -> None:
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "JPEG")
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + small.getvalue()
    path = picture(tmp_path / "a.jpg", 200, 300, exif=exif)
    assert header(path) == (200, 300)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match="cut short"):
        header(path)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("tail", [b"\0" * 5000, b"more bytes" * 100])
def test_bytes_after_the_end_do_not_matter(tmp_path: Path, suffix: str, tail: bytes) -> None:
    path = picture(tmp_path / f"a.{suffix}")
    before = decode(path)
    path.write_bytes(path.read_bytes() + tail)
    assert header(path) == (40, 60)
    assert (decode(path) == before).all()


@pytest.mark.parametrize(
    "data", [b"", b"<html>404</html>", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 50]
)
def test_what_is_no_image_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    for use in (header, decode):
        with pytest.raises(ImageError, match=r"a\.jpg") as caught:
            use(tmp_path / "a.jpg")
        assert caught.value.kind == "unreadable-image"


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        header(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="not a file"):
        header(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 16_000, 60_000])
def test_bombs_are_refused_by_their_header(tmp_path: Path, side: int) -> None:
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\0" * 16)
    for use in (header, decode):
        with pytest.raises(ImageError, match=str(LIMIT)) as caught:
            use(tmp_path / "a.png")
        assert caught.value.kind == "too-large-image"


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_damaged_bytes_decode_or_name_the_file(tmp_path: Path, suffix: str) -> None:
    rng = np.random.Generator(np.random.Philox(1))
    path = picture(tmp_path / f"a.{suffix}")
    data = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(60):
        damaged = data.copy()
        places = rng.integers(2, len(data), 8)
        damaged[places] = rng.integers(0, 256, 8)
        path.write_bytes(damaged.tobytes())
        try:
            pixels = decode(path)
        except ImageError as error:
            pixels = None
            refusal = str(error)
        assert str(path) in refusal if pixels is None else pixels.shape[:2] == header(path)


def test_a_single_pixel(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "a.ppm"):
        path = picture(tmp_path / name, 1, 1)
        assert header(path) == (1, 1)
        assert decode(path).shape == (1, 1, 3)


def test_a_gif_is_refused_by_name(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (9, 9), "red")])
    for use in (header, decode):
        with pytest.raises(ImageError, match=r"a\.gif: this is no image of the kinds JPEG"):
            use(tmp_path / "a.gif")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_file_with_another_behind_it_gives_an_image_or_an_error(tmp_path: Path, share: float) -> None:
    data = picture(tmp_path / "a.jpg", 200, 300).read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: int(len(data) * share)] + b"\0" * 3_000_000)
    with pytest.raises(ImageError, match="cut short"):
        header(tmp_path / "a.jpg")


def test_the_end_of_a_long_file_is_found_across_windows(tmp_path: Path) -> None:
    data = picture(tmp_path / "a.jpg", 200, 300).read_bytes()
    (tmp_path / "a.jpg").write_bytes(data + b"x" * 3_000_000)
    assert header(tmp_path / "a.jpg") == (200, 300)
