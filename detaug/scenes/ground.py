"""The ground that scenes are planned on: who comes when, who is pasted, and the recipe to plan with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detaug.draws.balance import Balance, Order, rare_mask
from detaug.draws.donors import Donors
from detaug.draws.draw import Streams
from detaug.draws.neighbours import BLOCK, Neighbours
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.colours import Colours
from detaug.scenes.light import Light
from detaug.scenes.recipe import Recipe
from detaug.scenes.solver import Solution, solve
from detaug.scenes.stage import Stage


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What a scene is planned from; no image is read for it.

    Attributes:
        stage: images, order, donors, random numbers.
        recipe: the operations; with a solved balance, paste leaves to the stage which scenes get one.
        solution: what a solved balance reaches; None without one.
    """

    stage: Stage
    recipe: Recipe
    solution: Solution | None = None


def ground(
    catalog: Catalog,
    recipe: Recipe,
    size: int | tuple[int, int] = 640,
    seed: int = 0,
    *,
    balance: Balance | None = None,
    rare: Sequence[str] | None = None,
    length: int | None = None,
    colours: Colours | None = None,
    partners: str = "any",
    block: int = BLOCK,
) -> Ground:
    """The ground for a training; the arguments are those of `detaug.Augmenter`.

    Raises:
        InputError: the catalog has no image, a name in `rare` is no class, the balance asks for more than all, or
            `partners` or `block` is nonsense.
    """
    if partners not in ("any", "block"):
        raise InputError(f"data.partners is any or block, not {partners!r}.")
    if len(catalog) == 0:
        raise InputError(f"{catalog.root}: there is no image to augment.")
    canvas = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    balance = balance or Balance(threshold=0)
    length = length or len(catalog)
    if balance.solved:
        stage, recipe, solution = solve(catalog, recipe, canvas, seed, balance, rare, length, colours)
        return Ground(_with_neighbours(stage, partners, block), recipe, solution)
    stage = Stage(
        catalog=catalog,
        size=canvas,
        order=Order(balance.image_factors(catalog), seed, length),
        weights=balance.class_factors(catalog),
        donors=Donors.of(catalog, rare_mask(catalog, rare), colours=colours),
        streams=Streams(seed),
        places=recipe.places(catalog),
        light=None if colours is None else Light.of(colours),
    )
    return Ground(_with_neighbours(stage, partners, block), recipe)


def _with_neighbours(stage: Stage, partners: str, block: int) -> Stage:
    """The stage with partners from where they were asked for."""
    return replace(stage, neighbours=Neighbours(stage.order, block)) if partners == "block" else stage
