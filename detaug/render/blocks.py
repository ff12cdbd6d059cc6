"""A level as small JPEGs, so that only those are decoded that a picture shows."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from detaug.render.picture import PAD

SIDE = 128  # pixels; JPEG's own blocks have 8, so the same pixels come out as from one JPEG of the whole

Pixels = NDArray[np.uint8]


def encoded(level: Pixels, quality: int) -> bytes:
    """A level (h + 2 PAD, w + 2 PAD, 3) without its border: where each block ends (uint32), then the blocks.

    Colour has the full resolution (4:4:4): of small signs it is all that is left.
    """
    inner = level[PAD:-PAD, PAD:-PAD]
    blocks = [
        simplejpeg.encode_jpeg(np.ascontiguousarray(inner[y : y + SIDE, x : x + SIDE]), quality, "RGB", "444")
        for y, x in _corners(*inner.shape[:2])
    ]
    return np.cumsum([len(block) for block in blocks]).astype("<u4").tobytes() + b"".join(blocks)


def divided(data: memoryview, height: int, width: int) -> list[memoryview]:
    """The blocks of a level of this size without the border.

    Raises:
        ValueError: it does not hold them.
    """
    count = len(list(_corners(height, width)))
    ends = [0, *np.frombuffer(data[: 4 * count], "<u4").tolist()]
    body = data[4 * count :]
    if len(ends) != count + 1 or ends[-1] > len(body) or ends != sorted(ends):
        raise ValueError("the blocks do not fit their level")
    return [body[first:last] for first, last in pairwise(ends)]


def _corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    """The upper left corner of each block, y and x, row by row."""
    return ((y, x) for y in range(0, height, SIDE) for x in range(0, width, SIDE))


class Blocks:
    """The pixels of a level, each block decoded when it is first asked for.

    Args:
        blocks: JPEGs of `SIDE` pixels a side, the last ones smaller, row by row.
        height: rows in all.
        width: columns.

    Attributes:
        pixels: (height + 2 PAD, width + 2 PAD, 3) uint8; what `fill` was not asked for is arbitrary.
    """

    def __init__(self, blocks: Sequence[memoryview], height: int, width: int) -> None:
        self._waiting = dict(zip(_corners(height, width), blocks, strict=True))
        self._height, self._width = height, width
        self.pixels: Pixels = np.empty((height + 2 * PAD, width + 2 * PAD, 3), np.uint8)

    def fill(self, x1: int, y1: int, x2: int, y2: int) -> None:
        """Make the columns from `x1` to before `x2` and the rows from `y1` to before `y2` of `pixels`.

        Raises:
            ValueError: a block is no JPEG of its size.
        """
        for y in _touched(y1, y2, self._height):
            for x in _touched(x1, x2, self._width):
                if (y, x) in self._waiting:
                    self._decode(y, x, self._waiting[y, x])
                    del self._waiting[y, x]

    def _decode(self, y: int, x: int, data: memoryview) -> None:
        """Decode one block, and make the border beside it."""
        rows, columns = min(SIDE, self._height - y), min(SIDE, self._width - x)
        if simplejpeg.decode_jpeg_header(data)[:2] != (rows, columns):
            raise ValueError("a block has another size")
        top, left, bottom, right = y + PAD, x + PAD, y + rows + PAD, x + columns + PAD
        pixels = self.pixels
        pixels[top:bottom, left:right] = simplejpeg.decode_jpeg(data, "RGB")
        if x == 0:
            left = 0
            pixels[top:bottom, :PAD] = pixels[top:bottom, PAD : PAD + 1]
        if x + columns == self._width:
            pixels[top:bottom, right:] = pixels[top:bottom, right - 1 : right]
            right += PAD
        if y == 0:
            pixels[:PAD, left:right] = pixels[PAD, left:right]
        if y + rows == self._height:
            pixels[bottom:, left:right] = pixels[bottom - 1, left:right]


def _touched(first: int, last: int, length: int) -> range:
    """Where the blocks begin that some rows or columns, counted with the border, lie in or beside."""
    low, high = min(max(first - PAD, 0), length - 1), min(max(last - PAD, 1), length)
    return range(low // SIDE * SIDE, high, SIDE)
