"""How often each image is shown, so that rare classes are learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Streams
from detaug.errors import InputError
from detaug.readers.catalog import Catalog

RARE_SHARE = 1 / 8


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How often images and donors are shown: by repeat factors as in LVIS (Gupta et al., 2019), or solved for a goal.

    With `floor` or `share`, repeat factors and donors' quotas are solved from what scenes show; `threshold` and `power`
    are not used then.

    Attributes:
        threshold: share of images under which a class is repeated; 0 shows every image equally often.
        power: 0.5 repeats by the square root of the lack, 1 repeats until the share is reached.
        most: bound on an image's repeat factor; solved: on the slots of an epoch that are given to an image (of as
            many slots as there are images, where the epoch is longer). As a partner it is shown in proportion.
        floor: every class is to be visible at least this many times in an epoch.
        share: every class is to have at least this share of all that is visible.
        donor_most: no donor is tried more often in an epoch; for `floor` and `share`.
        first: what the goal is reached by as far as its bounds go, `repeats` of images or `pastes` of donors; the
            other one serves the classes that are then still short. A paste counts as much as a sign in its own picture,
            but on drawn scenes taught less (`benchmarks.proof`).
    """

    threshold: float = 0.5
    power: float = 0.5
    most: float = 8.0
    floor: int | None = None
    share: float | None = None
    donor_most: int = 10
    first: Literal["repeats", "pastes"] = "repeats"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"balance.threshold is a share of images between 0 and 1, not {self.threshold}.")
        if not 0 <= self.power <= 1:
            raise InputError(f"balance.power lies between 0 and 1, not {self.power}.")
        if self.most < 1:
            raise InputError(f"balance.most is at least 1, not {self.most}.")
        if self.floor is not None and self.share is not None:
            raise InputError(f"balance takes a floor or a share, not both: {self.floor} and {self.share}.")
        if self.floor is not None and (self.floor < 1 or self.floor != int(self.floor)):
            raise InputError(f"balance.floor is a number of instances, at least 1, not {self.floor}.")
        if self.share is not None and not 0 < self.share <= 0.5:
            raise InputError(f"balance.share is a share of all instances, above 0 and at most 0.5, not {self.share}.")
        if self.donor_most < 1 or self.donor_most != int(self.donor_most):
            raise InputError(f"balance.donor_most is a whole number, at least 1, not {self.donor_most}.")
        if self.first not in ("repeats", "pastes"):
            raise InputError(f"balance.first is repeats or pastes, not {self.first!r}.")

    @property
    def solved(self) -> bool:
        """Whether a goal is stated, which `detaug.scenes.solver` solves for."""
        return self.floor is not None or self.share is not None

    def class_factors(self, catalog: Catalog) -> NDArray[np.float64]:
        """(C,) repeat factor per class: max(1, (threshold / f) ** power), f its share of images; 1 if it has none."""
        seen = np.unique(np.stack([catalog.images_of_boxes(), catalog.labels]), axis=1)
        share = np.bincount(seen[1].astype(np.int64), minlength=len(catalog.classes)) / max(1, len(catalog))
        factors = np.ones(len(catalog.classes))
        present = share > 0
        factors[present] = np.maximum(1, (self.threshold / share[present]) ** self.power)
        limited: NDArray[np.float64] = np.minimum(factors, self.most)
        return limited

    def image_factors(self, catalog: Catalog) -> NDArray[np.float64]:
        """(M,) repeat factor per image: the largest of its classes'; 1 for an image without boxes."""
        factors = np.ones(len(catalog))
        np.maximum.at(factors, catalog.images_of_boxes(), self.class_factors(catalog)[catalog.labels])
        return factors


def rare_classes(catalog: Catalog) -> NDArray[np.bool_]:
    """(C,) classes with fewer than an eighth of the boxes of the most frequent class, and with at least one."""
    counts = catalog.class_counts()
    rare: NDArray[np.bool_] = (counts > 0) & (counts < RARE_SHARE * counts.max(initial=0))
    return rare


def rare_mask(catalog: Catalog, names: Sequence[str] | None) -> NDArray[np.bool_]:
    """(C,) the rare classes: those named, or those that are rare by count.

    Raises:
        InputError: a name is no class of the catalog.
    """
    if names is None:
        return rare_classes(catalog)
    for name in names:
        if name not in catalog.classes.names:
            raise InputError(f"data.rare names {name!r}, which is no class; there are {list(catalog.classes.names)}.")
    return np.array([n in names for n in catalog.classes.names], bool)


class Order:
    """Which image stands in which slot of which epoch, and who its partners are.

    The epochs are cut from one endless list of passes. A pass shows image i either floor(r_i) or ceil(r_i) times, in
    a new permutation, and on average r_i times (systematic rounding); so no image waits longer than the next pass,
    whatever the epoch's length.

    Args:
        factors: (M,) repeat factors, at least 1.
        seed: the run's seed.
        length: samples in an epoch.
    """

    def __init__(self, factors: NDArray[np.float64], seed: int, length: int) -> None:
        if len(factors) == 0 or length < 1:
            raise ValueError(f"order: expected images and a length of at least 1, got {len(factors)} and {length}")
        self.length = length
        self._pass_length = max(1, round(float(factors.sum())))
        self._ends = np.cumsum(factors) * (self._pass_length / factors.sum())
        self._streams = Streams(seed)

    def items(self, epoch: int) -> NDArray[np.int64]:
        """(length,) image rows of an epoch."""
        start = epoch * self.length
        first, last = start // self._pass_length, (start + self.length - 1) // self._pass_length
        passes = np.concatenate([self._one_pass(p) for p in range(first, last + 1)])
        offset = start - first * self._pass_length
        return passes[offset : offset + self.length]

    def partners(self, chance: NDArray[np.float64]) -> NDArray[np.int64]:
        """Images from the balanced distribution, so that a mosaic does not undo the balance; one for each number."""
        found = np.searchsorted(self._ends, chance * self._ends[-1], side="right")
        return np.asarray(np.minimum(found, len(self._ends) - 1))

    def _one_pass(self, number: int) -> NDArray[np.int64]:
        rng = self._streams.of(number, 0, "order")
        steps = np.floor(self._ends + rng.random()).astype(np.int64)
        steps[-1] = self._pass_length  # the sum of the factors is not exact in floating point
        counts = np.diff(steps, prepend=0)
        return rng.permutation(np.repeat(np.arange(len(counts)), counts))
