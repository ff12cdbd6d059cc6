"""Every training image in the device's memory, at the sizes that rendering needs."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.image import Coded
from detaug.render.gpu.packing import LEVELS
from detaug.render.noise import unit_pool
from detaug.render.pack import Pack
from detaug.render.picture import PAD, Opener
from detaug.render.source import BrokenImage, Source
from detaug.scenes.levels import levels
from detaug.waiting import waiting

_GB = 2**30
_CHANNELS = 4  # red, green, blue and one unused: a pixel is then one aligned word


class ResidentImages:
    """All images of a catalog at all their levels, with the borders that `Source` gives them.

    Args:
        catalog: the images.
        size: canvas height and width, which sets the levels.
        device: where they are kept.
        resident_gb: bound on their memory; None is half of what a GPU has free, and no bound elsewhere.
        on_bad_image: `skip` leaves an image that cannot be decoded out and names it in `broken`; `error` raises.
        threads: how many decode.
        open_file: how a file is read.
        pack: levels that were made before, for this size.

    Attributes:
        size: as given.
        device: as given.
        arena: (P, 4) uint8, the pixels of all levels of all images, row after row; red, green, blue, unused.
        places: (N * LEVELS, 2) int64, the first pixel of a level in `arena` and the pixels in a row of it.
        noise: (3, rows, columns) float32, the pool that noise fields are cut from.
        broken: catalog rows that could not be decoded; no scene may show them.

    Raises:
        InputError: the images take more than the bound, or one cannot be decoded and `on_bad_image` is `error`.
    """

    def __init__(
        self,
        catalog: Catalog,
        size: tuple[int, int],
        device: torch.device | str,
        resident_gb: float | None = None,
        on_bad_image: str = "skip",
        threads: int = 1,
        open_file: Opener = Coded,
        pack: Pack | None = None,
    ) -> None:
        self.size, self.device = size, torch.device(device)
        places, pixels = _places(catalog.sizes, size)
        bound = _free_gb(self.device) if resident_gb is None else resident_gb
        needed = pixels * _CHANNELS / _GB
        if needed > bound:
            bounded = "half its free memory" if resident_gb is None else "data.resident_gb"
            raise InputError(
                f"{catalog.root}: data.gpu keeps all {len(catalog)} training images on {self.device}, which takes "
                f"{needed:.2f} GB at {size[1]}x{size[0]}, and {bounded} allows "
                f"{bound:.2f}; raise data.resident_gb, lower data.size, or leave data.gpu."
            )
        self.arena = torch.zeros((pixels, _CHANNELS), dtype=torch.uint8, device=self.device)
        self.places = torch.from_numpy(places).to(self.device)
        self.noise = torch.from_numpy(unit_pool(*size).transpose(2, 0, 1).copy()).to(self.device)
        self.broken = self._filled(catalog, places, on_bad_image, threads, open_file, pack)

    def _filled(
        self,
        catalog: Catalog,
        places: NDArray[np.int64],
        on_bad_image: str,
        threads: int,
        open_file: Opener,
        pack: Pack | None,
    ) -> frozenset[int]:
        """Decode every image into the arena; the rows that could not be."""

        def fill(row: int) -> BrokenImage | None:
            source = Source(catalog, self.size, None, open_file, pack)  # it keeps the levels of this image alone
            try:
                for index in range(len(levels(int(catalog.sizes[row, 0]), int(catalog.sizes[row, 1]), self.size))):
                    pixels = cv2.cvtColor(source.picture(row, index).rgb, cv2.COLOR_RGB2RGBA).reshape(-1, _CHANNELS)
                    first = int(places[row * LEVELS + index, 0])
                    self.arena[first : first + len(pixels)].copy_(torch.from_numpy(pixels))
            except BrokenImage as error:
                return error
            return None

        with ThreadPoolExecutor(threads) as pool, waiting(f"Decoding onto {self.device}", len(catalog)) as watched:
            errors = [e for e in watched(pool.map(fill, range(len(catalog)))) if e is not None]
        if errors and on_bad_image == "error":
            raise errors[0]
        return frozenset(error.row for error in errors)


def _places(sizes: NDArray[np.integer], size: tuple[int, int]) -> tuple[NDArray[np.int64], int]:
    """(N * LEVELS, 2) first pixel and pixels in a row of each level, and how many pixels there are in all."""
    sides = np.zeros((len(sizes) * LEVELS, 2), np.int64)
    for row, (height, width) in enumerate(sizes.tolist()):
        for index, level in enumerate(levels(height, width, size)):
            sides[row * LEVELS + index] = level.height + 2 * PAD, level.width + 2 * PAD
    areas = sides.prod(1)
    ends = np.cumsum(areas)
    return np.stack([ends - areas, sides[:, 1]], 1), int(ends[-1]) if len(ends) else 0


def _free_gb(device: torch.device) -> float:
    return torch.cuda.mem_get_info(device)[0] / _GB / 2 if device.type == "cuda" else float("inf")
