"""How long `detaug check` takes: JPEGs of 1360 x 800 in a temporary folder, decoded and compared.

    python benchmarks/check.py --images 10000

Few distinct pictures with a grain of their own each, at quality 90, a fifth of them in val. Said are the clock's
seconds, CPU milliseconds an image (`os.times`, which a busy machine disturbs less), the largest memory, and how long
the comparison of all pairs takes alone for as many hashes as `--hashes` asks for.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.readers.check.check import inspect
from detaug.readers.check.copies import MOST_BITS, like_pairs
from detaug.readers.read import read

HEIGHT, WIDTH = 800, 1360
BASES = 12
VAL = 5  # every fifth image


def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default=10_000, type=int)
    parser.add_argument("--hashes", default=200_000, type=int)
    asked = parser.parse_args()
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1) as other:  # its memory is not the check's
            other.submit(draw, Path(folder), asked.images).result()
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.jpg")) / asked.images
        for fast in (True, False):
            clock, before = time.perf_counter(), os.times()
            report = inspect(read(folder, "yolo"), "yolo", "as told", fast=fast)
            clock, after = time.perf_counter() - clock, os.times()
            cpu = (after.user + after.system - before.user - before.system) * 1e3 / asked.images
            kinds = sorted({finding.kind for finding in report.findings})
            print(
                f"{'fast' if fast else 'whole'}: {report.images} images of {size / 1e3:.0f} kB in {clock:.1f} s, "
                f"CPU {cpu:.2f} ms an image, {clock / asked.images * 1e4:.0f} s per 10,000; findings {kinds}; "
                f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
            )
    pairs(asked.hashes)


def pairs(count: int) -> None:
    """Time the comparison of hashes: a fifth against the rest."""
    hashes = np.random.Generator(np.random.Philox(0)).integers(0, 2**63, count, np.uint64)
    begun = time.process_time()
    found = sum(len(block) for block, _ in like_pairs(hashes[: count // VAL], hashes[count // VAL :], MOST_BITS))
    print(f"{count} hashes, {count // VAL} in val: {time.process_time() - begun:.1f} s CPU, {found} pairs")


def draw(root: Path, count: int) -> None:
    """A YOLO dataset of `count` images with a box each."""
    rng = np.random.Generator(np.random.Philox(0))
    bases = [base(rng) for _ in range(BASES)]
    grain = rng.normal(0, 6, (2 * HEIGHT, 2 * WIDTH, 1)).astype(np.int8)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (root / kind / part).mkdir(parents=True)
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [sign]\n")
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(partial(write, root, bases, grain), range(count)):
            pass


def base(rng: np.random.Generator) -> NDArray[np.int16]:
    """A picture with large shapes and fine edges."""
    layers = [(rng.integers(0, 256, (side, 2 * side, 3), np.uint8), weight) for side, weight in ((5, 0.7), (60, 0.3))]
    large = [cv2.resize(layer, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) * weight for layer, weight in layers]
    return np.asarray(sum(large), np.int16)


def write(root: Path, bases: Sequence[NDArray[np.int16]], grain: NDArray[np.int8], index: int) -> None:
    """One image and its label."""
    rng = np.random.Generator(np.random.Philox(index))
    y, x = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
    pixels = np.roll(bases[index % BASES], (y, x), (0, 1)) + grain[y : y + HEIGHT, x : x + WIDTH]
    part = "val" if index % VAL == 0 else "train"
    options = [cv2.IMWRITE_JPEG_QUALITY, 90]
    name = f"{index}_{rng.integers(1 << 40):x}"
    cv2.imwrite(str(root / "images" / part / f"{name}.jpg"), np.clip(pixels, 0, 255).astype(np.uint8), options)
    (root / "labels" / part / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1\n")


if __name__ == "__main__":
    main()
