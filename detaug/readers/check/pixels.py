"""Every image decoded once: which files are damaged inside, and what is needed to find copies."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detaug.errors import Finding
from detaug.readers.catalog import Catalog
from detaug.readers.image import ImageError
from detaug.readers.reduced import reduced

THUMBNAIL = 16  # pixels a side
LEAST_CONTRAST = 4.0  # standard deviation of the grey values; flatter images all hash alike
_BLOCK = 256  # images handed to the threads at a time, so that memory does not grow with the dataset

Watched = Callable[[Iterable[int]], Iterable[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What M images look like.

    Attributes:
        readable: (M,) bool, decoded without a fault; where not, the other arrays mean nothing.
        digests: (M, 16) uint8, equal for files of the same bytes.
        contrast: (M,) bool, whether the image has enough contrast to be compared by its looks.
        hashes: (M,) uint64, perceptual hashes: copies differ in few bits.
        thumbnails: (M, 256) uint8, 16 x 16 grey pixels.
        findings: images that only decoding shows to be faulty.
    """

    readable: NDArray[np.bool_]
    digests: NDArray[np.uint8]
    contrast: NDArray[np.bool_]
    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]
    findings: tuple[Finding, ...]


def look(catalog: Catalog, watched: Watched = iter) -> Looks:
    """Decode all images, on all cores: decoders work outside of Python's lock.

    Args:
        catalog: with its image files.
        watched: sees each row when it is done, as a progress bar does.
    """
    count = len(catalog)
    looks = Looks(
        np.zeros(count, bool), np.zeros((count, 16), np.uint8), np.zeros(count, bool), np.zeros(count, np.uint64),
        np.zeros((count, THUMBNAIL**2), np.uint8), (),
    )  # fmt: skip
    faults: dict[int, Finding] = {}
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        for _ in watched(_done(pool, partial(_look, catalog, looks, faults), count)):
            pass
    findings = tuple(faults[row] for row in sorted(faults))
    return Looks(looks.readable, looks.digests, looks.contrast, looks.hashes, looks.thumbnails, findings)


def _done(pool: ThreadPoolExecutor, work: Callable[[int], int], count: int) -> Iterator[int]:
    for start in range(0, count, _BLOCK):
        yield from pool.map(work, range(start, min(start + _BLOCK, count)))


def _look(catalog: Catalog, looks: Looks, faults: dict[int, Finding], row: int) -> int:
    """Fill in one row."""
    try:
        small = reduced(catalog.path(row))
    except ImageError as error:
        faults[row] = Finding(error.kind, catalog.name(row), error.fault)
        return row
    image = Image.fromarray(np.ascontiguousarray(small.grey))
    tiny = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    looks.readable[row] = True
    looks.digests[row] = np.frombuffer(small.digest, np.uint8)
    looks.contrast[row] = tiny.std() >= LEAST_CONTRAST
    looks.hashes[row] = np.packbits(imagehash.phash(image).hash).view(np.uint64)[0]
    looks.thumbnails[row] = tiny.ravel()
    return row
