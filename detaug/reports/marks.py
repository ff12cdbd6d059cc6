"""Boxes and names drawn on a picture so that they are seen on any ground."""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.reports.colours import ink
from detaug.sample import Sample

Picture = NDArray[np.uint8]
Rectangle = tuple[int, int, int, int]

DARK = (16, 17, 20)
TEXT = 13  # height of letters with their room above, pixels
REACH = 4  # pixels that a drawn box reaches outwards: halo, two of line, halo
_PAD = 3
_CROWDED = 0.6  # a name that would hide more than this share of other things is left out


class Origin(IntEnum):
    """Where a box on an augmented picture came from."""

    OWN = 0
    MOSAIC = 1
    MIXUP = 2
    PASTE = 3


# Thickness and length of dashes, pixels; 0 is a whole line.
_LINES = {Origin.OWN: (2, 0), Origin.MOSAIC: (1, 0), Origin.MIXUP: (2, 2), Origin.PASTE: (2, 5)}


def draw_sample(
    sample: Sample, origins: NDArray[np.int64], names: Sequence[str], colours: NDArray[np.uint8], side: int
) -> Picture:
    """A copy of the image with its boxes, made smaller where a side is longer than `side`.

    Args:
        sample: the image and its boxes.
        origins: (N,) `Origin` of each box.
        names: class names.
        colours: (C, 3) RGB per class.
        side: longest side of what is made, pixels.
    """
    height, width = sample.image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA) if scale < 1 else sample.image
    picture = np.array(smaller, np.uint8)
    low = np.floor(sample.boxes[:, :2] * scale).astype(int)
    high = np.ceil(sample.boxes[:, 2:] * scale).astype(int)
    boxes = [inside((*l.tolist(), *h.tolist()), size) for l, h in zip(low, high, strict=True)]  # noqa: E741
    for box, label, origin in zip(boxes, sample.labels.tolist(), origins.tolist(), strict=True):
        draw_box(picture, box, colours[label], Origin(origin))
    tags = [shortened(names[label], size[0] // 2) for label in sample.labels.tolist()]
    for place, tag, label in zip(places(boxes, tags, size), tags, sample.labels.tolist(), strict=True):
        if place is not None:
            draw_tag(picture, place, tag, colours[label])
    return picture


def inside(box: Rectangle, size: tuple[int, int]) -> Rectangle:
    """A box moved inwards at the picture's border, so that its whole line is seen; `size` is width and height."""
    x1, y1 = (max(min(low, most - REACH - 1), REACH) for low, most in zip(box[:2], size, strict=True))
    x2, y2 = (min(high, most - REACH) for high, most in zip(box[2:], size, strict=True))
    return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


def draw_box(picture: Picture, box: Rectangle, colour: NDArray[np.uint8], origin: Origin) -> None:
    """Draw round a box (x1 y1 x2 y2, x2 outside), never over what it holds."""
    thick, dash = _LINES[origin]
    dash = min(dash, max(2, min(box[2] - box[0], box[3] - box[1]) // 4))
    for out in range(1, thick + 3):
        _ring(picture, box, out, DARK, 0)
    for out in range(2, thick + 2):
        _ring(picture, box, out, colour, dash)


def _ring(picture: Picture, box: Rectangle, out: int, colour: NDArray[np.uint8] | Sequence[int], dash: int) -> None:
    """A line one pixel wide, `out` pixels outside of a box."""
    x1, y1, x2, y2 = box[0] - out, box[1] - out, box[2] + out - 1, box[3] + out - 1
    height, width = picture.shape[:2]
    across = np.arange(max(x1, 0), min(x2 + 1, width))
    down = np.arange(max(y1, 0), min(y2 + 1, height))
    if dash:
        across = across[(across - box[0] + dash) // dash % 2 == 0]
        down = down[(down - box[1] + dash) // dash % 2 == 0]
    for y in (y1, y2):
        if 0 <= y < height:
            picture[y, across] = colour
    for x in (x1, x2):
        if 0 <= x < width:
            picture[down, x] = colour


def places(boxes: Sequence[Rectangle], tags: Sequence[str], size: tuple[int, int]) -> list[Rectangle | None]:
    """Where each name stands: beside its box, where it hides the least; None where there is no room.

    Args:
        boxes: what is drawn.
        tags: their names.
        size: width and height of the picture.
    """
    solid = [(b[0] - REACH, b[1] - REACH, b[2] + REACH, b[3] + REACH) for b in boxes]
    taken: list[Rectangle] = []
    found: list[Rectangle | None] = []
    for box, tag in zip(solid, tags, strict=True):
        best, least = None, _CROWDED
        for preference, place in enumerate(_beside(box, tag_size(tag), size)):
            hidden = (
                0.01 * preference + sum(_hidden(b, place) for b in solid) + 2 * sum(_hidden(t, place) for t in taken)
            )
            if hidden < least:
                best, least = place, hidden
        found.append(best)
        taken += [] if best is None else [best]
    return found


def _beside(box: Rectangle, tag: tuple[int, int], size: tuple[int, int]) -> list[Rectangle]:
    """Places for a tag (width, height) round a box, all inside the picture, the best-liked first."""
    wide, high = tag
    x1, y1, x2, y2 = box
    middle = (x1 + x2 - wide) // 2
    corners = [(x, y) for y in (y1 - high, y2) for x in (x1, x2 - wide, middle)]
    corners += [(x, y) for x in (x2, x1 - wide) for y in (y1, y2 - high)]
    kept = [(max(0, min(x, size[0] - wide)), max(0, min(y, size[1] - high))) for x, y in corners]
    return [(x, y, x + wide, y + high) for x, y in kept]


def _hidden(one: Rectangle, by: Rectangle) -> float:
    """The share of a rectangle that another one covers."""
    wide, high = min(one[2], by[2]) - max(one[0], by[0]), min(one[3], by[3]) - max(one[1], by[1])
    return max(wide, 0) * max(high, 0) / ((one[2] - one[0]) * (one[3] - one[1]))


def draw_tag(picture: Picture, place: Rectangle, tag: str, colour: NDArray[np.uint8]) -> None:
    """A name on a ground of its class's colour with a dark edge."""
    x1, y1, x2, y2 = place
    picture[y1:y2, x1:x2] = DARK
    picture[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] = colour
    write(picture, tag, (x1 + _PAD + 1, y2 - _PAD - 2), ink(colour))


def tag_size(tag: str) -> tuple[int, int]:
    """Width and height of a drawn name."""
    return text_width(tag) + 2 * _PAD + 2, TEXT + 4


def write(picture: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: int = TEXT) -> None:
    """Write one line; `at` is the left end of its base line. OpenCV's own fonts know most of the world's letters."""
    cv2.putText(picture, _printable(text), at, colour, _font(), size, 500)


def text_width(text: str, size: int = TEXT) -> int:
    """Width of a line in pixels."""
    return int(cv2.getTextSize((0, 0), _printable(text), (0, 0), _font(), size, 500)[2]) + 1


def shortened(text: str, width: int, size: int = TEXT) -> str:
    """A text that fits a width: what is too long loses its middle, since long names often differ at their end."""
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
        if text_width(short, size) <= width:
            return short
    return text[:1]


def _printable(text: str) -> str:
    """The text without line ends and without characters that UTF-8 cannot write."""
    return "".join(c if c.isprintable() else " " for c in text).encode("utf-8", "replace").decode("utf-8")


@lru_cache
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")
