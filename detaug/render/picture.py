"""Images at the sizes that rendering needs: decoded, reduced once, with a replicated border."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.image import Coded, Pixels
from detaug.render.memory import Memory, apart
from detaug.scenes.levels import Level

_SHARP = 1.3  # source pixels a pixel; under it linear samples would be blurred by half
_PLAIN = 1.5  # under it one linear sample blurs somewhat more than the mean of what is covered
_MANY = 2.3  # from it on samples are so far apart that cubic ones would have more aliases than sharpness
_DIVISORS = 8, 4, 2
PAD = 2  # replicated pixels all round, so that a tile can reach under its neighbour


class Opened(Protocol):
    """What is needed of a file; `Coded` is one."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""

    @property
    def divides(self) -> bool:
        """Whether it can be decoded at a reduced scale."""

    def decode(self, by: int = 1) -> Pixels:
        """Its pixels, divided by 1, 2, 4 or 8."""


Opener = Callable[[Path], Opened]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image at one level.

    Attributes:
        rgb: (h + 2 PAD, w + 2 PAD, 3) uint8, its border replicated.
        scale_x: level pixels per source pixel.
        scale_y: the same vertically; the two differ a little, since sizes are whole.
        fill: makes the part x1 y1 x2 y2 of `rgb`, where pixels are made only when asked for; else None.
        left: 0, or for a piece of a picture its first column in the whole `rgb`.
        top: its first row, likewise.
    """

    rgb: NDArray[np.uint8]
    scale_x: float
    scale_y: float
    fill: Callable[[int, int, int, int], None] | None = None
    left: int = 0
    top: int = 0

    def holds(self, window: tuple[int, int, int, int]) -> bool:
        """Whether a window x1 y1 x2 y2 of the whole picture lies in it."""
        height, width = self.rgb.shape[:2]
        x1, y1, x2, y2 = window
        return x1 >= self.left and y1 >= self.top and x2 <= self.left + width and y2 <= self.top + height

    def window(self, x1: int, y1: int, x2: int, y2: int) -> NDArray[np.uint8]:
        """The columns from `x1` to before `x2` of the rows from `y1` to before `y2` of `rgb`.

        Raises:
            InputError: they cannot be decoded.
        """
        if self.fill is not None:
            self.fill(x1, y1, x2, y2)
        return self.rgb[y1:y2, x1:x2]


def pictures(
    path: Path,
    size: tuple[int, int],
    levels: Sequence[Level],
    needed: Collection[int],
    open_file: Opener = Coded,
    more: bool = True,
    memory: Memory = apart,
) -> dict[int, Picture]:
    """A file's image at some levels; each a function of the file and the level alone, whichever are made with it.

    Args:
        path: the file.
        size: height and width that the image must have.
        levels: all levels of such an image.
        needed: which of them are made.
        open_file: how the file is read.
        more: whether others are made as well where they take no further decoding.
        memory: gives room for their pixels.

    Raises:
        InputError: the file cannot be decoded, or has another size.
    """
    coded = open_file(path)
    if coded.size != size:
        raise InputError(
            f"{path}: the image is {coded.size[1]}x{coded.size[0]} pixels now, "
            f"but was {size[1]}x{size[0]} when the dataset was read."
        )
    by = [divisor(size, level) if coded.divides else 1 for level in levels]
    made = {}
    for scale in sorted({by[i] for i in needed}):
        pixels = coded.decode(scale)
        for i, level in enumerate(levels):
            if by[i] == scale and (more or i in needed):
                rgb = resized(pixels, level.height, level.width, memory)
                made[i] = Picture(rgb, level.width / size[1], level.height / size[0])
    return made


def divisor(size: tuple[int, int], level: Level) -> int:
    """By what the decoder may divide an image of a size, 1, 2, 4 or 8, so that a level is made of it as well as before.

    >>> [divisor((800, 1360), level) for level in (Level(564, 960), Level(376, 640), Level(188, 320))]
    [1, 2, 4]
    """
    for by in _DIVISORS:
        rest = min(size[0] / level.height, size[1] / level.width) / by
        if rest >= 1 and not _SHARP <= rest < _PLAIN and not any(side % by for side in size):
            return by
    return 1


def resized(image: Pixels, height: int, width: int, memory: Memory = apart) -> Pixels:
    """The image (H, W, 3) reduced to a size, with its replicated border: (height + 2 PAD, width + 2 PAD, 3).

    One sample a pixel where the two sizes are near each other, cubic or linear; else a pixel is the mean of 2 x 2 or
    more samples, at most two source pixels apart along each side. That is sharper than the mean of all that the pixel
    covers, lets somewhat more through of what is too fine to show (`python -m benchmarks.sharpness` has both), and
    takes less time than OpenCV's.

    Args:
        image: what is reduced.
        height: pixels, without the border.
        width: likewise.
        memory: gives room for it.
    """
    shape = (height + 2 * PAD, width + 2 * PAD, 3)
    padded: Pixels = memory(shape)
    inside = padded[PAD:-PAD, PAD:-PAD]
    if (height, width) == image.shape[:2]:
        inside[:] = image
    else:
        samples, kind = _samples(max(image.shape[0] / height, image.shape[1] / width))
        if samples > 1:
            image = cv2.resize(image, (samples * width, samples * height), interpolation=kind)  # type: ignore[assignment]
        cv2.resize(image, (width, height), dst=inside, interpolation=kind if samples == 1 else cv2.INTER_AREA)
    padded[:PAD, PAD:-PAD], padded[-PAD:, PAD:-PAD] = inside[0], inside[-1]
    padded[:, :PAD], padded[:, -PAD:] = padded[:, PAD, None], padded[:, -PAD - 1, None]
    return padded


def _samples(ratio: float) -> tuple[int, int]:
    """Samples of a pixel along each side, and how they are taken, by the image's pixels to one of what is made."""
    if ratio < _PLAIN:
        return 1, cv2.INTER_CUBIC if ratio < _SHARP else cv2.INTER_LINEAR
    return (2, cv2.INTER_CUBIC) if ratio < _MANY else (2 * math.ceil(ratio / 4), cv2.INTER_LINEAR)
