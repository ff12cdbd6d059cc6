"""Making the bank of donors: the images of donors are decoded, and what pastes may read of it is kept."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import Any

import cv2
import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray

from detaug.readers.arrays import Kind, pieces
from detaug.readers.catalog import Catalog
from detaug.readers.image import Coded
from detaug.readers.shelf import clock, folders, prune, touch
from detaug.render.bank import LEVELS, Bank, sizes, window_of
from detaug.render.picture import PAD, Opener
from detaug.render.source import BrokenImage, Source
from detaug.scenes.levels import levels
from detaug.writing import write_whole

MOST = 1 << 30  # bytes of pixels in a bank; where that is too little, the smallest patches are kept
_FORMAT = "2"  # changes with the file's layout and with what is kept of an image
_KEPT = 4  # banks beside a dataset
_KIND = ".bank"
_SOME = 64  # images that are decoded ahead of what is written
_THREADS = min(8, os.cpu_count() or 1)


def bank_of(
    catalog: Catalog,
    size: tuple[int, int],
    boxes: NDArray[np.int64],
    threads: int = _THREADS,
    open_file: Opener = Coded,
) -> Bank | None:
    """The bank of some donors, kept beside the dataset's index and made there first where it is not.

    It is called by a digest of all that its pixels depend on: names, sizes and times of the donors' image files, their
    boxes, the canvas, the decoders. So a changed image leads to another bank.

    Args:
        catalog: the training images.
        size: canvas height and width, which sets the levels.
        boxes: rows of the catalog's boxes that may be pasted.
        threads: how many images are decoded at once.
        open_file: how a file is read.

    Returns:
        None where there is no donor, or no folder with room for the bank where it can be written: pastes then read
        their donors' images.

    Raises:
        InputError: the dataset's image files are not there.
    """
    catalog.require_images()
    boxes = np.unique(boxes)
    places = folders(catalog.root) if len(boxes) else []
    key = _key(catalog, size, boxes)
    for folder in places:
        bank = Bank(folder / f"{key}{_KIND}", key)
        if bank.opened():
            touch(bank.path)
            return bank
    kept, window = _windows(catalog, size, boxes)
    for folder in places if len(kept) else []:
        with suppress(OSError):  # a dataset may lie where nothing can be written
            if clock(folder) is None or 2 * int(sizes(window).sum()) > shutil.disk_usage(folder).free:
                continue
            bank = Bank(folder / f"{key}{_KIND}", key)
            write_whole(bank.path, _content(_Cutting(catalog, size, kept, window, open_file), boxes, key, threads))
            prune(folder, _KIND, _KEPT)
            return bank if bank.opened() else None
    return None


def _key(catalog: Catalog, size: tuple[int, int], boxes: NDArray[np.int64]) -> str:
    """A name for what a bank's pixels depend on."""
    made_by = _FORMAT, cv2.__version__, simplejpeg.__version__, PIL.__version__, *size
    digest = hashlib.blake2b(" ".join(map(str, made_by)).encode(), digest_size=16)
    images = _images(catalog, boxes)
    for array in (boxes, images, catalog.boxes[boxes], catalog.sizes[images]):
        digest.update(np.ascontiguousarray(array).tobytes())
    for row in np.unique(images).tolist():
        try:
            status = catalog.path(row).stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            state = "absent"
        digest.update(f"{catalog.name(row)}\0{state}\0".encode())
    return digest.hexdigest()


def _images(catalog: Catalog, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(D,) the image row of each box."""
    return np.searchsorted(catalog.starts, boxes, side="right") - 1


def _windows(
    catalog: Catalog, size: tuple[int, int], boxes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The donors for which there is room, and (D, LEVELS, 4) what is kept of their images."""
    window = np.zeros((len(boxes), LEVELS, 4), np.int32)
    for own, box, (height, width) in zip(
        window, catalog.boxes[boxes].tolist(), catalog.sizes[_images(catalog, boxes)].tolist(), strict=True
    ):
        for index, level in enumerate(levels(height, width, size)):
            own[index] = window_of(box, (height, width), level, PAD)
    each = sizes(window).sum(1)
    order = np.argsort(each, kind="stable")
    kept = np.sort(order[np.cumsum(each[order]) <= MOST])
    return boxes[kept], window[kept]


class _Cutting:
    """The patches of donors, made image by image."""

    def __init__(
        self,
        catalog: Catalog,
        size: tuple[int, int],
        boxes: NDArray[np.int64],
        window: NDArray[np.int32],
        open_file: Opener,
    ) -> None:
        self.catalog, self.size, self.open_file = catalog, size, open_file
        self.boxes, self.window = boxes, window
        self.images = _images(catalog, boxes)
        self.held = np.ones(len(boxes), np.uint8)

    def patches(self, threads: int) -> Iterator[bytes]:
        """The pixels of all of them; zeros where an image cannot be decoded, of which `held` then tells."""
        # Imported where it is needed: what draws a progress bar is slow to import.
        from detaug.waiting import waiting

        groups = np.split(np.arange(len(self.boxes)), np.flatnonzero(np.diff(self.images)) + 1)
        with ThreadPoolExecutor(threads) as pool, waiting("Keeping donors' pixels", len(groups)) as watched:
            some = (groups[first : first + _SOME] for first in range(0, len(groups), _SOME))
            for cut in watched(cut for group in some for cut in pool.map(self._of_image, group)):
                yield from cut

    def _of_image(self, rows: NDArray[np.int64]) -> list[bytes]:
        """The patches of the donors of one image."""
        source = Source(self.catalog, self.size, None, self.open_file)  # it keeps the levels of this image alone
        image = int(self.images[rows[0]])
        try:
            return [
                source.picture(image, index).rgb[y1:y2, x1:x2].tobytes()
                for row in rows.tolist()
                for index, (x1, y1, x2, y2) in enumerate(self.window[row].tolist())
                if x2 > x1
            ]
        except BrokenImage:
            self.held[rows] = 0
            return [bytes(int(sizes(self.window[rows]).sum()))]


def _content(cutting: _Cutting, boxes: NDArray[np.int64], key: str, threads: int) -> Iterator[bytes]:
    """The file, piece by piece; the images are decoded while it is written."""

    def known() -> Iterator[bytes]:
        if _key(cutting.catalog, cutting.size, boxes) != key:
            raise OSError("the images changed while they were read")
        yield cutting.held.tobytes()

    arrays: dict[str, NDArray[Any]] = {"box": cutting.boxes, "image": cutting.images, "window": cutting.window}
    kinds: dict[str, Kind] = {name: (array.dtype, array.shape) for name, array in arrays.items()}
    kinds["pixels"] = np.dtype(np.uint8), (int(sizes(cutting.window).sum()),)
    kinds["held"] = cutting.held.dtype, cutting.held.shape
    told = ([array.tobytes()] for array in arrays.values())
    return pieces({"key": key}, kinds, chain(told, [cutting.patches(threads), known()]))
