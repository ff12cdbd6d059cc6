"""The index of what may be pasted: rare signs that are whole, large enough and alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.draws.deck import Deck
from detaug.draws.draw import Draw
from detaug.readers.catalog import Catalog, Flag
from detaug.readers.colours import Colours

_UNFIT = Flag.CROWD | Flag.TRUNCATED | Flag.OCCLUDED | Flag.DIFFICULT
_PAIRS = 500_000
_BLURRED = 0.25  # of the class's median sharpness


@dataclass(frozen=True, slots=True, eq=False)
class Donors:
    """Boxes that may be pasted, grouped by class.

    Attributes:
        box: (D,) catalog rows of boxes, class after class.
        image: (D,) catalog rows of their images.
        classes: (K,) the labels that have donors.
        ends: (K,) where each class ends in `box`.
        chance: (K,) with which probability a donor is of that class.
        deck: who is pasted in which slot, where that was solved; None picks by chance.
    """

    box: NDArray[np.int64]
    image: NDArray[np.int64]
    classes: NDArray[np.int64]
    ends: NDArray[np.int64]
    chance: NDArray[np.float64]
    deck: Deck | None = None

    def __len__(self) -> int:
        return len(self.box)

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        rare: NDArray[np.bool_],
        min_side: float = 12.0,
        colours: Colours | None = None,
    ) -> "Donors":
        """The donors of the rare classes of a catalog, which must be the training split.

        Left out are crowds, truncated, occluded and difficult ones, those under `min_side` source pixels, those that
        the image's border cuts, those that another box overlaps by more than a tenth, shapes longer than 1 to 4, and
        blurred ones, unless their class would lose more than half of its donors by that.

        Args:
            catalog: the training images.
            rare: (C,) the classes to paste.
            min_side: shortest side in source pixels.
            colours: the sharpness of the catalog's boxes; None judges none of them.
        """
        image = catalog.images_of_boxes()
        sides = catalog.boxes[:, 2:] - catalog.boxes[:, :2]
        edge = np.concatenate([np.zeros((len(image), 2)), catalog.sizes[image][:, ::-1]], axis=1)
        whole = (np.abs(catalog.boxes - edge) >= 0.5).all(1)
        usual = (catalog.flags & _UNFIT) == 0
        even = sides.max(1, initial=0) <= 4 * sides.min(1, initial=np.inf)
        fit = rare[catalog.labels] & whole & usual & even & (sides.min(1, initial=np.inf) >= min_side)
        rows = np.flatnonzero(fit)
        rows = rows[_alone(catalog, rows, image[rows])]
        if colours is not None:
            rows = rows[_sharp(catalog.labels[rows], colours.sharpness[rows])]
        rows = rows[np.argsort(catalog.labels[rows], kind="stable")]
        classes, counts = np.unique(catalog.labels[rows], return_counts=True)
        lack = 1 / np.sqrt(np.maximum(1, catalog.class_counts()[classes]))
        chance = lack / lack.sum() if len(lack) else lack
        return cls(rows, image[rows], classes.astype(np.int64), np.cumsum(counts).astype(np.int64), chance)

    def most(self, count_range: tuple[int, int]) -> int:
        """How many donors a scene may be handed."""
        return count_range[1] if self.deck is None else self.deck.most

    def numbers(self, count_range: tuple[int, int]) -> int:
        """How many random numbers `hands` needs for a scene."""
        return 1 + 2 * count_range[1] if self.deck is None else 0

    def hands(
        self, draws: Sequence[Draw], count_range: tuple[int, int], chance: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The donors to try in some scenes: dealt by the deck, or picked by chance.

        A donor is picked by its class first, by the class's lack, and then evenly.

        Args:
            draws: the S scenes' places.
            count_range: how many are picked where there is no deck, from low to high.
            chance: (S, `numbers`) random numbers.

        Returns:
            (R,) the scene that each is for, rising, (R,) its place in that scene's hand, (R,) the donor, an index into
            `box`.
        """
        if self.deck is not None:
            dealt = [self.deck.hand(draw.epoch, draw.slot) for draw in draws]
            counts = np.array([len(hand) for hand in dealt], np.int64)
            donors = np.array([donor for hand in dealt for donor in hand], np.int64)
            owner = np.repeat(np.arange(len(dealt)), counts)
            return owner, np.arange(len(donors)) - np.repeat(np.cumsum(counts) - counts, counts), donors
        low, high = count_range
        counts = low + (chance[:, 0] * (high + 1 - low)).astype(np.int64)
        owner, rank = np.nonzero(np.arange(high) < (counts if len(self) else 0 * counts)[:, None])
        which = chance[:, 1:].reshape(-1, high, 2)[owner, rank]
        kind = np.minimum(np.searchsorted(np.cumsum(self.chance), which[:, 0], side="right"), len(self.classes) - 1)
        ends = np.concatenate([[0], self.ends])
        start, stop = ends[kind], ends[kind + 1]
        return owner, rank, start + (which[:, 1] * (stop - start)).astype(np.int64)


def _alone(catalog: Catalog, rows: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(K,) for K boxes `rows`, whether no other box of their image covers more than a tenth of them."""
    alone = np.ones(len(rows), bool)
    counts = np.diff(catalog.starts)[images]
    ends = np.cumsum(counts)
    first = 0
    while first < len(rows):
        # Pairs of a box and a box of its image, some hundred thousand at a time, so that memory stays bounded.
        begun = int(ends[first] - counts[first])
        last = max(first + 1, int(np.searchsorted(ends, begun + _PAIRS, side="right")))
        many = counts[first:last]
        own = np.repeat(np.arange(first, last), many)
        other = np.repeat(catalog.starts[images[first:last]] - (ends[first:last] - many - begun), many)
        other += np.arange(len(other))
        box, against = catalog.boxes[rows[own]], catalog.boxes[other]
        sides = np.minimum(against[:, 2:], box[:, 2:]) - np.maximum(against[:, :2], box[:, :2])
        much = np.clip(sides, 0, None).prod(1) > 0.1 * (box[:, 2:] - box[:, :2]).prod(1)
        alone[own[much & (other != rows[own])]] = False
        first = last
    return alone


def _sharp(labels: NDArray[np.int32], sharpness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(K,) which donors are no blurrier than a share of their class's median; unknown ones stay."""
    kept = np.ones(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        values = sharpness[own]
        known = np.isfinite(values)
        if known.any():
            blurred = known & (values < _BLURRED * np.median(values[known]))
            kept[own[blurred]] = 2 * int(blurred.sum()) > len(own)
    return kept
