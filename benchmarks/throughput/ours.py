"""Our own loader, as a program that answers like the peers'."""

import sys
from pathlib import Path

import cv2
import torch

from benchmarks.throughput.recipes import RECIPES
from benchmarks.throughput.rounds import Make, serve
from detaug.batches.augmenter import Augmenter
from detaug.batches.dataset import SignDataset, collate
from detaug.commands.words import part
from detaug.readers.read import read
from detaug.scenes.recipe import Recipe

SIZE = 640
BATCH = 16


def prepare(root: Path, recipe: Recipe, kept: bool) -> Make:
    """Batches as a training's worker makes them; with `kept`, all images are decoded first."""
    augmenter = augmenter_of(root, recipe, kept)
    dataset, at = SignDataset(augmenter), 0

    def make(count: int) -> None:
        nonlocal at
        assert count % BATCH == 0
        for _ in range(0, count, BATCH):
            batch = collate(dataset.__getitems__([augmenter.draw(0, at + i) for i in range(BATCH)]))
            assert batch.images.shape == (BATCH, 3, SIZE, SIZE)
            at += BATCH

    return make


def augmenter_of(root: Path, recipe: Recipe, kept: bool) -> Augmenter:
    """The augmenter of the training images, in one thread; with `kept`, all images are decoded."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    catalog = part(read(root), "train")
    colours = recipe.colours(catalog)
    made = Augmenter(catalog, recipe, SIZE, length=10**6, cache_bytes=None if kept else 0, colours=colours)
    for row in range(len(catalog)) if kept else ():
        made.source.picture(row, 0)
    return made


if __name__ == "__main__":
    serve(lambda: prepare(Path(sys.argv[1]), RECIPES["more" if "more" in sys.argv else "equal"], "cached" in sys.argv))
