"""Where signs stand in pictures and how large they are there, learned from the training boxes of all classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.readers.catalog import Catalog, Flag

FEWEST = 20  # boxes; fewer say too little of where signs stand
_UNIFORM = 256
_USUAL_SIDES = (0.04, 0.2)  # of the longer side of the image, where no box says better
_MARGIN = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Templates to place something at, whatever its class: size and row belong together, so they are kept together.

    Attributes:
        rows: (T, 3) float64: centre x as a share of the image's width, centre y of its height, and the box's shorter
            side as a share of the image's longer side.
        learned: whether the positions are those of a catalog's boxes; else they are uniform.
    """

    rows: NDArray[np.float64]
    learned: bool

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, catalog: Catalog, learned: bool = True) -> "Places":
        """The places of a catalog's boxes, crowds and truncated ones left out.

        With fewer than `FEWEST` of them the positions are uniform and the sizes lie between the boxes'.

        Args:
            catalog: the training images.
            learned: whether positions are the boxes' as well; else they are uniform, and only the sizes are theirs.
        """
        usual = np.flatnonzero((catalog.flags & (Flag.CROWD | Flag.TRUNCATED)) == 0)
        boxes = catalog.boxes[usual].astype(np.float64)
        sizes = catalog.sizes[catalog.images_of_boxes()[usual]].astype(np.float64)
        sides = (boxes[:, 2:] - boxes[:, :2]).min(1) / np.maximum(sizes.max(1), 1)
        if len(usual) < FEWEST:
            return cls.uniform(sides)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / sizes[:, ::-1] if learned else _spread(len(sides))[:, :2]
        return cls(np.column_stack([centres, sides]), learned)

    @classmethod
    def uniform(cls, sides: NDArray[np.float64] | None = None) -> "Places":
        """Positions spread evenly over the picture by the golden ratio's lattice, sizes between the least and greatest.

        Args:
            sides: (K,) short sides as shares of the longer side of their image; none or empty takes usual ones.
        """
        low, high = _USUAL_SIDES if sides is None or len(sides) == 0 else (float(sides.min()), float(sides.max()))
        spread = _spread(_UNIFORM)
        return cls(np.column_stack([spread[:, :2], low * (high / low) ** spread[:, 2]]), False)


def _spread(count: int) -> NDArray[np.float64]:
    """(count, 3) points spread evenly, 0 to 1, the first two coordinates off the picture's border.

    Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018, in three dimensions.
    """
    spread = ((np.arange(count) + 0.5)[:, None] / 1.22074408460575947536 ** np.arange(1, 4)) % 1
    spread[:, :2] = _MARGIN + (1 - 2 * _MARGIN) * spread[:, :2]
    return spread
