"""How many full scenes one core plans in a second: each operation on in every scene, none rendered.

    python -m benchmarks.planning DATA --pastes 3

CPU time of this process is counted, not the clock's, so that a busy machine disturbs it less.
"""

import argparse
import statistics
import time
from dataclasses import replace

from detaug.batches.augmenter import Augmenter
from detaug.commands.words import part
from detaug.draws.balance import Balance
from detaug.readers.read import read
from detaug.scenes.affine import Affine
from detaug.scenes.colour import Colour
from detaug.scenes.effects import Effects
from detaug.scenes.flip import Flip
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe

MIXUP = 0.05  # a second mosaic shining through every scene is nobody's recipe


def main() -> None:
    """Print the median over rounds, and what is in the scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--pastes", type=int, default=3, help="donors tried in each scene")
    parser.add_argument("--centres", type=int, default=2, help="candidate centres of a mosaic")
    parser.add_argument("--candidates", type=int, default=4, help="candidate windows of a tile")
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    recipe = full(asked)
    catalog = part(read(asked.data), "train")
    colours = recipe.colours(catalog)
    augmenter = Augmenter(catalog, recipe, asked.size, balance=Balance(threshold=0.6), colours=colours)
    draws = [augmenter.draw(k // len(augmenter), k % len(augmenter)) for k in range(asked.scenes)]
    planned = list(recipe.plans(draws, augmenter.stage))
    rates, whole = [], []
    for _ in range(asked.rounds):
        begun = time.process_time()
        for _ in recipe.plans(draws, augmenter.stage):
            pass
        between = time.process_time()
        for _ in recipe.planned(draws, augmenter.stage):
            pass
        rates.append(asked.scenes / (between - begun))
        whole.append(asked.scenes / (time.process_time() - between))
    pastes = statistics.mean(len(s.image) - 4 for s in planned)
    names = ", ".join(recipe.operations())
    print(f"{asked.scenes} scenes of {asked.size} px, {asked.rounds} rounds; operations: {names}")
    print(f"mosaic: {asked.centres} centres, {asked.candidates} windows a tile; {asked.pastes} donors tried")
    print(f"layers besides the four tiles (pastes, decoys, mixup): {pastes:.2f} a scene")
    print(f"planned:            {statistics.median(rates):6.0f} scenes/s ({min(rates):.0f} to {max(rates):.0f})")
    print(f"and its boxes made: {statistics.median(whole):6.0f} scenes/s ({min(whole):.0f} to {max(whole):.0f})")


def full(asked: argparse.Namespace) -> Recipe:
    """The built-in recipe, each operation at probability 1 but mixup; a mosaic takes the place of the crop."""
    signs = Recipe.builtin("signs")
    return replace(
        signs,
        mosaic=Mosaic(p=1.0, centres=asked.centres, candidates=asked.candidates),
        crop=None,
        mixup=Mixup(p=MIXUP),
        paste=replace(signs.paste or Paste(), p=1.0, count_range=(asked.pastes, asked.pastes)),
        flip=Flip(p=0.5),
        affine=Affine(p=1.0),
        colour=Colour(p=1.0),
        noise=GaussianNoise(p=1.0),
        effects=replace(signs.effects or Effects(), p=1.0),
    )


if __name__ == "__main__":
    main()
