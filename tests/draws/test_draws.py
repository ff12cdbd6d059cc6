"""Draws, balance, order, samplers, donors."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from detaug.draws.balance import Balance, Order, rare_classes
from detaug.draws.donors import Donors
from detaug.draws.draw import Draw, Streams
from detaug.draws.sampler import NOTHING, DrawSampler, ShareSampler
from detaug.errors import InputError
from tests.scenes.painted import world

CATALOG = world(images=30)


def test_streams_are_keyed_by_all_their_parts() -> None:
    streams = Streams(3)
    numbers = {
        (s, e, p, n): Streams(s).of(e, p, n).random(4).tobytes()
        for s in (3, 4)
        for e in (0, 1)
        for p in (0, 1, 2)
        for n in ("mosaic", "paste", "paste/search")
    }
    assert len(set(numbers.values())) == len(numbers)
    streams.of(5, 5, "mosaic").random(7)  # what was drawn before does not matter
    assert streams.of(1, 2, "paste").random(4).tobytes() == numbers[3, 1, 2, "paste"]


def test_streams_are_numpys_own_philox() -> None:
    import zlib

    expected = np.random.Generator(
        np.random.Philox(key=[9, 0], counter=np.array([0, zlib.crc32(b"flip"), 4, 2], np.uint64))
    ).random(5)
    np.testing.assert_array_equal(Streams(9).of(2, 4, "flip").random(5), expected)


def test_repeat_factors_follow_the_formula() -> None:
    factors = Balance(threshold=0.5, power=0.5, most=100).image_factors(CATALOG)
    for row in range(len(CATALOG)):
        labels = set(CATALOG.labels[CATALOG.objects(row)].tolist())
        expected = 1.0
        for label in labels:
            share = np.mean([label in CATALOG.labels[CATALOG.objects(r)] for r in range(len(CATALOG))])
            expected = max(expected, float((0.5 / share) ** 0.5))
        assert factors[row] == pytest.approx(expected)
    assert (Balance(threshold=0).image_factors(CATALOG) == 1).all()
    assert Balance(threshold=1, power=1, most=2).image_factors(CATALOG).max() == 2


@pytest.mark.parametrize("setting", [{"threshold": 2}, {"power": -1}, {"most": 0.5}])
def test_balance_refuses_nonsense(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(setting))):
        Balance(**setting)


def test_over_many_epochs_each_image_comes_by_its_factor() -> None:
    factors = np.array([1.0, 1.0, 2.5, 1.0, 3.3, 1.2])
    order = Order(factors, seed=1, length=7)
    counts = np.bincount(np.concatenate([order.items(e) for e in range(3000)]), minlength=6)
    np.testing.assert_allclose(counts / counts.sum(), factors / factors.sum(), rtol=0.02)
    assert all(len(order.items(e)) == 7 for e in range(20))


def test_without_balance_every_image_comes_once_an_epoch() -> None:
    order = Order(np.ones(13), seed=0, length=13)
    for epoch in range(5):
        assert sorted(order.items(epoch).tolist()) == list(range(13))
    assert order.items(0).tolist() != order.items(1).tolist()


def test_partners_come_from_the_balanced_distribution() -> None:
    factors = np.array([1.0, 4.0, 1.0, 2.0])
    rng = np.random.default_rng(0)
    order = Order(factors, 0, 4)
    counts = np.bincount(order.partners(rng.random(8000)), minlength=4)
    np.testing.assert_allclose(counts / 8000, factors / 8, atol=0.02)


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_together_see_the_single_process_epoch(world_size: int) -> None:
    order = Order(np.ones(50), 7, 50)
    alone = DrawSampler(order, 8, mix_until_epoch=2)
    ranks = [DrawSampler(order, 8 // world_size, 2, world_size, r) for r in range(world_size)]
    for epoch in (0, 1, 2):
        for sampler in (alone, *ranks):
            sampler.set_epoch(epoch)
        single = list(alone)
        assert len(single) == len(alone) == 48
        assert all(d.epoch == epoch and d.mixing == (epoch < 2) for d in single)
        dealt = [list(r) for r in ranks]
        for step in range(6):
            share = 8 // world_size
            together = {d for rank in dealt for d in rank[step * share : (step + 1) * share]}
            assert together == set(single[step * 8 : (step + 1) * 8])


def test_fewer_images_than_a_batch_still_give_a_step() -> None:
    for world_size in (1, 2, 3):
        ranks = [list(DrawSampler(Order(np.ones(2), 0, 2), 8, 9, world_size, r)) for r in range(world_size)]
        assert {len(r) for r in ranks} == {max(1, 2 // world_size)}


@pytest.mark.parametrize("images", [0, 1, 7])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_evaluation_shares_hold_each_image_once(images: int, world_size: int) -> None:
    shares = [list(ShareSampler(images, world_size, r)) for r in range(world_size)]
    assert all(len(list(s)) == len(ShareSampler(images, world_size, r)) > 0 for r, s in enumerate(shares))
    assert Counter(i for s in shares for i in s if i != NOTHING) == Counter(range(images))


def test_rare_is_under_an_eighth_of_the_most_frequent() -> None:
    labels = np.repeat(np.arange(8), [80, 11, 10, 9, 40, 1, 0, 8]).astype(np.int32)
    from dataclasses import replace

    count = len(labels)
    catalog = replace(
        CATALOG.take(np.array([0])),
        boxes=np.tile(np.array([[1, 1, 30, 30]], np.float32), (count, 1)),
        labels=labels,
        flags=np.zeros(count, np.uint8),
        starts=np.array([0, count]),
    )
    assert np.flatnonzero(rare_classes(catalog)).tolist() == [3, 5, 7]


def test_donors_are_whole_alone_and_of_rare_classes() -> None:
    rare = np.zeros(8, bool)
    rare[[1, 4]] = True
    donors = Donors.of(CATALOG, rare)
    assert len(donors) > 0
    assert set(CATALOG.labels[donors.box].tolist()) == {1, 4}
    for box, image in zip(donors.box.tolist(), donors.image.tolist(), strict=True):
        assert CATALOG.objects(image).start <= box < CATALOG.objects(image).stop
    draws, chance = [Draw(0, slot, 0) for slot in range(1000)], np.random.default_rng(0).random((1000, 7))
    owner, rank, found = donors.hands(draws, (1, 3), chance)
    assert 0.3 < (CATALOG.labels[donors.box[found]] == 1).mean() < 0.7
    counts = np.bincount(owner, minlength=1000)
    np.testing.assert_allclose(np.bincount(counts) / 1000, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.05)
    assert (rank < counts[owner]).all()
    assert set(found.tolist()) == set(range(len(donors)))
    from dataclasses import replace

    flagged = replace(CATALOG, flags=np.full(len(CATALOG.boxes), 4, np.uint8))
    assert len(Donors.of(flagged, rare)) == 0
    cut = replace(CATALOG, boxes=CATALOG.boxes * np.array([0, 1, 1, 1], np.float32))
    assert len(Donors.of(cut, rare)) == 0


def test_draws_are_values() -> None:
    assert Draw(1, 2, 3) == Draw(1, 2, 3, True)
    assert hash(Draw(1, 2, 3)) == hash(Draw(1, 2, 3))


def test_donors_are_those_that_a_check_box_by_box_finds() -> None:
    from dataclasses import replace

    rng = np.random.default_rng(3)
    low = rng.uniform(0, 900, (len(CATALOG.boxes), 2))
    crowded = replace(CATALOG, boxes=np.hstack([low, low + rng.uniform(5, 300, low.shape)]).astype(np.float32))
    rare = np.ones(8, bool)
    expected = set()
    for image in range(len(crowded)):
        objects = crowded.objects(image)
        for own in range(objects.start, objects.stop):
            x1, y1, x2, y2 = crowded.boxes[own].astype(float)
            wide, high = x2 - x1, y2 - y1
            alone = True
            for other in range(objects.start, objects.stop):
                a, b, c, d = crowded.boxes[other].astype(float)
                shared = max(0.0, min(x2, c) - max(x1, a)) * max(0.0, min(y2, d) - max(y1, b))
                alone &= other == own or shared <= 0.1 * wide * high
            if alone and min(wide, high) >= 12 and max(wide, high) <= 4 * min(wide, high):
                expected.add(own)
    assert set(Donors.of(crowded, rare).box.tolist()) == expected
    assert 10 < len(expected) < len(low)


def test_blurred_donors_go_unless_their_class_would_lose_most() -> None:
    from detaug.readers.colours import Colours

    rare, none = np.ones(8, bool), np.zeros(0, np.float32)
    everyone = Donors.of(CATALOG, rare)
    sharpness = np.full(len(CATALOG.boxes), 4, np.float32)
    labels = CATALOG.labels
    blurred = everyone.box[labels[everyone.box] == 2][:2]
    sharpness[blurred] = 0.5
    few = everyone.box[labels[everyone.box] == 3]
    sharpness[few] = np.nan
    many = everyone.box[labels[everyone.box] == 5]
    sharpness[many] = np.where(np.arange(len(many)) % 2, 0.1, 9.0)
    sharp = Donors.of(CATALOG, rare, colours=Colours(np.zeros((0, 8, 8, 3), np.uint8), sharpness, none))
    gone = set(everyone.box.tolist()) - set(sharp.box.tolist())
    assert set(blurred.tolist()) <= gone
    assert not gone & set(few.tolist())
    assert 2 * len(gone & set(many.tolist())) <= len(many)
