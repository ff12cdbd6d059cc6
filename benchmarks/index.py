"""The saved index of a million images with five million boxes: time to load it, and memory per worker.

    python benchmarks/index.py [--images 1000000] [--records 200000]

Each figure is of a fresh process. A worker's private memory is what the system would get back if it ended, beside
what the same worker has without a catalog: the interpreter, numpy and torch.
"""

import argparse
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detaug.classes import ClassTable
from detaug.readers.catalog import Catalog, pack_names
from detaug.readers.index import load, save

BOXES = 5  # per image
STEPS = 20_000  # random rows that a worker visits in an epoch


def synthetic(images: int, root: Path) -> Catalog:
    """A catalog like one of COCO's: names of 29 bytes, nine tenths of the images for training."""
    rng = np.random.Generator(np.random.Philox(0))
    text, ends = pack_names([f"images/train/{row:012d}.jpg" for row in range(images)])
    corners = rng.random((images * BOXES, 2), np.float32) * 400
    return Catalog(
        root=root,
        classes=ClassTable.plain([f"class {i}" for i in range(80)]),
        text=text,
        ends=ends,
        sizes=np.full((images, 2), 640, np.int32),
        starts=np.arange(images + 1, dtype=np.int64) * BOXES,
        boxes=np.concatenate([corners, corners + 50], 1),
        labels=rng.integers(0, 80, images * BOXES, np.int32),
        flags=np.zeros(images * BOXES, np.uint8),
        ids=np.arange(images, dtype=np.int64),
        splits=np.where(np.arange(images) % 10, 1, 2).astype(np.uint8),
        groups=np.arange(images, dtype=np.int32),
        images_in=images,
        boxes_in=images * BOXES,
    )


def peak() -> float:
    """The most memory that this process has held so far, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def private() -> float:
    """This process's unshared memory, MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e3


def loading(path: str) -> None:
    """Print the seconds and megabytes of loading, counting and splitting, in this fresh process."""
    before, begun = peak(), time.perf_counter()
    catalog = load(Path(path), Path("nowhere"))
    loaded = time.perf_counter() - begun
    after = peak()
    catalog.class_counts()
    part = catalog.split("train")
    figures = {"load s": loaded, "load MB": after - before, "all s": time.perf_counter() - begun}
    print(json.dumps({**figures, "all MB": peak() - before, "images": len(part)}))


def walk(catalog: Catalog | None, seed: int, epochs: int, pipe: Connection) -> None:
    """A worker: visits random rows and sends its private memory after each epoch."""
    rng = np.random.Generator(np.random.Philox(seed))
    pipe.send(private())
    for _ in range(epochs):
        for row in rng.integers(0, 1 if catalog is None else len(catalog), STEPS).tolist():
            if catalog is not None:
                place = catalog.objects(row)
                boxes, labels = torch.tensor(catalog.boxes[place]), torch.tensor(catalog.labels[place])
                assert len(boxes) == len(labels)
                assert catalog.name(row)
        pipe.send(private())
    pipe.recv()  # the others are measured while this one still shares its pages


def workers(method: str, catalog: Catalog | None, count: int, epochs: int) -> list[list[float]]:
    """Private memory of each worker, MB, at its start and after each epoch; all live until all are done."""
    context: Any = multiprocessing.get_context(method)
    pipes, started = [], []
    for seed in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=walk, args=(catalog, seed, epochs, theirs))
        process.start()
        pipes.append(ours)
        started.append(process)
    figures = [[float(pipe.recv()) for _ in range(epochs + 1)] for pipe in pipes]
    for pipe, process in zip(pipes, started, strict=True):
        pipe.send(None)
        process.join()
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default=1_000_000, type=int)
    parser.add_argument("--records", default=200_000, type=int)
    parser.add_argument("--load", help="an index to load in this process; used by the program itself")
    asked = parser.parse_args()
    if asked.load:
        loading(asked.load)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        begun = time.perf_counter()
        path = save(synthetic(asked.images, root), root)
        print(
            f"{asked.images} images, {asked.images * BOXES} boxes: {path.stat().st_size / 1e6:.0f} MB on disk, ", end=""
        )
        print(f"made and saved in {time.perf_counter() - begun:.1f} s")
        command = [sys.executable, "-m", "benchmarks.index", "--load", str(path)]
        found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        print(f"loaded in {found['load s']:.2f} s, {found['load MB']:.0f} MB more at the peak")
        print(f"with class counts and a split of {found['images']}: {found['all s']:.2f} s, {found['all MB']:.0f} MB")
        catalog = load(path, root)
        print(f"pickled: {len(pickle.dumps(catalog))} bytes, of the split {len(pickle.dumps(catalog.split('train')))}")
        report("whole", catalog, 2, 1)
        small = load(save(synthetic(asked.records, root), root), root)
        report(f"{asked.records} records", small, 4, 3)


def report(name: str, catalog: Catalog, count: int, epochs: int) -> None:
    """Print a line per start method: MB per worker over one without a catalog, and growth of all over the epochs."""
    for method in ("fork", "spawn", "forkserver"):
        plain = workers(method, None, 2, 1)
        used = workers(method, catalog, count, epochs)
        over = max(figures[-1] for figures in used) - min(figures[-1] for figures in plain)
        growth = sum(figures[-1] - figures[0] for figures in used)
        settled = sum(figures[-1] - figures[1] for figures in used)
        print(f"{name:<16}{method:<11}{count} workers, {epochs} epochs: {over:6.1f} MB private each at most, ", end="")
        print(f"growth of all {growth:6.1f} MB, of it after the first epoch {settled:6.1f} MB")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
