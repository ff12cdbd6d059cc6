import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detaug.readers.image import LIMIT, ImageError, decode, header
from detaug.readers.reduced import SIDE, reduced
from tests.readers.textures import texture, textured

EOI = b"\xff\xd9"


def fault(path: Path) -> str:
    with pytest.raises(ImageError, match=path.name) as caught:
        reduced(path)
    return caught.value.kind


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGB", "png"), ("L", "png"), ("P", "png"), ("1", "png"),
     ("RGBA", "png"), ("LA", "png"), ("I;16", "png"), ("RGB", "bmp"), ("RGB", "ppm"), ("L", "pgm"), ("RGB", "webp")],
)  # fmt: skip
def test_it_shows_what_the_decoder_shows(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if mode == "I;16":
        Image.fromarray(texture(1)[..., 0].astype(np.uint16) * 257).save(path)
    else:
        textured(path, 1, mode=mode)
    small = reduced(path)
    height, width = small.grey.shape
    expected = Image.fromarray(decode(path)).convert("L").resize((width, height), Image.Resampling.BOX)
    assert np.abs(small.grey.astype(float) - np.asarray(expected)).mean() < 3
    assert small.digest == hashlib.blake2b(path.read_bytes(), digest_size=16).digest()


def test_hidden_colours_do_not_show(tmp_path: Path) -> None:
    hidden = np.dstack([texture(1), np.zeros((120, 160), np.uint8)])
    Image.fromarray(hidden).save(tmp_path / "a.png")
    assert np.ptp(reduced(tmp_path / "a.png").grey) == 0


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(800, 1360), (70, 300), (20, 9)])
def test_large_jpegs_are_decoded_small(tmp_path: Path, size: tuple[int, int], progressive: bool) -> None:
    small = reduced(textured(tmp_path / "a.jpg", 2, *size, progressive=progressive))
    assert min(small.grey.shape) >= min(SIDE, *size)
    assert small.grey.size <= max(size[0] * size[1] / 64 + size[0] + size[1], size[0] * size[1])
    assert size[0] < 800 or small.grey.shape == (100, 170)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = textured(tmp_path / "a.jpg", 3, exif=exif)
    grey = reduced(path).grey
    full = Image.fromarray(decode(path)).convert("L").resize(grey.shape[::-1], Image.Resampling.BOX)
    assert grey.shape[0] / grey.shape[1] == pytest.approx(header(path)[0] / header(path)[1])
    assert np.abs(grey.astype(float) - np.asarray(full)).mean() < 3


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_jpeg_whose_end_marker_was_put_back(tmp_path: Path, share: float, progressive: bool) -> None:
    path = textured(tmp_path / "a.jpg", 4, 200, 300, progressive=progressive)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)] + EOI)
    assert header(path) == (200, 300)  # neither the header nor OpenCV sees it
    assert decode(path).shape == (200, 300, 3)
    assert fault(path) == "truncated-image"


def test_a_cut_png_whose_end_was_put_back(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.png", 5)
    at = (data := path.read_bytes()).index(b"IDAT") - 4
    kept = data[at + 8 : at + 1000]
    chunk = struct.pack(">I", len(kept)) + b"IDAT" + kept + struct.pack(">I", zlib.crc32(b"IDAT" + kept))
    path.write_bytes(data[:at] + chunk + data[-12:])
    assert header(path) == (120, 160)
    assert fault(path) == "truncated-image"


def test_few_stray_bytes_are_no_damage_and_many_are(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.jpg", 6)
    data = path.read_bytes()
    whole = reduced(path).grey
    path.write_bytes(data[:-2] + b"\x11" * 40 + EOI)
    assert (reduced(path).grey == whole).all()
    path.write_bytes(data[:-2] + b"\x11" * 400 + EOI)
    assert fault(path) == "damaged-image"


def test_bytes_after_the_end_do_not_matter(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.jpg", 6)
    whole = reduced(path).grey
    path.write_bytes(path.read_bytes() + b"\0" * 5000)
    assert (reduced(path).grey == whole).all()


@pytest.mark.parametrize("progressive", [False, True])
def test_damaged_bytes_decode_or_name_the_file(tmp_path: Path, progressive: bool) -> None:
    rng = np.random.Generator(np.random.Philox(1))
    path = textured(tmp_path / "a.jpg", 7, progressive=progressive)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    refused = 0
    for _ in range(80):
        damaged = data.copy()
        damaged[rng.integers(2, len(data), 8)] = rng.integers(0, 256, 8)
        path.write_bytes(damaged.tobytes())
        try:
            refusal = "" if reduced(path).grey.ndim == 2 else "no grey image"
        except ImageError as error:
            refusal = str(error)
        assert refusal == "" or str(path) in refusal
        refused += refusal != ""
    assert refused > 20


def test_bombs_and_what_is_no_image_are_refused_by_their_header(tmp_path: Path) -> None:
    wide = io.BytesIO()
    Image.new("L", (8, 8)).save(wide, "JPEG")
    data = bytearray(wide.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ImageError, match=str(LIMIT)):
        reduced(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"<html>404</html>")
    assert fault(tmp_path / "b.jpg") == "unreadable-image"
    assert fault(tmp_path / "c.jpg") == "missing-image"
