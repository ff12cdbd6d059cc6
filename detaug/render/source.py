"""Where a layer's pixels come from: decoded images at the sizes that rendering needs."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.image import decode
from detaug.scenes.levels import levels

PAD = 2  # replicated pixels all round, so that a tile can reach under its neighbour


class BrokenImage(InputError):
    """An image that cannot be used, found while rendering.

    Attributes:
        row: its catalog row.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image at one level.

    Attributes:
        rgb: (h + 2 PAD, w + 2 PAD, 3) uint8, its border replicated.
        scale_x: level pixels per source pixel.
        scale_y: the same vertically; the two differ a little, since sizes are whole.
    """

    rgb: NDArray[np.uint8]
    scale_x: float
    scale_y: float


class Source:
    """Decoded images with a bounded cache. What the cache holds never changes a pixel.

    Args:
        catalog: the images.
        size: canvas height and width, which sets the levels.
        cache_bytes: bound on the memory of the cache; None is unbounded, 0 keeps nothing.
        read: how a file becomes (H, W, 3) uint8 RGB.
    """

    def __init__(
        self,
        catalog: Catalog,
        size: tuple[int, int],
        cache_bytes: int | None = None,
        read: Callable[[Path], NDArray[np.uint8]] = decode,
    ) -> None:
        catalog.require_images()
        self.catalog = catalog
        self.size = size
        self.cache_bytes = cache_bytes
        self._read = read
        self._kept: OrderedDict[tuple[int, int], Picture] = OrderedDict()
        self._bytes = 0

    def picture(self, row: int, index: int) -> Picture:
        """Image `row` at level `index`.

        Raises:
            BrokenImage: the file cannot be decoded, or no longer has the size that the catalog names.
        """
        key = (row, index)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            image = self._read(self.catalog.path(row))
        except InputError as error:
            raise BrokenImage(row, str(error)) from error
        height, width = (int(v) for v in self.catalog.sizes[row])
        if image.shape[:2] != (height, width):
            raise BrokenImage(
                row,
                f"{self.catalog.path(row)}: the image is {image.shape[1]}x{image.shape[0]} pixels now, "
                f"but was {width}x{height} when the dataset was read.",
            )
        sizes = levels(height, width, self.size)
        wanted = range(len(sizes)) if self.cache_bytes != 0 else (index,)
        made = {i: _resized(image, sizes[i].height, sizes[i].width) for i in wanted}
        for i, picture in made.items():
            self._keep((row, i), picture)
        return made[index]

    def _keep(self, key: tuple[int, int], picture: Picture) -> None:
        if self.cache_bytes is not None and picture.rgb.nbytes > self.cache_bytes:
            return
        if key not in self._kept:
            self._bytes += picture.rgb.nbytes
        self._kept[key] = picture
        while self.cache_bytes is not None and self._bytes > self.cache_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].rgb.nbytes


def _resized(image: NDArray[np.uint8], height: int, width: int) -> Picture:
    """The image area-averaged to a size, with its replicated border."""
    scale_y, scale_x = height / image.shape[0], width / image.shape[1]
    if (height, width) != image.shape[:2]:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    padded = cv2.copyMakeBorder(image, PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE)
    return Picture(np.asarray(padded, np.uint8), scale_x, scale_y)
