"""Our own loader, as a program that answers like the peers'."""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.throughput.recipes import RECIPES
from benchmarks.throughput.rounds import Make, serve
from detaug.batches.augmenter import Augmenter
from detaug.batches.dataset import SignDataset, collate
from detaug.batches.exchange import exchange_for
from detaug.commands.words import part
from detaug.readers.catalog import Catalog
from detaug.readers.read import read
from detaug.render.pack import Pack
from detaug.render.pack_build import Wanted, build
from detaug.render.pack_file import JPEG, RAW
from detaug.scenes.recipe import Recipe

SIZE = 640
BATCH = 16
QUALITY = 95  # of a pack of JPEGs


def prepare(root: Path, recipe: Recipe, kept: bool, kind: str | None = None, partners: str = "any") -> Make:
    """Batches as a training's worker makes them; with `kept`, all images are decoded first.

    With a `kind`, they come from a pack that lies beside the folder and is made where it is missing.
    """
    augmenter = augmenter_of(root, recipe, kept, kind, partners)
    dataset, at = SignDataset(augmenter), 0
    dataset.exchange = exchange_for((BATCH, 3, SIZE, SIZE), workers=1, ahead=1)
    if dataset.exchange is not None:
        dataset.exchange.worker = 0

    def make(count: int) -> NDArray[np.uint8]:
        nonlocal at
        assert count % BATCH == 0
        for _ in range(0, count, BATCH):
            batch = collate(dataset.__getitems__([augmenter.draw(0, at + i) for i in range(BATCH)]))
            assert batch.images.shape == (BATCH, 3, SIZE, SIZE)
            at += BATCH
        return np.asarray(batch.images[-1].numpy())

    return make


def augmenter_of(root: Path, recipe: Recipe, kept: bool, kind: str | None = None, partners: str = "any") -> Augmenter:
    """The augmenter of the training images, in one thread; with `kept`, all images are decoded, see `prepare`."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    catalog = part(read(root), "train")
    colours = recipe.colours(catalog)
    pack = None if kind is None else _packed(catalog, root.with_name(f"{root.name}-{kind}.pack"), kind)
    made = Augmenter(
        catalog, recipe, SIZE, length=10**6, cache_bytes=None if kept else 0, colours=colours, pack=pack,
        partners=partners,
    )  # fmt: skip
    if kept:
        made.source.fill(range(len(catalog)))
    return made


def _packed(catalog: Catalog, path: Path, kind: str) -> Pack:
    """The pack of some images, made or brought up to date."""
    return build(Wanted(catalog, (SIZE, SIZE), kind, QUALITY if kind == JPEG else 0), path).pack


if __name__ == "__main__":
    asked = RECIPES["more" if "more" in sys.argv else "equal"]
    form = next((kind for kind in (RAW, JPEG) if kind in sys.argv), None)
    mates = "block" if "block" in sys.argv else "any"
    serve(lambda: prepare(Path(sys.argv[1]), asked, "cached" in sys.argv, form, mates))
