"""Partners from a slot's own block."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from detaug.draws.balance import Order
from detaug.draws.draw import Draw
from detaug.draws.neighbours import Neighbours
from detaug.draws.sampler import DrawSampler
from detaug.errors import InputError


def places(order: Order, epochs: int) -> list[Draw]:
    return [Draw(e, s, int(item)) for e in range(epochs) for s, item in enumerate(order.items(e))]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 100])
def test_partners_are_other_slots_of_the_block(length: int) -> None:
    """Every image comes once in an epoch here, so an image names its slot."""
    order = Order(np.ones(length), 3, length)
    draws = places(order, 3)
    rows = Neighbours(order, 16).partners(draws, np.random.default_rng(0).random((len(draws), 3)))
    for draw, partners in zip(draws, rows.tolist(), strict=True):
        slots = [order.items(draw.epoch).tolist().index(row) for row in partners]
        first = draw.slot - draw.slot % 16
        first = max(0, min(first, length - 16))
        assert all(first <= slot < min(length, first + 16) for slot in slots)
        assert draw.slot not in slots or length == 1
        assert len(set(slots)) == min(3, max(1, length - 1))


def test_the_block_is_what_its_slots_share() -> None:
    order = Order(np.ones(37), 3, 37)
    made = Neighbours(order, 8)
    for epoch in (0, 4):
        items = order.items(epoch).tolist()
        for slot in range(37):
            first = slot // 8 * 8 if slot < 32 else 29
            assert made.rows(epoch, slot).tolist() == items[first : first + 8]


def test_every_combination_of_others_is_as_likely() -> None:
    order = Order(np.ones(8), 0, 8)
    (draw,) = (d for d in places(order, 1) if d.slot == 5)
    rows = Neighbours(order, 4).partners([draw] * 24_000, np.random.default_rng(1).random((24_000, 3)))
    others = [int(order.items(0)[s]) for s in (4, 6, 7)]
    counts = Counter(map(tuple, rows.tolist()))
    assert set(counts) == set(permutations(others))
    assert all(abs(count / 4000 - 1) < 0.08 for count in counts.values())


@pytest.mark.parametrize("length", [40, 43])
def test_partners_are_balanced(length: int) -> None:
    factors = np.random.default_rng(5).uniform(1, 6, 25)
    order = Order(factors, 1, length)
    draws = places(order, 1500)
    rows = Neighbours(order, 16).partners(draws, np.random.default_rng(2).random((len(draws), 3)))
    shown = np.bincount(rows.ravel(), minlength=25) / rows.size
    np.testing.assert_allclose(shown, factors / factors.sum(), rtol=0.06)


def test_a_scenes_partners_do_not_hang_on_the_others() -> None:
    order = Order(np.random.default_rng(5).uniform(1, 6, 25), 1, 40)
    draws, chance = places(order, 3), np.random.default_rng(0).random((120, 3))
    expected = Neighbours(order, 8).partners(draws, chance)
    mixed = np.random.default_rng(4).permutation(120)
    together = Neighbours(order, 8).partners([draws[i] for i in mixed], chance[mixed])
    np.testing.assert_array_equal(together, expected[mixed])
    for i in (119, 3, 57, 4):
        np.testing.assert_array_equal(Neighbours(order, 8).partners([draws[i]], chance[i : i + 1])[0], expected[i])


def test_a_slot_beyond_a_short_epoch_is_one_of_it() -> None:
    """Where there are fewer images than ranks, the sampler goes round."""
    order = Order(np.ones(2), 0, 2)
    draws = [d for rank in range(5) for d in DrawSampler(order, 8, 9, 5, rank)]
    assert [d.slot for d in draws] == [0, 1, 2, 3, 4]
    rows = Neighbours(order, 16).partners(draws, np.full((5, 3), 0.5))
    assert (rows == 1 - np.array([[d.item] for d in draws])).all()


@pytest.mark.parametrize(("batch", "world", "whole"), [(16, 1, 1), (16, 2, 1), (32, 1, 2), (32, 3, 2)])
def test_a_rank_gets_whole_blocks(batch: int, world: int, whole: int) -> None:
    order = Order(np.ones(500), 7, 500)
    for rank in range(world):
        slots = [d.slot for d in DrawSampler(order, batch, 9, world, rank)]
        for start in range(0, len(slots), batch):
            blocks = Counter(slot // 16 for slot in slots[start : start + batch])
            assert list(blocks.values()) == [16] * whole


def test_a_block_holds_a_mosaic() -> None:
    with pytest.raises(InputError, match=r"data\.block is a number of slots, at least 4, not 3"):
        Neighbours(Order(np.ones(9), 0, 9), 3)
