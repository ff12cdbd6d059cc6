"""From a goal for what an epoch shows to repeat factors and donors' quotas.

The user says how often every class is to be seen. A few thousand scenes are planned to measure what showing an image
and trying a donor yield; with these rates the exposure is linear in the images' shares of the epoch and in the donors'
quotas, so both are solved; then scenes are planned with the solution and the rates measured again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detaug.draws.balance import Balance, Order, rare_mask
from detaug.draws.deck import Deck
from detaug.draws.donors import Donors
from detaug.draws.draw import Streams
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.colours import Colours
from detaug.scenes.allotment import Allotment, Room, allot
from detaug.scenes.light import Light
from detaug.scenes.recipe import Recipe
from detaug.scenes.response import Rates, rates, tally
from detaug.scenes.stage import Stage

Array = NDArray[np.float64]
PILOT, SCENES, ROUNDS = 400, 1500, 3
_FADED = 0.3  # what a round's counts weigh in the next one
_SPREAD = 0.5  # standard deviations of a count's chance that is aimed above the floor
_STEPS = 4  # towards a share of a total that moves with the solution
_EPOCH = 2**31  # measured on epochs that no training reaches


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """How images and donors are shown, and what that reaches.

    Attributes:
        names: the classes.
        factors: (M,) repeat factor of each image, at least 1.
        weights: (C,) how much each class is sought when a window is chosen.
        tries: (C,) donors of each class that are tried in an epoch.
        goal: (C,) instances that were asked for.
        reaches: (C,) expected visible instances in an epoch.
        short: (C,) classes that stay under their goal, by a careful estimate.
        unreached: a sentence for each of these, with the bounds that stop it.
    """

    names: tuple[str, ...]
    factors: Array
    weights: Array
    tries: Array
    goal: Array
    reaches: Array
    short: NDArray[np.bool_]
    unreached: tuple[str, ...]


def solve(
    catalog: Catalog,
    recipe: Recipe,
    size: tuple[int, int],
    seed: int,
    balance: Balance,
    rare: Sequence[str] | None,
    length: int,
    colours: Colours | None = None,
) -> tuple[Stage, Recipe, Solution]:
    """The ground for scenes that reach the goal of `balance`, as far as its bounds allow.

    A pure function of its arguments, so that all ranks solve the same. It plans some 5,000 scenes, whatever the
    number of images.

    Args:
        catalog: the training images.
        recipe: what is done to them.
        size: canvas height and width.
        seed: the run's seed.
        balance: the goal and the bounds.
        rare: names of the classes that may be pasted; None lets all that are short.
        length: samples in an epoch.
        colours: what is known of the pixels: the light of the images and the sharpness of donors.

    Returns:
        The stage, the recipe to plan on it with (the deck decides which scene gets a paste), and the solution.

    Raises:
        InputError: a share for every class would be more than all.
    """
    present = catalog.class_counts()
    if balance.share is not None and balance.share * (present > 0).sum() > 1:
        raise InputError(f"balance.share of {balance.share} for {(present > 0).sum()} classes each is more than all.")
    even = Stage(
        catalog=catalog,
        size=size,
        order=Order(np.ones(len(catalog)), seed, length),
        weights=np.ones(len(present)),
        donors=Donors.of(catalog, np.zeros(len(present), bool)),
        streams=Streams(seed),
        places=recipe.places(catalog),
        light=None if colours is None else Light.of(colours),
    )
    mirror = catalog.classes.mirror
    counts = tally(even, replace(recipe, paste=None), PILOT, _EPOCH)
    found = rates(counts, mirror, cautious=False)
    usual = found.shown(present * found.tiles * length / len(catalog), np.zeros(len(present)))
    aim = _aims(balance, usual)[1]
    wanted = (usual < 2 * aim) & (present > 0) if rare is None else rare_mask(catalog, rare)
    donors = even.donors
    if recipe.paste is not None and recipe.paste.p > 0:
        donors = Donors.of(catalog, wanted, colours=colours)
    weights = np.clip(aim / np.maximum(usual, 1e-9), 1, balance.most)
    room = Room.of(catalog, recipe, donors, balance, length)
    dealt = recipe if recipe.paste is None else replace(recipe, paste=replace(recipe.paste, p=1.0))
    allotted = _allotted(room, found, balance, usual)
    counts = counts.faded(0.1)
    for number in range(ROUNDS):
        stage = _stage(even, allotted.factors, weights, donors, room, allotted.tries)
        counts = counts.faded(_FADED) + tally(stage, dealt, SCENES, _EPOCH + (number + 1) * 2**20)
        allotted = _allotted(room, rates(counts, mirror, cautious=True), balance, usual)
    stage = _stage(even, allotted.factors, weights, donors, room, allotted.tries)
    solution = _solution(catalog, room, allotted, rates(counts, mirror, cautious=False), balance, weights)
    return stage, dealt, solution


def _aims(balance: Balance, shown: Array) -> tuple[Array, Array]:
    """(C,) what was asked for, and what is aimed at: a little above it, since an epoch's count varies."""
    goal = np.full(len(shown), balance.floor if balance.floor is not None else (balance.share or 0) * shown.sum())
    return goal, goal + _SPREAD * np.sqrt(goal)


def _allotted(room: Room, found: Rates, balance: Balance, usual: Array) -> Allotment:
    """The allotment for rates; for a share the total moves with the solution, so a few times."""
    shown = usual
    for _ in range(_STEPS if balance.share is not None else 1):
        allotted = allot(room, found, _aims(balance, shown)[1])
        shown = allotted.shown
    return allotted


def _stage(even: Stage, factors: Array, weights: Array, donors: Donors, room: Room, tries: Array) -> Stage:
    """The stage with factors and quotas."""
    labels = even.catalog.labels[donors.box]
    each = np.bincount(labels, minlength=len(tries))
    quotas = np.floor(1000 * (tries / np.maximum(1, each))[labels]) / 1000
    order = Order(factors, even.streams.seed, even.order.length)
    deck = Deck(quotas, even.streams.seed, even.order.length, room.open_share, room.hand)
    return replace(even, order=order, weights=weights, donors=replace(donors, deck=deck))


def _solution(
    catalog: Catalog, room: Room, allotted: Allotment, expected: Rates, balance: Balance, weights: Array
) -> Solution:
    names = tuple(catalog.classes.names)
    reaches = expected.shown(room.boxes_shown(allotted.factors, expected.tiles), allotted.tries)
    goal = _aims(balance, reaches)[0]
    short = allotted.shown < goal
    images = np.bincount(room.pair_class, minlength=len(names))
    unreached = []
    for c in np.flatnonzero(short).tolist():
        holds = f"{_many(room.present[c], 'box', 'boxes')} in {_many(images[c], 'image', 'images')}"
        stops = " and ".join(room.stops(c, allotted, balance))
        unreached.append(f"{names[c]}: {holds}; reaches {allotted.shown[c]:.0f} of {goal[c]:.0f}; stopped by {stops}.")
    return Solution(names, allotted.factors, weights, allotted.tries, goal, reaches, short, tuple(unreached))


def _many(count: int, one: str, more: str) -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else more}"
