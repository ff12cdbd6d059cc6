"""The only decoder: sizes from the header, pixels as upright RGB, and a clear error for every bad file."""

import os
import stat
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from detaug.errors import InputError
from detaug.readers.ending import Peek, is_whole, walk_png

LIMIT = 90_000_000  # pixels; a 125 kB PNG may ask for 3 GB of memory, and one of 12 kB for 300 MB
LARGEST_FILE = 1 << 30  # bytes
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM")
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".pnm"))
GREY = 128  # what shows through transparent pixels
_ORIENTATION = 0x0112  # the EXIF tag
_WIDE = ("I;16", "I;16B", "I;16L", "I")
_MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", *_WIDE))

Pixels = NDArray[np.uint8]


class ImageError(InputError):
    """An image that cannot be used; `kind` is `missing-`, `unreadable-`, `truncated-` or `too-large-image`."""

    def __init__(self, kind: str, path: Path, fault: str) -> None:
        super().__init__(f"{path}: {fault}.")
        self.kind = kind
        self.fault = fault


def header(path: str | Path) -> tuple[int, int]:
    """Height and width of the upright image in pixels, without decoding it.

    Raises:
        ImageError: the file is missing, no image, cut short or above `LIMIT` pixels.
    """
    path = Path(path)
    size = _file_size(path)
    try:
        with path.open("rb") as file:
            image, turn = _examine(path, file, partial(os.pread, file.fileno()), size)
            width, height = image.size
    except OSError as error:
        raise ImageError("unreadable-image", path, f"the file cannot be read ({error.strerror})") from error
    return (width, height) if turn >= 5 else (height, width)


def decode(path: str | Path) -> Pixels:
    """The image's pixels: (H, W, 3) uint8 RGB, contiguous, upright by EXIF.

    Transparent images are laid on mid grey: what lies hidden under full transparency is arbitrary, often black or a
    repeated edge, and a detector must not learn it. 16-bit values are divided by 257, which maps 65535 to 255.

    Raises:
        ImageError: the file is missing, no image, cut short or above `LIMIT` pixels.
    """
    return decode_by(path, 1)[0]


def decode_by(path: str | Path, by: int) -> tuple[Pixels, int]:
    """The image as `decode` gives it, divided while it is decoded if that is possible.

    JPEGs can be: from the low frequencies of each block come its means, and the high ones are never computed. What
    comes is nearly the mean of `by` x `by` pixels (50 dB on photographs), without their chroma being enlarged first.

    Args:
        path: the file.
        by: 1, 2, 4 or 8.

    Returns:
        (H, W, 3) uint8, and by what it was divided: `by`, or 1 for other files and for sides that it does not divide,
        since their last pixels would be made of what lies outside of the image.

    Raises:
        ImageError: as `decode` does.
    """
    path = Path(path)
    data, image, turn = opened(path)
    if image.width % by or image.height % by:
        by = 1
    try:
        pixels = _pixels(image, data, by)
    except Exception as error:  # decoders meet hostile bytes with errors of every class
        raise ImageError("unreadable-image", path, f"the image cannot be decoded ({error})") from error
    shape = (0, 0) if pixels is None else pixels.shape[:2]
    made_by = next((b for b in {by, 1} if shape == (image.height // b, image.width // b)), 0)
    if pixels is None or not made_by or pixels.shape[2:] != (3,):
        raise ImageError("unreadable-image", path, "the image cannot be decoded")
    return np.ascontiguousarray(upright(pixels, turn)), made_by


def opened(path: Path) -> tuple[bytes, ImageFile, int]:
    """A file's bytes, the image in them, opened but not decoded, and its EXIF orientation (1 to 8).

    Raises:
        ImageError: the file is missing, no image, cut short or above `LIMIT` pixels.
    """
    size = _file_size(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError("unreadable-image", path, f"the file cannot be read ({error.strerror})") from error
    image, turn = _examine(path, BytesIO(data), lambda count, at: data[at : at + count], size)
    return data, image, turn


def upright(pixels: Pixels, turn: int) -> Pixels:
    """Pixels (H, W, ...) turned and mirrored as the EXIF orientation `turn` (1 to 8) asks.

    >>> upright(np.array([[1, 2], [3, 4]], np.uint8), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    down = turn in (3, 4, 7, 8)
    across = turn in (2, 3, 6, 7)
    return pixels[:: -1 if down else 1, :: -1 if across else 1]


def _file_size(path: Path) -> int:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise ImageError("missing-image", path, "the image file is missing") from error
    if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
        raise ImageError("unreadable-image", path, "this is not a file")
    if status.st_size == 0:
        raise ImageError("unreadable-image", path, "the image file is empty")
    if status.st_size > LARGEST_FILE:
        raise ImageError("too-large-image", path, f"the file has {status.st_size} bytes")
    return status.st_size


def _examine(path: Path, file: BinaryIO, peek: Peek, size: int) -> tuple[ImageFile, int]:
    """The image, opened but not decoded, and its EXIF orientation."""
    try:
        image = Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too-large-image", path, f"the header asks for more than {LIMIT} pixels") from error
    except Exception as error:  # see decode
        raise ImageError("unreadable-image", path, f"this is no image of the kinds {', '.join(FORMATS)}") from error
    if image.width * image.height > LIMIT:
        raise ImageError("too-large-image", path, f"{image.width} x {image.height} is more than {LIMIT} pixels")
    if image.mode not in _MODES:
        raise ImageError("unreadable-image", path, f"images of mode {image.mode} are not supported")
    exif = None
    if image.format == "PNG":
        whole, exif = walk_png(peek)
    else:
        whole = is_whole(image, peek, size)
    if not whole:
        raise ImageError("truncated-image", path, "the image is cut short")
    return image, _orientation(image, exif)


def _orientation(image: Image.Image, exif: bytes | None) -> int:
    if exif is not None:
        image.info.setdefault("exif", exif)
    try:
        turn = Image.Image.getexif(image).get(_ORIENTATION, 1)  # PNG's own getexif would decode the whole image
    except Exception:  # broken EXIF is no reason to lose an image that every viewer shows
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _pixels(image: Image.Image, data: bytes, by: int) -> Pixels | None:
    """The pixels as stored, all or divided, or None where OpenCV gives up."""
    deep = image.format == "PNG" and data[24] == 16
    clear = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
    if image.format in ("JPEG", "MPO", "PNG") and image.mode in ("L", "RGB") and not (deep or clear):
        if image.format != "PNG":
            height, width = (image.height // by, image.width // by) if by > 1 else (0, 0)  # 0 asks for all
            with suppress(ValueError):  # the same pixels in less than half of OpenCV's time
                return np.asarray(
                    simplejpeg.decode_jpeg(data, "RGB", False, False, height, width, strict=False), np.uint8
                )
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        plain = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        return None if plain is None else plain.astype(np.uint8, copy=False)
    if deep:
        wide = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return None if wide is None else _from_wide(np.asarray(wide))
    if image.mode in _WIDE:
        return _from_wide(np.asarray(image).clip(0, 65535).astype(np.uint16))
    return _on_grey(np.asarray(image.convert("RGBA"))) if clear else np.asarray(image.convert("RGB"))


def _from_wide(wide: NDArray[np.generic]) -> Pixels:
    """(H, W), (H, W, 3) BGR or (H, W, 4) BGRA uint16 as (H, W, 3) uint8 RGB."""
    narrow = ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if narrow.ndim == 2:
        return np.repeat(narrow[..., None], 3, axis=2)
    if narrow.shape[2] == 3:
        return narrow[..., ::-1]
    return _on_grey(narrow[..., [2, 1, 0, 3]])


def _on_grey(rgba: Pixels) -> Pixels:
    alpha = rgba[..., 3:].astype(np.uint32)
    return ((rgba[..., :3] * alpha + GREY * (255 - alpha) + 127) // 255).astype(np.uint8)
