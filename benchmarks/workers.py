"""Worker processes: what a second one brings, and whether their memory stays flat.

    python -m benchmarks.workers rate                                                    # drawn streets, 640 pixels
    python -m benchmarks.workers rate --data DIR --recipe configs/road_signs.yaml --workers 4
    python -m benchmarks.workers memory --data DIR --recipe configs/road_signs.yaml
    python -m benchmarks.workers memory --data DIR --recipe configs/road_signs.yaml --samples 2000 --every 100

The loader is the one of a training, `SignData.train_dataloader`; nothing but the loader runs beside its workers.
`rate` counts samples a second by the clock, images kept, and compares numbers of workers within a round; the CPU time
of a sample says whether workers hinder each other. `memory` reads each worker's private memory (what it shares with no
other process) while it has nothing to do, and fits a line. Asked: two workers give at least 1.8 times one, and memory
grows by less than 1 MB per 1,000 samples of a worker.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.throughput.images import street
from detaug.batches.datamodule import SignData
from detaug.batches.page import read_page
from detaug.commands.words import size

SEEN = 3  # times as many samples as images before images count as kept by every worker
AHEAD = 2  # batches that PyTorch lets a worker make before they are asked for
STILL = 0.3  # seconds without CPU time after which a worker has nothing to do
PATIENCE = 60.0  # seconds


class Loading:
    """A training's loader, started, with its workers.

    Args:
        asked: the program's words.
        workers: how many.
        samples: that it can give.
        cache_mb: bound on the images that one worker keeps; None for all.
    """

    def __init__(self, asked: argparse.Namespace, workers: int, samples: int, cache_mb: float | None = None) -> None:
        page = read_page(asked.recipe)
        data = SignData(
            str(asked.data), recipe=page.recipe, balance=page.balance, rare=None if page.rare is None else [*page.rare],
            size=asked.size or page.size, batch_size=asked.batch, epoch_length=samples, workers=workers,
            cache_gb=None if cache_mb is None else cache_mb * workers / 1024,
        )  # fmt: skip
        self.workers, self.canvas = workers, data.size
        self.batch: int = asked.batch
        self.images = len(data.part("train"))
        self._loader: Any = data.train_dataloader()
        self._coming = iter(self._loader)

    def take(self, batches: int) -> float:
        """Take so many batches: samples a second by the clock."""
        begun = time.perf_counter()
        for _ in range(batches):
            next(self._coming)
        return batches * self.batch / (time.perf_counter() - begun)

    def warm_up(self) -> None:
        """Take samples until every worker has met the images."""
        self.take(-(-SEEN * self.images * self.workers // self.batch))

    def drain(self) -> None:
        """Take what was made ahead while nobody asked."""
        self.take(2 * AHEAD * self.workers)

    def private(self) -> list[float]:
        """MB of each worker's private memory, once all have nothing to do."""
        settle(self.pids())
        return [private_memory(pid) for pid in self.pids()]

    def cpu(self) -> float:
        """Seconds of CPU time that the workers have used."""
        return sum(map(ticks, self.pids())) / os.sysconf("SC_CLK_TCK")

    def pids(self) -> list[int]:
        """The workers' process ids; they are there after the first batch."""
        return [worker.pid for worker in self._loader._iterator._workers]


def private_memory(pid: int | str) -> float:
    """MB that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def settle(pids: Sequence[int]) -> None:
    """Wait until processes have used no CPU time for a while."""
    begun = since = time.monotonic()
    before = None
    while time.monotonic() - since < STILL and time.monotonic() - begun < PATIENCE:
        time.sleep(STILL / 10)
        now = [ticks(pid) for pid in pids]
        if now != before:
            before, since = now, time.monotonic()


def ticks(pid: int) -> int:
    """CPU time of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def slope(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """The least-squares line's rise for each unit of `x`, and its standard error.

    >>> slope([0, 1, 2], [5, 7, 9])
    (2.0, 0.0)
    """
    across, up = np.asarray(x, float) - np.mean(x), np.asarray(y, float) - np.mean(y)
    rise = float(across @ up / (across @ across))
    left = up - rise * across
    return rise, float(np.sqrt(left @ left / max(len(x) - 2, 1) / (across @ across)))


def rate(asked: argparse.Namespace) -> None:
    """Print samples a second for each number of workers, and the ratios to one worker."""
    counts, batches = sorted({1, 2, asked.workers}), max(asked.samples // asked.batch, 1)
    loaders = []
    for workers in counts:
        length = (asked.rounds + 1) * (batches + 2 * AHEAD * workers) * asked.batch
        loaders.append(Loading(asked, workers, length + 10**5))
        loaders[-1].warm_up()
    rates: dict[int, list[float]] = {workers: [] for workers in counts}
    costs: dict[int, list[float]] = {workers: [] for workers in counts}
    before = os.getloadavg()[0]
    for number in range(asked.rounds):
        for one in loaders[:: -1 if number % 2 else 1]:  # a machine that grows busier favours neither
            # Those of the last round still make batches ahead.
            settle([pid for other in loaders for pid in other.pids()])
            one.drain()
            used = one.cpu()
            rates[one.workers].append(one.take(batches))
            costs[one.workers].append((one.cpu() - used) / batches / one.batch * 1e3)
    height, width = loaders[0].canvas
    print(f"{asked.recipe}, {loaders[0].images} images, {height}x{width}, batches of {asked.batch}")
    print(f"{asked.rounds} rounds of {batches * asked.batch} samples; {os.cpu_count()} cores, load {before:.1f} before")
    for workers, found in rates.items():
        ratios = [value / alone for value, alone in zip(found, rates[1], strict=True)]
        print(
            f"{workers:3} workers {told(found, 1)} samples/s   times one worker {told(ratios, 2)}   "
            f"their CPU ms a sample {told(costs[workers], 2)}"
        )


def told(values: Sequence[float], digits: int) -> str:
    """Median, least and greatest."""
    middle = statistics.median(values)
    return f"{middle:8.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def memory(asked: argparse.Namespace) -> None:
    """Print each worker's memory as its samples grow, and the slope of it."""
    workers = asked.workers
    first = -(-asked.skip // asked.batch)
    steps = range(0, asked.samples + 1, asked.every)
    loading = Loading(asked, workers, workers * (asked.skip + asked.samples) + 10**5, asked.cache_mb)
    loading.take(first * workers)
    made: list[int] = []
    found: list[list[float]] = []
    for step in steps:
        wanted = -(-step // asked.batch)
        done = made[-1] // asked.batch if made else 0
        loading.take((wanted - done) * workers)
        made.append(wanted * asked.batch)
        found.append(loading.private())
    height, width = loading.canvas
    print(
        f"{asked.recipe}, {loading.images} images, {height}x{width}; {asked.cache_mb:.0f} MB of images in each worker"
    )
    print(f"{made[-1]} samples of each worker, after {first * asked.batch} that fill what it keeps")
    for worker, values in enumerate(zip(*found, strict=True)):
        rise, error = slope([samples / 1000 for samples in made], values)
        print(
            f"worker {worker}: {values[0]:.1f} MB first, {values[-1]:.1f} MB last, {min(values):.1f} to "
            f"{max(values):.1f}; slope {rise:+.3f} MB per 1,000 samples (standard error {error:.3f})"
        )
        print("  " + " ".join(f"{value:.0f}" for value in values))


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command, batch, workers in ((rate, 16, 2), (memory, 16, 1)):
        one = commands.add_parser(command.__name__)
        one.set_defaults(run=command)
        one.add_argument("--data", type=Path, help="a dataset; without it streets of 1360x800 are drawn")
        one.add_argument("--images", type=int, default=100, help="that are drawn")
        one.add_argument("--recipe", default="signs", help="a recipe's name or file, or a page of configs/")
        one.add_argument("--size", type=size, help="canvas; the page's or 640")
        one.add_argument("--batch", type=int, default=batch)
        one.add_argument("--workers", type=int, default=workers, help="most workers")
        if command is rate:
            one.add_argument("--rounds", type=int, default=9)
            one.add_argument("--samples", type=int, default=640, help="of a round and number of workers")
        else:
            one.add_argument("--samples", type=int, default=20_000, help="of each worker")
            one.add_argument("--every", type=int, default=500, help="samples between two readings")
            one.add_argument("--skip", type=int, default=1500, help="samples of each worker before the first reading")
            one.add_argument("--cache-mb", type=float, default=64.0, help="images that each worker keeps")
    asked = parser.parse_args(words)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if asked.data is None:
            asked.data = street(Path(scratch) / "street1360", asked.images, (800, 1360))
        asked.run(asked)


if __name__ == "__main__":
    main()
