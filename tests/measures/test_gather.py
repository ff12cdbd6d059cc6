from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn as start_processes

from detaug.measures.gather import everyone, processes, share_buffers, total
from detaug.measures.truth import Found


def found(rows: list[int]) -> Found:
    """Row r has r % 3 boxes that carry its number."""
    counts = [r % 3 for r in rows]
    owner = np.repeat(rows, counts).astype(np.int64)
    return Found(
        rows=np.array(rows, np.int64),
        boxes=np.repeat(owner[:, None], 4, 1).astype(np.float32),
        scores=owner.astype(np.float32),
        labels=owner,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def equal(a: Found, b: Found) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("rows", "boxes", "scores", "labels", "starts"))


def test_alone_it_sorts_and_drops_repeats() -> None:
    assert equal(Found.joined(everyone(found([]))), found([]))
    assert equal(Found.joined(everyone(found([5, 2, 5, 0]))), found([0, 2, 5]))
    assert processes() == 1
    assert everyone("x") == ["x"]
    assert total(torch.tensor(3.0)) == 3


def test_no_parts_are_an_empty_whole() -> None:
    assert equal(Found.joined([]), found([]))


def test_renamed_drops_and_counts() -> None:
    kept, dropped = found([1, 2, 4]).renamed(np.array([-1, 7, -1, -1, 8]))
    assert dropped == 2
    assert kept.labels.tolist() == [7, 8]
    assert kept.starts.tolist() == [0, 1, 1, 2]


def spawn(work: Callable[..., None], folder: Path, *args: object) -> None:
    start_processes(_start, (work, str(folder / "meet"), *args), nprocs=2)  # type: ignore[no-untyped-call]


def _start(rank: int, work: Callable[..., None], meet: str, *args: object) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{meet}", timedelta(seconds=30), 2, rank)
    work(rank, *args)
    dist.destroy_process_group()


def _shares(rank: int) -> None:
    for images in (0, 1, 7):
        padded = [i % max(images, 1) for i in range(images + images % 2)]
        for rows in (list(range(images))[rank::2], padded[rank::2], list(range(images)) if rank else []):
            assert equal(Found.joined(everyone(found(rows))), found(list(range(images))))
    assert total(torch.tensor(float(rank + 1))) == 3
    norm = torch.nn.BatchNorm1d(2)
    assert norm.running_mean is not None
    norm.running_mean += rank
    share_buffers(norm)
    assert norm.running_mean.tolist() == [0.5, 0.5]


@pytest.mark.slow
def test_two_processes_gather_what_one_has(tmp_path: Path) -> None:
    spawn(_shares, tmp_path)
