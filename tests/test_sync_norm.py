"""Batch statistics over all processes: `model.norm: sync`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from detaug.detectors.norms import Norm, refuse_on_cpus, set_norm
from detaug.errors import InputError
from tests.batches.painting import painted
from tests.running import NET, QUICK, launched

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
REFUSED = "error: model.norm: sync needs GPUs; on CPUs take group or frozen."
NORMS: tuple[Norm | None, ...] = ("batch", "group", "frozen", None)  # that need no other process
TWO = ("--trainer.devices=2", "--trainer.strategy=ddp")


@pytest.fixture
def one_of_several(tmp_path: Path) -> Iterator[None]:
    """This process as the only one of a group."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4))


def test_alone_it_is_batch_normalisation() -> None:
    plain, other = layers(), layers()
    assert set_norm(other, "sync") == 2
    refuse_on_cpus("sync", CPU)
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(plain(images), other(images))


@pytest.mark.usefixtures("one_of_several")
def test_what_torch_cannot_do_is_refused_before_it_begins() -> None:
    """Torch itself fails in the first step only."""
    network = layers()
    set_norm(network, "sync")
    with pytest.raises(ValueError, match="SyncBatchNorm"):
        network(torch.randn(2, 3, 16, 16))
    with pytest.raises(InputError, match="sync needs GPUs"):
        refuse_on_cpus("sync", CPU)
    for norm in NORMS:
        refuse_on_cpus(norm, CPU)
    refuse_on_cpus("sync", GPU)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_processes_on_cpus_are_refused_in_one_sentence(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 16, "val": 2})
    flags = [*NET, *QUICK, f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=1"]
    for more in (TWO, ("--trainer.strategy=ddp",)):
        done = launched("fit", *flags, *more, "--model.norm=sync")
        assert done.code == 2, done.err
        assert REFUSED in done.err.splitlines()
        assert "Traceback" not in done.err
    alone = launched("fit", *flags, "--name=alone", "--model.norm=sync")
    assert alone.code == 0, alone.err
    assert json.loads((tmp_path / "runs/alone/0/metrics.json").read_text())["images"] == 2


def half(rank: int, place: str, images: Tensor) -> None:
    """Train a step on this process's half of the images and keep what came out."""
    dist.init_process_group("gloo", init_method=f"file://{place}/store", rank=rank, world_size=2)
    network = layers()
    set_norm(network, "sync")
    refuse_on_cpus("sync", GPU)
    network.to(GPU)
    out = network(images[rank::2].to(GPU))
    out.square().sum().backward()
    gradient = next(network.parameters()).grad
    assert gradient is not None
    dist.all_reduce(gradient)
    kept = {"out": out, "gradient": gradient, **dict(network.named_buffers())}
    torch.save({name: value.detach().cpu() for name, value in kept.items()}, f"{place}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_two_processes_normalise_as_one_would(tmp_path: Path) -> None:
    """Both on one GPU, which gloo allows: output, gradient and running statistics are those of the whole batch."""
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    spawn(half, (str(tmp_path), images), nprocs=2)  # type: ignore[no-untyped-call]
    whole = layers().to(GPU)
    out = whole(images.to(GPU))
    out.square().sum().backward()
    gradient = next(whole.parameters()).grad
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        expected = {"out": out[rank::2], "gradient": gradient, **dict(whole.named_buffers())}
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert value is not None
            assert torch.allclose(found[name].float(), value.detach().cpu().float(), rtol=1e-3, atol=1e-4), name
