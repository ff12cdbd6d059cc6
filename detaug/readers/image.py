"""The only decoder: sizes from the header, pixels as upright RGB, and a clear error for every bad file."""

import os
import stat
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from detaug.errors import InputError
from detaug.readers.ending import Peek, is_whole, walk_png
from detaug.readers.jpeg import is_divisible, jpeg_pixels

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
    """The image's pixels: (H, W, 3) uint8 RGB, contiguous, upright by EXIF; see `Coded.decode`.

    Raises:
        ImageError: the file is missing, no image, cut short, above `LIMIT` pixels, or cannot be decoded.
    """
    return Coded(path).decode()


class Coded:
    """An image file, read but not yet decoded.

    Args:
        path: the file.

    Attributes:
        path: the file.
        data: its bytes.
        image: the image in them, opened by Pillow but not decoded.
        turn: its EXIF orientation, 1 to 8.

    Raises:
        ImageError: the file is missing, no image, cut short or above `LIMIT` pixels.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        size = _file_size(self.path)
        try:
            data = self.path.read_bytes()
        except OSError as error:
            reason = f"the file cannot be read ({error.strerror})"
            raise ImageError("unreadable-image", self.path, reason) from error
        self.data = data
        self.image, self.turn = _examine(self.path, BytesIO(data), lambda count, at: data[at : at + count], size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright image."""
        width, height = self.image.size
        return (width, height) if self.turn >= 5 else (height, width)

    @property
    def divides(self) -> bool:
        """Whether `decode` can divide the image: a JPEG that `is_divisible`, with colour at one share of both sides.

        Where colour was halved along one side alone, it would be divided once more along the other.
        """
        if self.image.format not in ("JPEG", "MPO") or self.image.mode not in ("L", "RGB"):
            return False
        parts = [(int(layer[1]), int(layer[2])) for layer in getattr(self.image, "layer", ())]
        even = {(max(h for h, _ in parts) / h, max(v for _, v in parts) / v) for h, v in parts}
        return bool(parts) and all(x == y for x, y in even) and is_divisible(self.data)

    def decode(self, by: int = 1) -> Pixels:
        """The pixels, divided while they are decoded if that is asked for.

        Transparent images are laid on mid grey: what lies hidden under full transparency is arbitrary, often black or
        a repeated edge, and a detector must not learn it. 16-bit values are divided by 257, which maps 65535 to 255.
        A divided JPEG is nearly the mean of `by` x `by` pixels (42 dB and more on photographs): it is made of the
        blocks' low frequencies alone.

        Args:
            by: 1, or where the image `divides` also 2, 4 or 8, if both sides do without rest.

        Returns:
            (H / by, W / by, 3) uint8 RGB, contiguous, upright; not divided where that failed.

        Raises:
            ImageError: the image cannot be decoded.
        """
        try:
            pixels = _pixels(self.image, self.data, by)
        except Exception as error:  # decoders meet hostile bytes with errors of every class
            reason = f"the image cannot be decoded ({error})"
            raise ImageError("unreadable-image", self.path, reason) from error
        width, height = self.image.size
        if pixels is None or pixels.shape not in [(height // b, width // b, 3) for b in (by, 1)]:
            raise ImageError("unreadable-image", self.path, "the image cannot be decoded")
        return np.ascontiguousarray(upright(pixels, self.turn))


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
            found = jpeg_pixels(data, (image.height, image.width), by)
            if found is not None:
                return found
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
