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
        learned: whether they are the boxes of a catalog; else positions are uniform.
    """

    rows: NDArray[np.float64]
    learned: bool

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, catalog: Catalog) -> "Places":
        """The places of a catalog's boxes, crowds and truncated ones left out.

        With fewer than `FEWEST` of them the positions are uniform and only the sizes are the boxes'.

        Args:
            catalog: the training images.
        """
        usual = np.flatnonzero((catalog.flags & (Flag.CROWD | Flag.TRUNCATED)) == 0)
        boxes = catalog.boxes[usual].astype(np.float64)
        sizes = catalog.sizes[catalog.images_of_boxes()[usual]].astype(np.float64)
        sides = (boxes[:, 2:] - boxes[:, :2]).min(1) / np.maximum(sizes.max(1), 1)
        if len(usual) < FEWEST:
            return cls.uniform(sides)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / sizes[:, ::-1]
        return cls(np.column_stack([centres, sides]), True)

    @classmethod
    def uniform(cls, sides: NDArray[np.float64] | None = None) -> "Places":
        """Positions spread evenly over the picture by the golden ratio's lattice, sizes between the least and greatest.

        Args:
            sides: (K,) short sides as shares of the longer side of their image; none or empty takes usual ones.
        """
        low, high = _USUAL_SIDES if sides is None or len(sides) == 0 else (float(sides.min()), float(sides.max()))
        k = np.arange(_UNIFORM) + 0.5
        # Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018, in three dimensions.
        spread = (k[:, None] / 1.22074408460575947536 ** np.arange(1, 4)) % 1
        centres = _MARGIN + (1 - 2 * _MARGIN) * spread[:, :2]
        return cls(np.column_stack([centres, low * (high / low) ** spread[:, 2]]), False)
