"""How large images are: what headers say, what annotations say, what boxes need."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detaug.readers.content import number
from detaug.readers.image import ImageError, header

Size = tuple[int, int]  # height and width, pixels

MOST_SIDE = 100_000  # pixels that a box may make an image of unknown size reach
_THREADS = 8  # headers are read in 60 us each; what the threads hide is the latency of disks and networks


def headers(paths: Sequence[Path]) -> list[Size | ImageError]:
    """Height and width of each upright image, or why it cannot be used."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_header, paths, chunksize=64))


def usable(height: object, width: object) -> Size | None:
    """A size as an annotation states it, or None where it is none.

    >>> usable("400", 300.0), usable(0, 0), usable(None, "wide")
    ((400, 300), None, None)
    """
    sides = number(height), number(width)
    return (int(sides[0]), int(sides[1])) if all(1 <= side < 1e9 for side in sides) else None


def reached(corners: NDArray[np.float64], owners: NDArray[np.int64], images: int) -> NDArray[np.float64]:
    """(M, 2) the height and width that the boxes of each image reach, up to `MOST_SIDE`.

    Args:
        corners: (N, 2) x2 y2 of the boxes in pixels, anything may stand there.
        owners: (N,) the image of each box.
        images: M.
    """
    sides = corners[:, ::-1]
    extent = np.zeros((images, 2))
    np.maximum.at(extent, owners, np.ceil(np.where(np.isfinite(sides) & (sides < MOST_SIDE), sides, 0)))
    return extent


def _header(path: Path) -> Size | ImageError:
    try:
        return header(path)
    except ImageError as error:
        return error
