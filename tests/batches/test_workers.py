"""Workers of a training in several processes do not begin by a fork of a process that has threads."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from detaug.batches.datamodule import SignData
from tests.batches.painting import painted


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_beside_other_processes_workers_come_from_a_server_and_show_the_same(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 9, "val": 2})
    seen = {}
    for world, start in ((1, None), (2, "forkserver")):
        data = SignData(str(root), size=64, batch_size=4 // world, workers=1)
        if world > 1:
            state = SimpleNamespace(fn=None)
            data.trainer = SimpleNamespace(world_size=world, global_rank=0, state=state)  # type: ignore[assignment]
        loader: Any = data.train_dataloader()
        context = loader.multiprocessing_context
        assert start == (None if context is None else context.get_start_method())
        seen[world] = [batch.images for batch in loader]
    for whole, half in zip(seen[1], seen[2], strict=True):
        assert torch.equal(whole[:2], half)  # rank 0 has the first two of each global batch of four
