"""What balancing does to the class counts, what of it survives mosaic, and whether a solved floor is kept.

    python -m benchmarks.exposure DATA --recipe configs/road_signs.yaml --floor 350
    python -m benchmarks.exposure TT100K --recipe signs --floor 20 --length 2000

Only scenes are planned: no image is read, so a dataset without its images will do.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detaug.batches.page import read_page
from detaug.commands.words import part, size
from detaug.draws.balance import Balance, Order
from detaug.readers.read import read
from detaug.scenes.exposure import Exposure, exposure
from detaug.scenes.ground import Ground, ground
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe

FEW = 40  # classes that a table names


class UniformPartners(Order):
    """Partners without regard to the repeat factors, as other pipelines draw them."""

    def partners(self, chance: NDArray[np.float64]) -> NDArray[np.int64]:
        """Any images."""
        return (chance * len(self._ends)).astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--recipe", default="signs")
    parser.add_argument("--size", type=size)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--length", type=int, help="scenes in an epoch; by default the number of images")
    parser.add_argument("--floor", type=int, default=200)
    asked = parser.parse_args()
    catalog, page = part(read(asked.data), "train"), read_page(asked.recipe)
    canvas, epochs, length = asked.size or page.size or (640, 640), range(asked.epochs), asked.length
    print(f"{len(catalog)} images, {length or len(catalog)} scenes an epoch, {canvas}, mean of {asked.epochs} epochs")

    def made(recipe: Recipe, balance: Balance | None) -> Ground:
        return ground(catalog, recipe, canvas, balance=balance, rare=page.rare, length=length)

    def shown(planned: Ground) -> Exposure:
        return exposure(planned.stage, planned.recipe, epochs)

    balance = page.balance if page.balance is not None and not page.balance.solved else Balance()
    without = replace(page.recipe, paste=None)
    begun = time.process_time()
    floored = made(page.recipe, Balance(floor=asked.floor))
    seconds = time.process_time() - begun
    columns = {
        "even": shown(made(without, None)),
        "balance": shown(made(without, balance)),
        "+ paste": shown(made(page.recipe, balance)),
        f"floor {asked.floor}": shown(floored),
    }
    present = catalog.class_counts()
    print("\nVisible instances an epoch")
    table(catalog.classes.names, present, {name: e.per_epoch() for name, e in columns.items()})

    mosaic = Recipe(mosaic=page.recipe.mosaic or Mosaic(), min_visible=page.recipe.min_visible)
    survival = {}
    for name, p in (("single images", 0.0), ("mosaic", 1.0)):
        recipe = replace(mosaic, mosaic=replace(mosaic.mosaic or Mosaic(), p=p))
        even, own = made(recipe, None), made(recipe, balance)
        own = replace(own, stage=replace(own.stage, weights=even.stage.weights))  # the order alone is compared
        before = share(shown(even))
        survival[name] = share(shown(own)) / before
        if p:
            uniform = UniformPartners(balance.image_factors(catalog), 0, own.stage.order.length)
            survival["mosaic, uniform"] = share(shown(replace(own, stage=replace(own.stage, order=uniform)))) / before
    print("\nHow many times larger a class's share of all instances is with balance than without")
    table(catalog.classes.names, present, survival, digits=2)

    solution = floored.solution
    assert solution is not None
    mean = columns[f"floor {asked.floor}"].per_epoch()
    ratio = (mean / solution.goal)[~solution.short]
    least = f"{ratio.min():.3f}" if len(ratio) else "-"
    print(
        f"\nSolved in {seconds:.1f} s of CPU time. Largest repeat factor {solution.factors.max():.1f}; pastes an epoch:"
    )
    print(f"{solution.tries.sum():.0f}. {len(ratio)} of {len(present)} classes are called reachable; the least of them")
    print(f"has {least} of the floor. {len(solution.unreached)} stay under it:")
    print("\n".join(f"  {sentence}" for sentence in solution.unreached))


def share(counted: Exposure) -> np.ndarray:
    """(C,) each class's share of all instances."""
    total = counted.per_epoch()
    return np.asarray(total / max(1, total.sum()))


def table(names: Sequence[str], present: np.ndarray, columns: dict[str, np.ndarray], digits: int = 0) -> None:
    """Print the most frequent and the rarest classes."""
    order = np.argsort(-present, kind="stable")
    order = order if len(order) <= FEW else np.concatenate([order[: FEW // 2], order[-FEW // 2 :]])
    print(f"{'class':20}{'boxes':>8}" + "".join(f"{name:>18}" for name in columns))
    for c in order:
        print(f"{names[c]:20}{present[c]:8}" + "".join(f"{values[c]:18.{digits}f}" for values in columns.values()))


if __name__ == "__main__":
    main()
