"""The index of what may be pasted: rare signs that are whole, large enough and alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.readers.catalog import Catalog, Flag


@dataclass(frozen=True, slots=True, eq=False)
class Donors:
    """Boxes that may be pasted, grouped by class.

    Attributes:
        box: (D,) catalog rows of boxes, class after class.
        image: (D,) catalog rows of their images.
        classes: (K,) the labels that have donors.
        ends: (K,) where each class ends in `box`.
        chance: (K,) with which probability a donor is of that class.
    """

    box: NDArray[np.int64]
    image: NDArray[np.int64]
    classes: NDArray[np.int64]
    ends: NDArray[np.int64]
    chance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.box)

    @classmethod
    def of(cls, catalog: Catalog, rare: NDArray[np.bool_], min_side: float = 12.0) -> "Donors":
        """The donors of the rare classes of a catalog, which must be the training split.

        Left out are crowds, truncated and difficult ones, those under `min_side` source pixels, those that the image's
        border cuts, those that another box overlaps by more than a tenth, and shapes longer than 1 to 4.

        Args:
            catalog: the training images.
            rare: (C,) the classes to paste.
            min_side: shortest side in source pixels.
        """
        image = catalog.images_of_boxes()
        sides = catalog.boxes[:, 2:] - catalog.boxes[:, :2]
        edge = np.concatenate([np.zeros((len(image), 2)), catalog.sizes[image][:, ::-1]], axis=1)
        whole = (np.abs(catalog.boxes - edge) >= 0.5).all(1)
        usual = (catalog.flags & (Flag.CROWD | Flag.TRUNCATED | Flag.DIFFICULT)) == 0
        even = sides.max(1, initial=0) <= 4 * sides.min(1, initial=np.inf)
        fit = rare[catalog.labels] & whole & usual & even & (sides.min(1, initial=np.inf) >= min_side)
        rows = np.array([r for r in np.flatnonzero(fit) if _alone(catalog, int(r), int(image[r]))], np.int64)
        rows = rows[np.argsort(catalog.labels[rows], kind="stable")]
        classes, counts = np.unique(catalog.labels[rows], return_counts=True)
        lack = 1 / np.sqrt(np.maximum(1, catalog.class_counts()[classes]))
        chance = lack / lack.sum() if len(lack) else lack
        return cls(rows, image[rows], classes.astype(np.int64), np.cumsum(counts).astype(np.int64), chance)

    def pick(self, rng: np.random.Generator) -> int:
        """An index into `box`: first a class, by its lack, then a donor of it; two random numbers are drawn."""
        kind = min(int(np.searchsorted(np.cumsum(self.chance), rng.random(), side="right")), len(self.classes) - 1)
        start = int(self.ends[kind - 1]) if kind else 0
        return start + int(rng.random() * (int(self.ends[kind]) - start))


def _alone(catalog: Catalog, row: int, image: int) -> bool:
    """Whether no other box covers more than a tenth of this one."""
    objects = catalog.objects(image)
    others = np.delete(catalog.boxes[objects], row - objects.start, axis=0)
    box = catalog.boxes[row]
    sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    shared = np.clip(sides, 0, None).prod(1)
    return bool((shared <= 0.1 * (box[2:] - box[:2]).prod()).all())
