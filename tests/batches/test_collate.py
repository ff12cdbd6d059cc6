"""Items packed into a batch, and the batch on its way."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from detaug.batches.batch import Batch
from detaug.batches.dataset import Item, WholeImages, collate
from detaug.draws.sampler import ShareSampler
from detaug.sample import Sample
from tests.scenes.painted import world


def item(row: int, boxes: int, side: int = 8) -> Item:
    image = np.full((side, side + 2, 3), row, np.uint8)
    corners = np.array([[0, 0, 1 + b, 2 + b] for b in range(boxes)], np.float32).reshape(-1, 4)
    sample = Sample(image, corners, np.arange(boxes, dtype=np.int64))
    return Item(sample, row, (1.0, 2.0, 3.0, row), (80, 90), (row,) if row > 5 else ())


def test_nothing_is_a_batch() -> None:
    for items in ([], [None]):
        batch = collate(items)
        assert len(batch) == 0
        assert (batch.boxes.shape, batch.labels.shape, batch.starts.tolist()) == ((0, 4), (0,), [0])
        assert (batch.fits.shape, batch.sizes.shape, batch.broken.shape) == ((0, 4), (0, 2), (0,))


def test_images_without_boxes_keep_their_place() -> None:
    batch = collate([item(3, 0), item(1, 2), None, item(7, 0), item(2, 1)])
    assert batch.rows.tolist() == [3, 1, 7, 2]
    assert batch.starts.tolist() == [0, 0, 2, 2, 3]
    assert batch.boxes.tolist() == [[0, 0, 1, 2], [0, 0, 2, 3], [0, 0, 1, 2]]
    assert batch.images.shape == (4, 3, 8, 10)
    assert batch.images[:, 0, 0, 0].tolist() == [3, 1, 7, 2]
    assert batch.broken.tolist() == [7]
    assert batch.fits[2].tolist() == [1, 2, 3, 7]
    assert collate([item(3, 0)]).boxes.shape == (0, 4)


def test_pixels_keep_their_place_and_channel() -> None:
    rng = np.random.default_rng(0)
    wide = [rng.integers(0, 256, (7, 20, 3), np.uint8) for _ in range(3)]
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    for images in (wide, [image[:, 3:12] for image in wide]):  # also parts of larger images
        items = [Item(Sample(image, *nothing), 0, (1.0, 1.0, 0.0, 0.0), (7, 20)) for image in images]
        made = collate(items).images
        assert made.is_contiguous()
        np.testing.assert_array_equal(made.numpy(), np.stack(images).transpose(0, 3, 1, 2))


def test_images_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        collate([item(1, 0, side=8), item(2, 0, side=9)])


def test_to_moves_every_tensor() -> None:
    moved = collate([item(1, 2)]).to("meta")
    assert {getattr(moved, f.name).device.type for f in dataclasses.fields(Batch)} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a GPU")
def test_pinned_batches_come_from_the_loader() -> None:
    for items in ([item(1, 2), item(2, 0)], [None]):
        loader: Any = DataLoader(items, batch_size=2, collate_fn=collate, pin_memory=True)  # type: ignore[arg-type]
        batch = next(iter(loader))
        assert isinstance(batch, Batch)
        assert batch.images.is_pinned()
        assert batch.to("cuda", non_blocking=True).rows.device.type == "cuda"


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("images", [0, 1, 7])
def test_evaluation_loaders_hold_each_image_once(images: int, workers: int) -> None:
    """Over two ranks, also where one or both have no share; a loader always has a batch."""
    catalog = world(images=8, height=30, width=40).take(np.arange(images))
    whole = WholeImages(catalog, (32, 32), 0, "skip")
    rows = []
    for rank in range(2):
        sampler = ShareSampler(images, 2, rank)
        batches = list(DataLoader(whole, 2, sampler=sampler, num_workers=workers, collate_fn=collate))
        assert batches
        rows += [r for b in batches for r in b.rows.tolist()]
    assert sorted(rows) == list(range(images))
