"""Images decoded small and strictly: all of a file's data is read, and what is cut short or damaged inside is seen.

simplejpeg is used for JPEG: it is the one decoder here that passes on libjpeg's warnings. Pillow and OpenCV fill what
is missing with grey and say nothing where a cut file still has its end marker.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image
from PIL.ImageFile import ImageFile

from detaug.readers.image import GREY, Coded, ImageError, Pixels, upright
from detaug.readers.jpeg import is_divisible

SIDE = 64  # pixels; JPEGs are decoded at the smallest scale, down to 1/8, that keeps both sides above this
_STRAY = 64  # bytes between the pixels and the end marker that are no damage; some cameras write a few
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
_DAMAGES = ("Corrupt JPEG data", "Inconsistent progression")


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A small grey copy of an image.

    Attributes:
        digest: 16 bytes, the same for files of the same bytes.
        grey: (H, W) uint8, upright by EXIF, at full size or reduced.
    """

    digest: bytes
    grey: Pixels


def reduced(path: str | Path) -> Reduced:
    """Decode an image once, as cheaply as reading all of its data allows.

    Raises:
        ImageError: as `detaug.readers.image.header` does, and of the kind `truncated-image`, `damaged-image` or
            `unreadable-image` for what only decoding shows.
    """
    coded = Coded(path)
    path, data, image, turn = coded.path, coded.data, coded.image, coded.turn
    digest = hashlib.blake2b(data, digest_size=16).digest()
    if image.format in ("JPEG", "MPO"):
        fault = _jpeg_fault(data, image.mode)
        if isinstance(fault, str):
            kind = "truncated-image" if "remature end" in fault else "damaged-image"
            raise ImageError(kind, path, f"decoding shows damage ({fault})")
        if fault is not None:
            return Reduced(digest, upright(fault, turn))
    try:
        grey = _grey(image)
    except Exception as error:  # decoders meet hostile bytes with errors of every class
        kind = "truncated-image" if "truncated" in str(error) else "unreadable-image"
        raise ImageError(kind, path, f"the image cannot be decoded ({error})") from error
    return Reduced(digest, upright(grey, turn))


def _jpeg_fault(data: bytes, mode: str) -> Pixels | str | None:
    """The pixels, or libjpeg's warning; None where it cannot say, as with a kind of JPEG that it does not read."""
    try:
        return _jpeg(data, mode, strict=True)
    except ValueError as error:
        warning = str(error)
    stray = _EXTRANEOUS.search(warning)
    if "remature end" in warning or (stray is None and warning.startswith(_DAMAGES)):
        return warning
    if stray is not None:
        return warning if int(stray[1]) > _STRAY else _jpeg(data, mode, strict=False)
    return None


def _jpeg(data: bytes, mode: str, strict: bool) -> Pixels:
    space = "CMYK" if mode == "CMYK" else "GRAY"
    side = SIDE if is_divisible(data) else 0
    pixels = simplejpeg.decode_jpeg(data, space, True, True, side, side, strict=strict)
    if mode == "CMYK":  # stored inverted
        return np.asarray(Image.fromarray(255 - pixels, "CMYK").convert("L"))
    return np.asarray(pixels[..., 0], np.uint8)


def _grey(image: ImageFile) -> Pixels:
    image.load()  # raises where the data ends early
    if image.mode.startswith("I"):
        return (np.asarray(image).clip(0, 65535) // 257).astype(np.uint8)
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        ground = Image.new("RGBA", image.size, (GREY, GREY, GREY, 255))
        return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")).convert("L"))
    return np.asarray(image.convert("L"))
