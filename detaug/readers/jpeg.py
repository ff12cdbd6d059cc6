"""JPEGs: how they are coded, and their pixels, whole or divided."""

import numpy as np
import simplejpeg
from numpy.typing import NDArray

_DIVISIBLE = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended and progressive, in Huffman's code or arithmetic
_FILLED = ("Corrupt JPEG data", "remature end", "Inconsistent progression")


def is_divisible(data: bytes) -> bool:
    """Whether a JPEG can be decoded at a reduced scale.

    Lossless ones have no frequencies to leave out: libjpeg would write their full rows into the smaller memory.
    """
    return frame(data) in _DIVISIBLE


def frame(data: bytes) -> int:
    """The marker of a JPEG's frame, which says how it is coded (ITU-T T.81, table B.1); 0 where none is found.

    >>> hex(frame(bytes.fromhex("ffd8 ffe00004abcd ffc2")))
    '0xc2'
    """
    at = 2
    while data[at : at + 1] == b"\xff" and at + 1 < len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # tables and an extension
            return marker
        if marker < 0xC0 or 0xD0 <= marker <= 0xDA:  # without a length, or where the pixels begin
            return 0
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            return 0
        at += 2 + length
    return 0


def jpeg_pixels(data: bytes, size: tuple[int, int], by: int) -> NDArray[np.uint8] | None:
    """A JPEG's pixels, all in less than half of OpenCV's time; None where they are better left to OpenCV.

    Without strictness the decoder is silent about errors that end it, too, and what it did not reach is whatever was in
    memory. So damage is passed over only where it is known to be of the kind that libjpeg fills.

    Args:
        data: the file.
        size: its height and width, as stored.
        by: 1, or where it `is_divisible` also 2, 4 or 8.

    Returns:
        (H, W, 3) or (H / by, W / by, 3) uint8 RGB.
    """
    height, width = (size[0] // by, size[1] // by) if by > 1 else (0, 0)  # 0 asks for all
    for strict in (True, False):
        try:
            found = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, strict=strict)
            return np.asarray(found, np.uint8)
        except ValueError as error:
            if not any(words in str(error) for words in _FILLED):
                return None
    return None
