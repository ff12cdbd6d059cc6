"""Places of images cut out with what surrounds them, with what is there and what was found drawn round."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.readers.catalog import Catalog
from detaug.readers.image import ImageError, decode
from detaug.reports.marks import Origin, Picture, draw_box, draw_tag, inside, places, shortened

SIDE = 300  # pixels of a picture
TRUTH = np.array((86, 180, 233), np.uint8)  # Okabe and Ito's sky blue and orange
FOUND = np.array((230, 159, 0), np.uint8)
_CONTEXT = 3.0  # a cut-out is so many times as long as the longer side of its box
_SMALLEST = 64  # pixels of an image that a cut-out has at least
_QUALITY = 82


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A box to be drawn.

    Attributes:
        box: (4,) x1 y1 x2 y2 in pixels of the image, edges.
        name: the text beside it.
        truth: an annotation, drawn with a whole line; a detection is drawn with dashes.
    """

    box: NDArray[np.float32]
    name: str
    truth: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A picture of the page.

    Attributes:
        source: the picture itself, as an address that holds it.
        width: pixels.
        height: pixels.
        alt: what is to be seen.
        lines: what is said below it.
    """

    source: str
    width: int
    height: int
    alt: str
    lines: tuple[str, ...]


def card(catalog: Catalog, row: int, marks: Sequence[Mark], lines: Sequence[str], alt: str) -> Card | None:
    """The surroundings of the first mark's box, with all marks drawn; None where the image cannot be decoded.

    Args:
        catalog: the images.
        row: the image's row.
        marks: at least one.
        lines: what is said below.
        alt: what is to be seen.
    """
    try:
        image = decode(catalog.path(row))
    except ImageError:
        return None
    picture = cut_out(image, marks)
    return as_card(picture, lines, alt)


def as_card(picture: Picture, lines: Sequence[str], alt: str) -> Card:
    """A picture (H, W, 3) RGB with what is said of it."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    source = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
    return Card(source, picture.shape[1], picture.shape[0], alt, tuple(lines))


def cut_out(image: Picture, marks: Sequence[Mark], side: int = SIDE) -> Picture:
    """A square of an image round the first mark's box, `side` pixels long, with the marks drawn.

    Near the image's border it moves inwards; where the image is too small for it, it shows the whole of that side.

    Returns:
        (H, W, 3) uint8, neither side longer than `side`.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in marks[0].box)
    wanted = max(_CONTEXT * (x2 - x1), _CONTEXT * (y2 - y1), _SMALLEST)
    across, down = round(min(wanted, width)), round(min(wanted, height))
    left = round(min(max((x1 + x2 - across) / 2, 0), width - across))
    top = round(min(max((y1 + y2 - down) / 2, 0), height - down))
    scale = side / max(across, down)
    size = max(1, round(across * scale)), max(1, round(down * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.array(cv2.resize(image[top : top + down, left : left + across], size, interpolation=how), np.uint8)
    shift = np.array((left, top, left, top), np.float64)
    placed = []
    for mark in marks:
        box = (np.array(mark.box, np.float64) - shift) * scale
        corners = np.concatenate([np.floor(box[:2]), np.ceil(box[2:])]).astype(int).tolist()
        placed.append(inside((corners[0], corners[1], corners[2], corners[3]), size))
    for mark, rectangle in zip(marks, placed, strict=True):
        draw_box(picture, rectangle, TRUTH if mark.truth else FOUND, Origin.OWN if mark.truth else Origin.PASTE)
    tags = [shortened(mark.name, size[0] - 20) for mark in marks]
    for mark, tag, place in zip(marks, tags, places(placed, tags, size), strict=True):
        if place is not None and place[2] <= size[0] and place[3] <= size[1]:
            draw_tag(picture, place, tag, TRUTH if mark.truth else FOUND)
    return picture
