"""What loading costs besides time: workers' private memory and open files, measured in a process of its own."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SETTING = """
import os, resource
from pathlib import Path
import numpy as np
from torch.utils.data import DataLoader
from detaug.batches.augmenter import Augmenter
from detaug.batches.dataset import SignDataset, collate
from detaug.classes import ClassTable
from detaug.draws.sampler import DrawSampler
from detaug.readers.catalog import Catalog, pack_names
from detaug.render.source import Source
from detaug.scenes.recipe import Recipe

def records(count):
    text, ends = pack_names([f"images/{i:07d}.jpg" for i in range(count)])
    rng = np.random.Generator(np.random.Philox(0))
    corners = rng.uniform(0, 20, (2 * count, 2)).astype(np.float32)
    zeros = np.zeros(count, np.int64)
    return Catalog(
        root=Path("nowhere"), classes=ClassTable.plain(["a", "b", "c"]), text=text, ends=ends,
        sizes=np.full((count, 2), 32, np.int32), starts=np.arange(0, 2 * count + 1, 2),
        boxes=np.hstack([corners, corners + 10]), labels=rng.integers(0, 3, 2 * count).astype(np.int32),
        flags=np.zeros(2 * count, np.uint8), ids=zeros, splits=zeros.astype(np.uint8),
        groups=np.arange(count, dtype=np.int32), images_in=count, boxes_in=2 * count,
    )

class Grey:
    size, divides = (32, 32), False
    def decode(self, by=1):
        return np.full((32, 32, 3), 90, np.uint8)

def loader(count, length, batch, workers):
    catalog = records(count)
    augmenter = Augmenter(catalog, Recipe.builtin("signs"), 32, length=length, cache_bytes=0)
    augmenter.source = Source(catalog, (32, 32), 0, open_file=lambda path: Grey())
    sampler = DrawSampler(augmenter.order, batch, 99)
    return DataLoader(SignDataset(augmenter), batch, sampler=sampler, num_workers=workers, collate_fn=collate,
                      persistent_workers=True), sampler

def private(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) // 1024

def opened(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
"""

MEMORY = """
made, sampler = loader(200_000, 1_280, 32, 4)
before = None
for epoch in range(3):
    sampler.set_epoch(epoch)
    for step, batch in enumerate(made):
        if before is None and step == 9:
            workers = [worker.pid for worker in made._iterator._workers]
            before = sum(map(private, workers))
print(sum(map(private, workers)) - before)
"""

FILES = """
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
made, sampler = loader(2_000, 1_280, 64, 8)
most, held = 0, []
for epoch in range(2):
    sampler.set_epoch(epoch)
    for batch in made:
        held = [*held[-7:], batch]
        workers = [worker.pid for worker in made._iterator._workers]
        most = max(most, opened("self"), *map(opened, workers))
assert len(workers) == 8 and batch.images.shape[0] == 64
print(most)
"""


def figure(program: str) -> int:
    """What a program prints last."""
    done = subprocess.run([sys.executable, "-c", SETTING + program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def test_workers_memory_stays_flat() -> None:
    assert figure(MEMORY) < 50


def test_few_files_are_open() -> None:
    assert figure(FILES) < 200
