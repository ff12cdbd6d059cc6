"""The bank of donors: the pixels round each sign that may be pasted, so that no paste decodes a whole image.

It never changes a pixel: what it holds are pieces of the pictures that `Source` makes.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.readers.arrays import unpacked
from detaug.scenes.levels import Level

LEVELS = 2  # of an image, at most; see `detaug.scenes.levels`
_REACH = 8.0  # level pixels that a paste reads beyond its donor's box,
_REACH_SHARE = 0.75  # and more by this share of the box's longer side: turned by 15 degrees, halved, with a soft edge

Window = tuple[int, int, int, int]  # x1 y1 x2 y2, pixels


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A piece of a picture at one level.

    Attributes:
        rgb: (h, w, 3) uint8, read-only.
        left: its first column in the picture, replicated border included.
        top: its first row there.
    """

    rgb: NDArray[np.uint8]
    left: int
    top: int


class Bank:
    """The patches of D donors in a file that all processes map.

    A pickled bank is the file's path: another process maps it at its first paste, and reads the images themselves
    where the file is gone by then.

    Args:
        path: the file, as `detaug.render.bank_builder.bank_of` makes it.
        key: what the file must have been made of.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self._patches: _Patches | None = None
        self._opened = False

    def __reduce__(self) -> tuple[type["Bank"], tuple[Path, str]]:
        return Bank, (self.path, self.key)

    @property
    def boxes(self) -> NDArray[np.int64]:
        """(D,) rows of the catalog's boxes whose patches it holds, rising."""
        patches = self._mapped()
        return np.empty(0, np.int64) if patches is None else patches.box[patches.held != 0]

    def opened(self) -> bool:
        """Map the file now; whether it is there, whole and made of what it must be."""
        return self._mapped() is not None

    def patch(self, box: int, image: int, index: int) -> Patch | None:
        """What is held round a donor's box at one level of its image; None where nothing is.

        Args:
            box: the donor's row among the catalog's boxes.
            image: the catalog row of its image.
            index: the level.
        """
        patches = self._mapped()
        return None if patches is None else patches.patch(box, image, index)

    def _mapped(self) -> "_Patches | None":
        if not self._opened:
            self._patches, self._opened = _Patches.read(self.path, self.key), True
        return self._patches


@dataclass(frozen=True, slots=True, eq=False)
class _Patches:
    """The file's arrays.

    Attributes:
        box: (D,) int64, rising.
        image: (D,) int64.
        window: (D, LEVELS, 4) int32, x1 y1 x2 y2 in the picture; all zero where the image has no such level.
        pixels: (P,) uint8, the windows' rgb one after the other.
        held: (D,) uint8, 0 where the image could not be decoded.
        starts: (D, LEVELS) int64, where each window begins in `pixels`.
    """

    box: NDArray[np.int64]
    image: NDArray[np.int64]
    window: NDArray[np.int32]
    pixels: NDArray[np.uint8]
    held: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path, key: str) -> "_Patches | None":
        """The file's content; None where it is not there, not whole, or of another key."""
        content = unpacked(path)
        if content is None or content[0].get("key") != key:
            return None
        arrays: dict[str, NDArray[Any]] = content[1]
        try:
            box, image, window, pixels, held = (arrays[n] for n in ("box", "image", "window", "pixels", "held"))
        except LookupError:
            return None
        kinds = [a.dtype.str for a in (box, image, window, pixels, held)]
        shapes = image.shape == held.shape == box.shape == (len(box),) and window.shape == (len(box), LEVELS, 4)
        if kinds != ["<i8", "<i8", "<i4", "|u1", "|u1"] or not shapes or pixels.ndim != 1:
            return None
        if (window[..., :2] < 0).any() or (window[..., 2:] < window[..., :2]).any() or (np.diff(box) <= 0).any():
            return None
        # In floats: whole numbers that a forger chose could overflow to the right sum.
        if 3 * (window[..., 2:] - window[..., :2]).prod(-1, dtype=np.float64).sum() != len(pixels):
            return None
        each = sizes(window)
        starts = np.cumsum(each).reshape(each.shape) - each
        return cls(box, image, window, pixels, held, starts)

    def patch(self, box: int, image: int, index: int) -> Patch | None:
        """See `Bank.patch`."""
        at = int(np.searchsorted(self.box, box))
        if at == len(self.box) or self.box[at] != box or self.image[at] != image or not self.held[at]:
            return None
        x1, y1, x2, y2 = self.window[at, index].tolist()
        start, height, width = int(self.starts[at, index]), y2 - y1, x2 - x1
        rgb = self.pixels[start : start + 3 * height * width].reshape(height, width, 3)
        return Patch(rgb, x1, y1)


def sizes(window: NDArray[np.int32]) -> NDArray[np.int64]:
    """(D, LEVELS) bytes that windows (D, LEVELS, 4) take.

    >>> sizes(np.array([[[1, 1, 3, 2], [0, 0, 0, 0]]], np.int32)).tolist()
    [[6, 0]]
    """
    each: NDArray[np.int64] = 3 * (window[..., 2:] - window[..., :2]).prod(-1, dtype=np.int64)
    return each


def window_of(box: tuple[float, float, float, float], image: tuple[int, int], level: Level, pad: int) -> Window:
    """What is kept round a box: x1 y1 x2 y2 in the picture of a level.

    Args:
        box: x1 y1 x2 y2 in source pixels.
        image: height and width of the image.
        level: the level's size.
        pad: replicated pixels round it.

    >>> window_of((100.0, 100.0, 140.0, 180.0), (800, 800), Level(400, 400), 2)
    (14, 14, 110, 130)
    """
    across, down = level.width / image[1], level.height / image[0]
    x1, y1, x2, y2 = box[0] * across + pad, box[1] * down + pad, box[2] * across + pad, box[3] * down + pad
    reach = _REACH + _REACH_SHARE * max(x2 - x1, y2 - y1)
    return (
        max(0, math.floor(x1 - reach)),
        max(0, math.floor(y1 - reach)),
        min(level.width + 2 * pad, math.ceil(x2 + reach)),
        min(level.height + 2 * pad, math.ceil(y2 + reach)),
    )
