"""Given what a showing and a try yield: how often each image and each class's donors come."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.draws.balance import Balance
from detaug.draws.donors import Donors
from detaug.readers.catalog import Catalog
from detaug.scenes.recipe import Recipe
from detaug.scenes.response import Rates

Array = NDArray[np.float64]
_LEAST = 0.25  # no image is shown less often than this share of even showing
_ROUNDS, _STEPS, _LEVELS = 4, 100, 4
_LOWEST = 1 / 256  # of the aim
_STILL = 1e-3
_NEAR = 0.99  # of an aim, which counts as reached
_AT_BOUND = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What there is to allot, and the bounds.

    Attributes:
        present: (C,) boxes of each class.
        pair_image: (P,) images, each once for each class in it.
        pair_class: (P,) those classes.
        pair_boxes: (P,) boxes of the class in the image.
        images: M.
        length: slots in an epoch.
        slots: most slots of an epoch for one image.
        donors: (C,) donors of each class.
        donor_most: most tries of a donor in an epoch.
        tries: most tries of all donors in an epoch.
        open_share: share of the slots that may get donors.
        hand: most donors in a slot.
        repeats_first: whether pastes serve only the classes that repeats leave short; else it is the other way round.
    """

    present: NDArray[np.int64]
    pair_image: NDArray[np.int64]
    pair_class: NDArray[np.int64]
    pair_boxes: Array
    images: int
    length: int
    slots: float
    donors: NDArray[np.int64]
    donor_most: int
    tries: float
    open_share: float
    hand: int
    repeats_first: bool

    @classmethod
    def of(cls, catalog: Catalog, recipe: Recipe, donors: Donors, balance: Balance, length: int) -> "Room":
        """The room that a catalog, a recipe and the bounds of a balance leave."""
        classes = len(catalog.classes)
        keys = catalog.images_of_boxes() * classes + catalog.labels
        pairs, boxes = np.unique(keys, return_counts=True)
        paste = recipe.paste
        share, (low, high) = (0.0, (0, 0)) if paste is None else (paste.p, paste.count_range)
        return cls(
            present=catalog.class_counts(),
            pair_image=pairs // classes,
            pair_class=pairs % classes,
            pair_boxes=boxes.astype(np.float64),
            images=len(catalog),
            length=length,
            slots=balance.most * max(1.0, length / len(catalog)),
            donors=np.bincount(catalog.labels[donors.box], minlength=classes),
            donor_most=balance.donor_most,
            tries=max(0.0, round(share * length) * (low + high) / 2 - 1),
            open_share=share,
            hand=high,
            repeats_first=balance.first == "repeats",
        )

    def boxes_shown(self, factors: Array, tiles: float) -> Array:
        """(C,) boxes of the images that an epoch shows, seen or not, with `tiles` images in a scene."""
        weight = factors[self.pair_image] * self.pair_boxes * (self.length * tiles / factors.sum())
        shown: Array = np.bincount(self.pair_class, weight, minlength=len(self.present)).astype(np.float64)
        return shown

    def limit(self, total: float) -> float:
        """The largest factor, where all factors together are `total`."""
        return max(1.0, self.slots * total / self.length)

    def factors(self, by_class: Array) -> Array:
        """(M,) the largest factor of an image's classes, within the bounds, to three places."""
        made = np.ones(self.images)
        np.maximum.at(made, self.pair_image, by_class[self.pair_class])
        for _ in range(20):  # the bound falls with the sum that it lowers
            bound = self.limit(float(made.sum()))
            if made.max() <= bound * 1.0001:
                break
            np.minimum(made, bound, out=made)
        spare = self.images * (1 / _LEAST - 1)
        over = float(made.sum()) - self.images
        rounded: Array = np.round(1 + (made - 1) * min(1.0, spare / max(over, 1e-9)), 3)
        return rounded

    def at_most(self, made: "Allotment") -> NDArray[np.bool_]:
        """(C,) classes whose images are all shown as often as one image may be."""
        lowest = np.full(len(self.present), np.inf)
        np.minimum.at(lowest, self.pair_class, made.factors[self.pair_image])
        return np.asarray(lowest >= _AT_BOUND * self.limit(float(made.factors.sum())))

    def at_donor_most(self, made: "Allotment") -> NDArray[np.bool_]:
        """(C,) classes whose donors are all tried as often as one may be, or that have none."""
        return np.asarray(made.tries >= _AT_BOUND * self.donor_most * self.donors)

    def stops(self, label: int, made: "Allotment", balance: Balance) -> list[str]:
        """Which bounds keep a class from more."""
        if self.present[label] == 0:
            return ["having no box"]
        stops = [f"most={balance.most:g}" if self.at_most(made)[label] else f"the epoch's length of {self.length}"]
        if self.hand == 0 or self.open_share == 0:
            stops.append("a recipe without paste")
        elif self.donors[label] == 0:
            stops.append("having no donor")
        elif self.at_donor_most(made)[label]:
            stops.append(f"donor_most={balance.donor_most}")
        else:
            stops.append(f"the recipe's {self.tries:.0f} pastes an epoch")
        return stops


@dataclass(frozen=True, slots=True, eq=False)
class Allotment:
    """How often images and donors come.

    Attributes:
        factors: (M,) repeat factor of each image.
        tries: (C,) donors of each class tried in an epoch.
        shown: (C,) what that shows, by the rates that it was made with.
    """

    factors: Array
    tries: Array
    shown: Array


def allot(room: Room, found: Rates, aim: Array) -> Allotment:
    """The allotment that reaches the aim; where classes compete for what is there, an equal share of each one's aim.

    A class that its own bounds stop, on its images and on its donors, gets as much as they allow.

    Args:
        room: what there is, and the bounds.
        found: what a showing and a try yield.
        aim: (C,) instances of each class in an epoch.
    """
    best = _allotted(room, found, aim)
    if _fits(room, best, aim):
        return best
    level, high = 0.5, 1.0
    while not _fits(room, best := _allotted(room, found, aim * level), aim * level) and level > _LOWEST:
        level, high = level / 2, level
    for _ in range(_LEVELS):
        middle = (level + high) / 2
        trial = _allotted(room, found, aim * middle)
        if _fits(room, trial, aim * middle):
            level, best = middle, trial
        else:
            high = middle
    return best


def _allotted(room: Room, found: Rates, aim: Array) -> Allotment:
    """Repeats or pastes first, as the room says; the others for what is then still short."""
    no_try = np.zeros(len(aim))
    if room.repeats_first:
        factors = _factors(room, found, aim, no_try)
        tries = _tries(room, found.pasted.sum(1), aim, found.shown(room.boxes_shown(factors, found.tiles), no_try))
    else:
        factors = np.ones(room.images)
        for _ in range(_ROUNDS):
            # What images yield that are not repeated, while others are.
            plain = found.shown(room.present * (room.length * found.tiles / factors.sum()), no_try)
            tries = _tries(room, found.pasted.sum(1), aim, plain)
            factors = _factors(room, found, aim, tries)
    return Allotment(factors, tries, found.shown(room.boxes_shown(factors, found.tiles), tries))


def _factors(room: Room, found: Rates, aim: Array, tries: Array) -> Array:
    """(M,) factors that lift every class to its aim beside these pastes, as far as the bounds allow."""
    by_class, factors = np.ones(len(aim)), np.ones(room.images)
    for _ in range(_STEPS):
        shown = found.shown(room.boxes_shown(factors, found.tiles), tries)
        lack = np.clip(aim / np.maximum(shown, 1e-9), 0.25, 4)
        # Mirrored instances of a class count for its partner, so its images may serve both.
        trades = found.seen[:, 1] > 0
        lack = np.where(trades, np.maximum(lack, lack[found.partner]), lack)
        before, by_class = by_class, np.clip(by_class * np.sqrt(lack), 1, room.limit(float(factors.sum())))
        factors = room.factors(by_class)
        if np.abs(by_class / before - 1).max(initial=0) < _STILL:
            break
    return factors


def _fits(room: Room, made: Allotment, aim: Array) -> bool:
    """Whether every class that has boxes reaches its aim or is stopped by bounds of its own."""
    reached = made.shown >= _NEAR * aim
    no_more_tries = room.at_donor_most(made) | (made.tries.sum() >= _AT_BOUND * room.tries)
    return bool((reached | (room.present == 0) | (room.at_most(made) & no_more_tries)).all())


def _tries(room: Room, per_try: Array, aim: Array, plain: Array) -> Array:
    """(C,) tries that lift every class to one share of its aim, the highest that the bounds allow."""
    most = room.donor_most * room.donors.astype(np.float64)

    def needed(level: float) -> Array:
        return np.clip((level * aim - plain) / np.maximum(per_try, 0.02), 0, most)

    low, high = 0.0, 1.0
    if needed(1.0).sum() <= room.tries:
        return needed(1.0)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if needed(middle).sum() <= room.tries else (low, middle)
    return needed(low)
