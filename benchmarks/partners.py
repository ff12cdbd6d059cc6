"""What variety is lost where a mosaic's partners come from the slot's own block, and what that saves.

    python -m benchmarks.partners DATA --recipe configs/road_signs.yaml
    python -m benchmarks.partners DATA --recipe signs --blocks 16 64 --batch 64

Every scene is a mosaic here. Only scenes are planned: no image is read, so a dataset without its images will do.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.exposure import table
from detaug.batches.page import read_page
from detaug.commands.words import part, size
from detaug.draws.balance import Balance
from detaug.draws.draw import Draw
from detaug.readers.catalog import Catalog
from detaug.readers.read import read
from detaug.scenes.ground import Ground, ground
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe

MOSAIC = Recipe(mosaic=Mosaic(p=1, focus=0, centres=1, candidates=1))
PAIRS = list(combinations(range(4), 2))

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Variety:
    """What some epochs of mosaics show.

    Attributes:
        batch: distinct images in a batch, on average.
        pairs: distinct pairs of images that stood in one mosaic together.
        again: share of mosaics with a pair that an earlier mosaic of the same epoch had.
        ever: share of mosaics with a pair that any earlier mosaic had.
        twice: share of mosaics that show an image twice.
    """

    batch: float
    pairs: int
    again: float
    ever: float
    twice: float


def main() -> None:
    """Print what is lost, and the classes' shares among partners."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--recipe", default="signs", help="a page whose balance, rare classes and size are used")
    parser.add_argument("--size", type=size)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--blocks", type=int, nargs="+", default=[8, 16, 32, 64])
    asked = parser.parse_args()
    catalog, page = part(read(asked.data), "train"), read_page(asked.recipe)
    canvas, balance = asked.size or page.size or (640, 640), page.balance or Balance()

    def planned(partners: str, block: int = 16) -> Ground:
        return ground(catalog, MOSAIC, canvas, balance=balance, rare=page.rare, partners=partners, block=block)

    kinds = {"any": planned("any")} | {f"block of {b}": planned("block", b) for b in asked.blocks}
    possible = len(catalog) * (len(catalog) - 1) // 2
    print(f"{len(catalog)} images ({possible} pairs), {asked.epochs} epochs of {len(catalog)} mosaics, ", end="")
    print(f"batches of {asked.batch}\n\n{'':14}{'images':>10}{'decoded':>10}{'distinct':>10}", end="")
    print(f"{'a pair again':>16}{'a pair again':>16}{'an image':>12}")
    print(f"{'partners':14}{'a batch':>10}{'a sample':>10}{'pairs':>10}", end="")
    print(f"{'in the epoch':>16}{'ever':>16}{'twice':>12}")
    shown = {}
    for name, made in kinds.items():
        own, tiles = mosaics(made, asked.epochs)
        found = variety(tiles, len(catalog), asked.epochs, asked.batch)
        print(f"{name:14}{found.batch:10.1f}{found.batch / asked.batch:10.2f}{found.pairs:10}", end="")
        print(f"{found.again:16.1%}{found.ever:16.1%}{found.twice:12.1%}", flush=True)
        times = np.bincount(tiles.ravel(), minlength=len(catalog)) - np.bincount(own, minlength=len(catalog))
        shown[name] = share(catalog, times)
    solution = kinds["any"].solution
    factors = balance.image_factors(catalog) if solution is None else solution.factors
    columns = {"by factors": share(catalog, factors), **shown}
    print("\nShare of the boxes in partner images, percent")
    table(catalog.classes.names, catalog.class_counts(), {n: 100 * v for n, v in columns.items()}, digits=2)


def mosaics(planned: Ground, epochs: int) -> tuple[Rows, Rows]:
    """(S,) the own image and (S, 4) all images of each mosaic, epoch after epoch."""
    order = planned.stage.order
    draws = [Draw(e, s, item) for e in range(epochs) for s, item in enumerate(order.items(e).tolist())]
    tiles = np.array([scene.image for scene in planned.recipe.plans(draws, planned.stage)])
    return np.array([draw.item for draw in draws]), tiles


def variety(tiles: Rows, images: int, epochs: int, batch: int) -> Variety:
    """Count.

    Args:
        tiles: (S, 4) the images of each mosaic, epoch after epoch.
        images: how many there are.
        epochs: how many epochs of equal length.
        batch: mosaics in a batch; what is over at an epoch's end is not counted.
    """
    by_epoch = tiles.reshape(epochs, -1, 4)
    whole = by_epoch.shape[1] // batch * batch
    batches = by_epoch[:, :whole].reshape(-1, batch * 4)
    pairs = np.sort(tiles[:, PAIRS], axis=2) @ np.array([images, 1])
    epoch = np.repeat(np.arange(epochs), by_epoch.shape[1])[:, None]
    return Variety(
        batch=float(np.mean([len(np.unique(one)) for one in batches])),
        pairs=len(np.unique(pairs)),
        again=float(_again(pairs + epoch * images**2).mean()),
        ever=float(_again(pairs).mean()),
        twice=float((np.diff(np.sort(tiles, axis=1), axis=1) == 0).any(1).mean()),
    )


def _again(pairs: Rows) -> NDArray[np.bool_]:
    """(S,) whether one of a mosaic's pairs, (S, 6), was in a mosaic before it."""
    _, first, which = np.unique(pairs, return_index=True, return_inverse=True)
    before = first[which.reshape(pairs.shape)] // pairs.shape[1]
    found: NDArray[np.bool_] = (before < np.arange(len(pairs))[:, None]).any(1)
    return found


def share(catalog: Catalog, times: NDArray[np.generic] | Sequence[float]) -> NDArray[np.float64]:
    """(C,) each class's share of all boxes, where image i is shown `times[i]` times."""
    weights = np.asarray(times, np.float64)[catalog.images_of_boxes()]
    total = np.bincount(catalog.labels, weights, minlength=len(catalog.classes))
    return np.asarray(total / max(1, total.sum()))


if __name__ == "__main__":
    main()
