"""Pictures that the training reads where a worker has made them."""

import gc
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from detaug.batches.augmenter import Augmenter
from detaug.batches.batch import Batch
from detaug.batches.dataset import LateLoader, SignDataset, collate, one_thread
from detaug.batches.exchange import Exchange, parcel
from detaug.readers.read import read
from detaug.scenes.recipe import Recipe
from tests.batches.painting import painted

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memory without a name")
SHAPE = (4, 3, 64, 64)
LENGTH, WORKERS = 42, 2
SLOTS = WORKERS * 4


class Slots:
    """Every slot of an epoch, in order; a sampler."""

    def __init__(self, augmenter: Augmenter) -> None:
        self.augmenter = augmenter

    def __len__(self) -> int:
        return LENGTH

    def __iter__(self) -> Any:
        return iter([self.augmenter.draw(0, slot) for slot in range(LENGTH)])


@pytest.fixture(scope="module")
def augmenter(tmp_path_factory: pytest.TempPathFactory) -> Augmenter:
    root = painted(tmp_path_factory.mktemp("data"), {"train": 8}, size=(80, 100))
    return Augmenter(read(root), Recipe.builtin("signs"), 64, length=LENGTH)


def loader(augmenter: Augmenter, start: str = "fork", persistent: bool = True) -> LateLoader:
    return LateLoader(
        SignDataset(augmenter), batch_size=SHAPE[0], sampler=Slots(augmenter), num_workers=WORKERS,
        collate_fn=collate, worker_init_fn=one_thread, multiprocessing_context=start, persistent_workers=persistent,
    )  # fmt: skip


def expected(augmenter: Augmenter) -> list[Batch]:
    """The same batches, made in this process."""
    samples = SignDataset(augmenter)
    starts = range(0, LENGTH, SHAPE[0])
    return [collate(samples.__getitems__(range(s, min(s + SHAPE[0], LENGTH)))) for s in starts]


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in Batch.__slots__)


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kept", [1, 3, 99])
def test_workers_give_the_same_whatever_is_kept(kept: int, start: str, augmenter: Augmenter) -> None:
    """What is held is never written over, also where more is held than there are slots."""
    made, wanted = loader(augmenter, start), expected(augmenter)
    for _ in range(2):
        held: list[tuple[int, Batch]] = []
        for k, batch in enumerate(made):
            held = [*held, (k, batch)][-1 - kept :]
        assert k + 1 == len(wanted)
        assert all(same(batch, wanted[k]) for k, batch in held)
    del held, batch
    gc.collect()
    assert exchange(made).free() == SLOTS


def exchange(made: LateLoader) -> Exchange:
    assert made.exchange is not None
    return made.exchange


def test_an_epoch_left_early_loses_no_slot(augmenter: Augmenter) -> None:
    made, wanted = loader(augmenter), expected(augmenter)
    for _ in range(4):
        assert same(next(iter(made)), wanted[0])
    everything = list(made)
    assert all(map(same, everything, wanted))


def test_a_part_of_a_batch_keeps_the_whole_from_being_written_over(augmenter: Augmenter) -> None:
    made = loader(augmenter)
    coming = iter(made)
    piece = next(coming).images[1:2, 0]
    before = piece.clone()
    for _ in coming:
        pass
    assert exchange(made).free() == SLOTS - 1
    assert torch.equal(piece, before)


def writing() -> Exchange:
    made = Exchange(SHAPE, 2, 2)
    made.worker = 1
    return made


def taken(exchange: Exchange) -> Tensor:
    made = exchange.take(SHAPE)
    assert made is not None
    return made


def test_what_is_dropped_unsent_is_free_again() -> None:
    exchange = writing()
    assert exchange.take((3, *SHAPE[1:])) is None
    one, two = taken(exchange), taken(exchange)
    assert one.data_ptr() != two.data_ptr()
    assert exchange.take(SHAPE) is None  # the other worker's are free, but not for this one
    assert exchange.free() == 2
    del one
    assert exchange.free() == 3


def test_what_was_sent_is_the_receivers_to_free() -> None:
    exchange = writing()
    one = taken(exchange)
    turned = one.transpose(2, 3)  # of the same size and place, but not the same
    assert parcel(turned) is turned
    place = parcel(one)
    assert place == (exchange.number, 2)
    del one
    assert exchange.free() == 3
    got = exchange.held(2)
    del got
    assert exchange.free() == 4


def test_a_fork_does_not_free_what_its_parent_holds() -> None:
    exchange = writing()
    one = taken(exchange)
    if (child := os.fork()) == 0:
        del one
        os._exit(0)
    os.waitpid(child, 0)
    assert exchange.free() == 3
    del one
    assert exchange.free() == 4


def test_elsewhere_a_batch_is_pickled_whole(augmenter: Augmenter) -> None:
    """Only a worker sends places."""
    batch = next(iter(loader(augmenter, persistent=False)))
    again = pickle.loads(pickle.dumps(batch))  # noqa: S301  # made here
    assert same(again, batch)
    again.boxes.add_(1)  # what arrives may be written to
    assert again.images.data_ptr() != batch.images.data_ptr()


def test_a_batch_of_a_worker_costs_one_descriptor_at_most(augmenter: Augmenter) -> None:
    made = iter(loader(augmenter, persistent=False))
    next(made)
    before = len(list(Path("/proc/self/fd").iterdir()))
    held = [next(made) for _ in range(6)]
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= len(held)
