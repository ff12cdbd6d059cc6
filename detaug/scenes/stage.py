"""What an operation may ask for beside the scene: the images, their balance, the donors, the class table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detaug.classes import NEVER
from detaug.draws.balance import Order
from detaug.draws.donors import Donors
from detaug.draws.draw import Draw, Streams
from detaug.draws.neighbours import Neighbours
from detaug.draws.places import Places
from detaug.readers.catalog import Catalog
from detaug.scenes.block import Block
from detaug.scenes.levels import grids
from detaug.scenes.light import Light
from detaug.scenes.scene import seen_outlines

_UNIT = 1 << 16  # of a class weight of 1


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The ground on which scenes are planned.

    Attributes:
        catalog: the training images.
        size: canvas height and width.
        order: who comes when, and who partners whom where `neighbours` is None.
        weights: (C,) how much each class is sought when a window is chosen.
        donors: what may be pasted.
        streams: the random numbers.
        places: where pastes may stand.
        light: the light of the images, or None where it is not known.
        neighbours: the blocks that partners come from; None takes them from the whole balanced distribution.
        replaced: images that turned out to be broken and the rows that stand in for them.
        outlines: (N,) `seen_outlines` of the catalog; made where it is not given.
        multiplied: (C,) the classes that have donors: scenes that show them may vary more widely.
        shares: (C,) int64, `weights` in whole numbers, whose sums are exact.
        unmirrored: (M,) bool, images that hold a class which never mirrors.
    """

    catalog: Catalog
    size: tuple[int, int]
    order: Order
    weights: NDArray[np.float64]
    donors: Donors
    streams: Streams
    places: Places = field(default_factory=Places.uniform)
    light: Light | None = None
    neighbours: Neighbours | None = None
    replaced: Mapping[int, int] = field(default_factory=dict)
    outlines: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    multiplied: NDArray[np.bool_] = field(init=False)
    shares: NDArray[np.int64] = field(init=False)
    unmirrored: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        multiplied = np.zeros(len(self.catalog.classes), bool)
        multiplied[self.donors.classes] = True
        never = self.catalog.classes.mirror[self.catalog.labels] == NEVER
        unmirrored = np.zeros(len(self.catalog), bool)
        unmirrored[self.catalog.images_of_boxes()[never]] = True
        made = {
            "multiplied": multiplied,
            "shares": np.maximum(np.rint(self.weights * _UNIT), 1).astype(np.int64),
            "unmirrored": unmirrored,
        }
        if len(self.outlines) != len(self.catalog.boxes):
            made["outlines"] = seen_outlines(self.catalog)
        for name, array in made.items():
            object.__setattr__(self, name, array)

    def bases(self, rows: NDArray[np.int64], scene: NDArray[np.int64], draws: tuple[Draw, ...]) -> Block:
        """Whole images fitted to the canvas, or their stand-ins', a layer each of the scenes that are named."""
        if self.replaced:
            rows = np.array([self.replaced.get(row, row) for row in rows.tolist()], np.int64)
        return Block.whole(self.catalog, self.outlines, rows, scene, self.size, draws)

    def partners(
        self, draws: tuple[Draw, ...], scene: NDArray[np.int64], chance: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Balanced images to go with those of some scenes.

        Args:
            draws: the places of all scenes.
            scene: (S,) the scenes that partners are for.
            chance: (S, K) random numbers, 0 to 1.

        Returns:
            (S, K) image rows.
        """
        if self.neighbours is None:
            return self.order.partners(chance)
        return self.neighbours.partners([draws[i] for i in scene.tolist()], chance)

    def varied(self, block: Block, multiply: float) -> NDArray[np.float64]:
        """(B,) `multiply` for the scenes whose images hold a class that may vary more widely, else 1."""
        return np.where(block.having(self.multiplied), multiply, 1.0) if multiply != 1 else np.ones(len(block))

    def steps(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K, 2) source pixels (x, y) between the places where the regions of images may end."""
        return grids(self.catalog.sizes[rows], self.size)

    def chances(self, draws: tuple[Draw, ...], scene: NDArray[np.int64], name: str, count: int) -> NDArray[np.float64]:
        """Random numbers from a stream of that name, so that what is drawn with retries shifts no other number.

        Args:
            draws: the places of all scenes.
            scene: (R,) rising, the scenes that the numbers are for.
            name: the stream's.
            count: how many for each entry.

        Returns:
            (R, count), 0 to 1; those of a scene follow each other.
        """
        made = np.empty((len(scene), count))
        ends = [*np.flatnonzero(np.diff(scene, prepend=-1)).tolist(), len(scene)]
        for start, stop in pairwise(ends):
            draw = draws[scene[start]]
            self.streams.of(draw.epoch, draw.slot, name).random(out=made[start:stop])
        return made
