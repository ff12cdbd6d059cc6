"""A small grid of mean colours per image, sharpness and brightness per box: what planning may know of the pixels.

Measured once, kept beside the dataset's index and read memory-mapped.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.image import decode
from detaug.readers.shelf import folders
from detaug.writing import write_whole

CELLS = 8  # per axis
SHARP_SIDE = 32  # pixels; larger signs are reduced to it, so that size does not count as sharpness
LEAST_SIDE = 8.0  # pixels; smaller signs are not judged
_KIND = "1"  # changes when what is measured changes
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """What was measured of a catalog of M images and N boxes.

    Attributes:
        grid: (M, 8, 8, 3) uint8, mean RGB of each cell, 0 to 255; all zero where the image cannot be decoded.
        sharpness: (N,) float32, variance of the Laplacian over the variance of the luma; NaN where it is not known.
        brightest: (N,) float32, what 95 % of a box's values, of any channel, lie under; NaN where it is not known.
    """

    grid: NDArray[np.uint8]
    sharpness: NDArray[np.float32]
    brightest: NDArray[np.float32]


def colours_of(
    catalog: Catalog, watched: Callable[[Iterable[object]], Iterable[object]] = iter, threads: int = _THREADS
) -> Colours | None:
    """The colours of a catalog, kept beside the dataset's index; None where its image files are not there.

    Args:
        catalog: the training images.
        watched: see `measured_colours`.
        threads: how many images are decoded at once.
    """
    if not catalog.has_images:
        return None
    name = _digest(catalog)
    for folder in folders(catalog.root):
        found = _kept(folder, name)
        if found is not None:
            return found
    made = _measured(catalog, watched, threads)
    for folder in folders(catalog.root):
        with suppress(OSError):  # a dataset may lie where nothing can be written
            _keep(folder, name, made)
            break
    return made


def measured_colours(
    catalog: Catalog,
    folder: Path,
    watched: Callable[[Iterable[object]], Iterable[object]] = iter,
    threads: int = _THREADS,
) -> Colours:
    """The colours of a catalog from `folder`, measured and kept there first where they are not.

    Args:
        catalog: images that are there.
        folder: where the two files go; their name is a digest of names, sizes, boxes and the images' sizes and times.
        watched: is handed the M steps of measuring one after the other, so that it can show how far they are.
        threads: how many images are decoded at once.

    Raises:
        InputError: the dataset's image files are not there.
    """
    catalog.require_images()
    name = _digest(catalog)
    found = _kept(folder, name)
    if found is None:
        found = _measured(catalog, watched, threads)
        _keep(folder, name, found)
    return found


def _kept(folder: Path, name: str) -> Colours | None:
    """What was kept under a name, memory-mapped; None where it is not there or not whole."""
    try:
        grid, signs = (np.load(folder / f"{kind}-{name}.npy", mmap_mode="r") for kind in ("colours", "signs"))
    except (OSError, ValueError):
        return None
    return Colours(grid, signs[0], signs[1])


def _keep(folder: Path, name: str, colours: Colours) -> None:
    write_whole(folder / f"colours-{name}.npy", _npy(colours.grid))
    write_whole(folder / f"signs-{name}.npy", _npy(np.stack([colours.sharpness, colours.brightest])))


def _measured(catalog: Catalog, watched: Callable[[Iterable[object]], Iterable[object]], threads: int) -> Colours:
    grid = np.zeros((len(catalog), CELLS, CELLS, 3), np.uint8)
    sharpness, brightest = np.full((2, len(catalog.boxes)), np.nan, np.float32)

    def measure(row: int) -> None:
        try:
            pixels = decode(catalog.path(row))
        except InputError:
            return  # the reader has reported it, or rendering will; here it is unknown
        if pixels.shape[:2] != tuple(catalog.sizes[row].tolist()):
            return
        objects = catalog.objects(row)
        grid[row] = mean_colours(pixels)
        sharpness[objects] = [sharpness_of(pixels, box) for box in catalog.boxes[objects]]
        brightest[objects] = [_brightest(pixels, box) for box in catalog.boxes[objects]]

    with ThreadPoolExecutor(threads) as pool:
        for _ in watched(pool.map(measure, range(len(catalog)))):
            pass
    return Colours(grid, sharpness, brightest)


def mean_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(8, 8, 3) uint8 mean RGB of the cells of an image (H, W, 3).

    >>> mean_colours(np.full((20, 30, 3), 77, np.uint8)).max()
    np.uint8(77)
    """
    return np.asarray(cv2.resize(pixels, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.uint8)


def sharpness_of(pixels: NDArray[np.uint8], box: NDArray[np.floating]) -> float:
    """How sharp a box's content is: variance of the Laplacian by the variance of the luma; NaN if it is too small.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        box: (4,) x1 y1 x2 y2 in pixels.
    """
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    side = min(x2 - x1, y2 - y1)
    if side < LEAST_SIDE:
        return float("nan")
    luma = np.asarray(cv2.cvtColor(pixels[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY), np.float32)
    if side > SHARP_SIDE:
        size = (round((x2 - x1) * SHARP_SIDE / side), round((y2 - y1) * SHARP_SIDE / side))
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)
    return float(cv2.Laplacian(luma, cv2.CV_32F).var() / (luma.var() + 25.0))  # 25: flat noise is not sharp


def _brightest(pixels: NDArray[np.uint8], box: NDArray[np.floating]) -> float:
    """The 95th percentile of all values in a box; NaN where it holds no pixel."""
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    part = pixels[y1:y2, x1:x2]
    return float(np.percentile(part, 95)) if part.size else float("nan")


def _digest(catalog: Catalog) -> str:
    """A name for what the colours depend on."""
    digest = hashlib.blake2b(_KIND.encode(), digest_size=12)
    for array in (catalog.text, catalog.ends, catalog.sizes, catalog.starts, catalog.boxes):
        digest.update(np.ascontiguousarray(array).tobytes())
    for row in range(len(catalog)):
        try:
            status = catalog.path(row).stat()
            digest.update(b"%d %d;" % (status.st_size, status.st_mtime_ns))
        except (OSError, ValueError):
            digest.update(b"absent;")
    return digest.hexdigest()


def _npy(array: NDArray[np.generic]) -> bytes:
    held = BytesIO()
    np.save(held, array)
    return held.getvalue()
