"""What an operation may ask for beside the scene: the images, their balance, the donors, the class table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detaug.draws.balance import Order
from detaug.draws.donors import Donors
from detaug.draws.draw import Draw, Streams
from detaug.draws.places import Places
from detaug.readers.catalog import Catalog
from detaug.scenes.light import Light
from detaug.scenes.scene import Scene, scene_of


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The ground on which scenes are planned.

    Attributes:
        catalog: the training images.
        size: canvas height and width.
        order: who comes when, and who partners whom.
        weights: (C,) how much each class is sought when a window is chosen.
        donors: what may be pasted.
        streams: the random numbers.
        places: where pastes may stand.
        light: the light of the images, or None where it is not known.
        replaced: images that turned out to be broken and the rows that stand in for them.
    """

    catalog: Catalog
    size: tuple[int, int]
    order: Order
    weights: NDArray[np.float64]
    donors: Donors
    streams: Streams
    places: Places = field(default_factory=Places.uniform)
    light: Light | None = None
    replaced: Mapping[int, int] = field(default_factory=dict)

    def base(self, row: int, draw: Draw) -> Scene:
        """The whole image fitted to the canvas, or its stand-in's."""
        return scene_of(self.catalog, self.replaced.get(row, row), self.size, draw)

    def partner(self, rng: np.random.Generator) -> int:
        """A row from the balanced distribution."""
        return self.order.partner(rng)

    def search(self, draw: Draw, name: str) -> np.random.Generator:
        """A stream for drawing with retries, so that rejections shift no other random number."""
        return self.streams.of(draw.epoch, draw.slot, f"{name}/search")
