"""Where a sample's time goes: CPU milliseconds per stage, one thread, images cached.

    python benchmarks/stages.py --data DIR --recipe signs --size 320

CPU time of this process is counted, not the clock's, so that a busy machine disturbs it less.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2

from detaug.batches.augmenter import Augmenter
from detaug.draws.balance import Balance
from detaug.readers.catalog import Split
from detaug.readers.read import read
from detaug.render.cpu import render
from detaug.scenes.finish import finished
from detaug.scenes.recipe import Recipe


def main() -> None:
    """Print a table of medians over rounds, each with its least and greatest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--recipe", default="signs")
    parser.add_argument("--size", default=320, type=int)
    parser.add_argument("--samples", default=400, type=int)
    parser.add_argument("--rounds", default=5, type=int)
    asked = parser.parse_args()
    cv2.setNumThreads(0)
    catalog = read(asked.data)
    catalog = catalog.split("train") if (catalog.splits == Split.TRAIN).any() else catalog
    recipe = Recipe.from_yaml(asked.recipe) if Path(asked.recipe).is_file() else Recipe.builtin(asked.recipe)
    augmenter = Augmenter(catalog, recipe, asked.size, balance=Balance())
    places = [(k // len(augmenter), k % len(augmenter)) for k in range(asked.samples)]
    scenes = [augmenter.scene(*place) for place in places]
    bare = [replace(s, effects=()) for s in scenes]
    plain = [replace(s, effects=(), noise=None, colour=None, curve=None) for s in scenes]
    for scene in scenes:  # fills the cache and makes the noise pools
        render(scene, augmenter.source)
    steps: dict[str, Callable[[], object]] = {
        "plan": lambda: [augmenter.scene(*place) for place in places],
        "finish": lambda: finished(scenes, recipe.min_visible, recipe.min_side),
        "warp": lambda: [render(s, augmenter.source) for s in plain],
        "+ colour, noise": lambda: [render(s, augmenter.source) for s in bare],
        "+ effects": lambda: [render(s, augmenter.source) for s in scenes],
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(asked.rounds):
        for name, step in steps.items():
            begun = time.process_time()
            step()
            taken[name].append((time.process_time() - begun) / asked.samples * 1e3)
    print(f"{len(catalog)} images, {asked.size} px, {asked.samples} samples, {asked.rounds} rounds; CPU ms a sample")
    for name, values in taken.items():
        print(f"{name:16} min {min(values):6.3f}  median {statistics.median(values):6.3f}  max {max(values):6.3f}")
    added = [b - a for a, b in zip(taken["+ colour, noise"], taken["+ effects"], strict=True)]
    print(f"{'effects alone':16} min {min(added):6.3f}  median {statistics.median(added):6.3f}  max {max(added):6.3f}")


if __name__ == "__main__":
    main()
