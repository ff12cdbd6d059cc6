"""A sample is a function of seed, epoch and slot alone."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from detaug.batches.augmenter import Augmenter
from detaug.batches.dataset import Item, SignDataset, collate
from detaug.detectors.torchvision import build_fcos
from detaug.draws.balance import Balance
from detaug.draws.draw import Draw
from detaug.draws.sampler import DrawSampler
from detaug.errors import InputError
from detaug.readers.read import read
from detaug.sample import Sample
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage
from tests.batches.painting import NAMES, painted
from tests.scenes.test_boxes_follow import STRONG

RECIPE = Recipe(**STRONG)  # type: ignore[arg-type]
IMAGES, BATCH, EPOCHS = 12, 4, 2
Seen = dict[tuple[int, int], str]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted(tmp_path_factory.mktemp("data"), {"train": IMAGES}, size=(150, 200))


def made(root: Path, seed: int = 0, cache_bytes: int | None = None, recipe: Recipe = RECIPE) -> Augmenter:
    balance = Balance(threshold=0.9)
    return Augmenter(read(root), recipe, 64, seed, balance=balance, rare=NAMES, cache_bytes=cache_bytes)


def digest(sample: Sample) -> str:
    parts = (sample.image, sample.boxes, sample.labels)
    return hashlib.blake2b(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


class Digests(Dataset[tuple[int, int, str]]):
    """Place and digest of each sample, taken where it is made."""

    def __init__(self, augmenter: Augmenter) -> None:
        self.samples = SignDataset(augmenter)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> tuple[int, int, str]:
        return draw.epoch, draw.slot, digest(self.samples[draw].sample)


def as_list(items: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    return list(items)


def seen(augmenter: Augmenter, workers: int, persistent: bool, world: int) -> Seen:
    """Two epochs as a DataLoader gives them, all ranks together."""
    found: Seen = {}
    for rank in range(world):
        sampler = DrawSampler(augmenter.order, BATCH // world, EPOCHS, world, rank)
        loader = DataLoader(
            Digests(augmenter),
            BATCH // world,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=persistent,
            collate_fn=as_list,
        )
        for epoch in range(EPOCHS):
            sampler.set_epoch(epoch)
            for epoch_seen, slot, value in (row for batch in loader for row in batch):
                assert (epoch_seen, slot) not in found
                found[epoch_seen, slot] = value
    return found


@pytest.fixture(scope="module")
def alone(root: Path) -> Seen:
    augmenter = made(root)
    return {(e, s): digest(augmenter[e, s]) for e in range(EPOCHS) for s in range(len(augmenter))}


def test_no_draw_is_repeated(alone: Seen, root: Path) -> None:
    assert len(set(alone.values())) == len(alone) == EPOCHS * IMAGES
    other = made(root, seed=1)
    assert {digest(other[0, s]) for s in range(IMAGES)}.isdisjoint(alone.values())


def test_one_image_is_another_picture_in_another_place(root: Path) -> None:
    augmenter = made(root)
    places = [(0, 3), (0, 4), (1, 3), (1, 4)]
    assert len({digest(augmenter.make(Draw(*place, item=5)).sample) for place in places}) == 4


@pytest.mark.parametrize("cache_bytes", [0, 40_000, None])
@pytest.mark.parametrize("world", [1, 2])
def test_caches_and_ranks_change_no_pixel(cache_bytes: int | None, world: int, alone: Seen, root: Path) -> None:
    assert seen(made(root, cache_bytes=cache_bytes), 0, False, world) == alone


@pytest.mark.parametrize(("workers", "persistent", "world"), [(1, True, 1), (3, False, 1), (3, True, 2), (1, False, 2)])
def test_workers_change_no_pixel(workers: int, persistent: bool, world: int, alone: Seen, root: Path) -> None:
    assert seen(made(root, cache_bytes=40_000), workers, persistent, world) == alone


def test_order_of_asking_does_not_matter(alone: Seen, root: Path) -> None:
    augmenter = made(root, cache_bytes=40_000)
    places = [(1, 7), (0, 3), (1, 7), (0, 0)]
    assert [digest(augmenter[p]) for p in places] == [alone[p] for p in places]


def test_planning_ahead_or_in_batches_changes_nothing(alone: Seen, root: Path) -> None:
    augmenter = made(root)
    for epoch in range(EPOCHS):
        for slot in range(IMAGES):
            assert digest(augmenter[epoch, slot]) == alone[epoch, slot]
    draws = [augmenter.draw(epoch, slot) for slot in range(IMAGES) for epoch in range(EPOCHS)]
    items = SignDataset(augmenter).__getitems__(draws)
    assert [digest(item.sample) for item in items] == [alone[draw.epoch, draw.slot] for draw in draws]


@pytest.mark.parametrize(("step", "size"), [(2, 2), (1, 1), (3, 3), (2, 1), (1, 3)])
def test_batches_at_even_distances_are_planned_together(
    step: int, size: int, alone: Seen, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a worker of a loader gets them; none of another epoch or past the end, and the samples are the same."""
    blocks = planned_blocks(monkeypatch)
    dataset = SignDataset(made(root))
    firsts = range(0, IMAGES - size + 1, step)
    for epoch in range(EPOCHS):
        for first in firsts:
            draws = [dataset.augmenter.draw(epoch, slot) for slot in range(first, first + size)]
            items = dataset.__getitems__(draws)
            assert [digest(item.sample) for item in items] == [alone[draw.epoch, draw.slot] for draw in draws]
    if step >= size:
        assert sum(blocks) == EPOCHS * len(firsts) * size
        assert len(blocks) < EPOCHS * len(firsts)


def test_a_wrong_guess_is_made_once_in_an_epoch(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a loader's order is another one, nothing is planned twice after that; a large batch is planned alone."""
    blocks = planned_blocks(monkeypatch)
    augmenter = made(root)
    other = [Draw(0, slot, (augmenter.draw(0, slot).item + 1) % IMAGES) for slot in range(IMAGES)]
    for slot in range(IMAGES):
        assert next(augmenter.makes([other[slot]])).scene.draw == other[slot]
    assert sum(blocks) == IMAGES + 1
    blocks.clear()
    for slot in (0, 1, 2, *range(4, IMAGES)):  # an epoch that is left early, then one that is gone through
        list(augmenter.makes([augmenter.draw(1 + (slot > 2), slot)]))
    assert sum(blocks) <= IMAGES
    assert len(blocks) < IMAGES - 3
    blocks.clear()
    many = [augmenter.draw(3, slot) for slot in range(IMAGES)] * 3
    for _ in range(3):
        assert len(list(augmenter.makes(many))) == len(many)
    assert blocks == [len(many)] * 3
    assert list(augmenter.makes([])) == []


def planned_blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many scenes are planned at once, each time, from now on."""
    blocks: list[int] = []
    plans = Recipe.plans

    def counted(recipe: Recipe, draws: Sequence[Draw], stage: Stage) -> Iterator[Scene]:
        draws = list(draws)
        blocks.append(len(draws))
        return plans(recipe, draws, stage)

    monkeypatch.setattr(Recipe, "plans", counted)
    return blocks


def test_little_is_planned_in_vain(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in jumps, in stretches: never twice as many scenes as are asked for, and few blocks where in order."""
    augmenter = made(root)
    blocks = planned_blocks(monkeypatch)
    stretches = [range(12), range(0, 12, 2), range(11, -1, -1), (0, 1, 2, 6, 7, 8), (5, 5, 5), (0, 1, 0, 1)]
    for slots in stretches:
        blocks.clear()
        for slot in slots:
            assert augmenter.scene(0, slot).draw.slot == slot
        assert sum(blocks) < 2 * len(slots) + 1
    blocks.clear()
    for epoch in range(EPOCHS):
        for slot in range(IMAGES):
            augmenter.scene(epoch, slot)
    assert len(blocks) <= 4 * EPOCHS


def test_the_plan_is_the_samples_plan(root: Path) -> None:
    augmenter = made(root)
    scene, whole = augmenter.scene(1, 5), augmenter.make(augmenter.draw(1, 5))
    assert np.array_equal(scene.matrix, whole.scene.matrix)
    assert len(whole.visible.boxes) == len(whole.sample.boxes) == len(whole.sample.labels)


def test_closing_switches_what_mixes_off_and_nothing_else(root: Path) -> None:
    augmenter = made(root)
    for slot in range(IMAGES):
        assert len(augmenter.scene(0, slot, mixing=True).image) >= 5
        closed = augmenter.scene(0, slot, mixing=False)
        assert closed.image.tolist() == [augmenter.draw(0, slot).item]
        mixed = augmenter.scene(0, slot, mixing=True)
        assert closed.noise == mixed.noise
        assert closed.effects == mixed.effects


def test_nonsense_is_refused(root: Path) -> None:
    with pytest.raises(InputError, match="no image to augment"):
        Augmenter(read(root).take(np.zeros(0, np.int64)), RECIPE)
    with pytest.raises(InputError, match="'blue'"):
        Augmenter(read(root), RECIPE, rare=["blue"])
    with pytest.raises(IndexError, match="12"):
        made(root)[0, IMAGES]


def batches(augmenter: Augmenter, epochs: int) -> Iterator[list[Item]]:
    dataset = SignDataset(augmenter)
    for epoch in range(epochs):
        for start in range(0, len(augmenter), BATCH):
            yield [dataset[augmenter.draw(epoch, slot)] for slot in range(start, start + BATCH)]


def test_a_plain_loop_learns_from_it(root: Path) -> None:
    """No Lightning: the loss is finite and falls."""
    torch.manual_seed(0)
    model = build_fcos("mobilenetv3_small_100", classes=3, channels=32, head_convs=1).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    augmenter = made(root, recipe=Recipe.builtin("signs_light"))
    losses = []
    for items in batches(augmenter, epochs=8):
        out = model(collate(items), losses=True, detections=False)
        loss = torch.stack(list(out.losses.values())).sum() / out.normaliser.clamp(min=1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:3])
