"""What an operation may ask for beside the scene: the images, their balance, the donors, the class table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detaug.draws.balance import Order
from detaug.draws.donors import Donors
from detaug.draws.draw import Draw, Streams
from detaug.draws.places import Places
from detaug.readers.catalog import Catalog
from detaug.scenes.light import Light
from detaug.scenes.scene import Scene, seen_outlines, whole_images


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
        outlines: (N,) `seen_outlines` of the catalog; made where it is not given.
        multiplied: (C,) the classes that have donors: scenes that show them may vary more widely.
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
    outlines: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    multiplied: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        multiplied = np.zeros(len(self.catalog.classes), bool)
        multiplied[self.donors.classes] = True
        object.__setattr__(self, "multiplied", multiplied)
        if len(self.outlines) != len(self.catalog.boxes):
            object.__setattr__(self, "outlines", seen_outlines(self.catalog))

    def base(self, row: int, draw: Draw) -> Scene:
        """The whole image fitted to the canvas, or its stand-in's."""
        return self.bases([row], draw)

    def bases(self, rows: Sequence[int], draw: Draw) -> Scene:
        """Whole images fitted to the canvas, a layer each, or their stand-ins'."""
        shown = [self.replaced.get(row, row) for row in rows]
        return whole_images(self.catalog, self.outlines, shown, self.size, draw)

    def partner(self, rng: np.random.Generator) -> int:
        """A row from the balanced distribution."""
        return self.order.partner(rng)

    def multiplies(self, scene: Scene) -> bool:
        """Whether a scene's images hold a class that may vary more widely."""
        return bool(self.multiplied[scene.label].any())

    def search(self, draw: Draw, name: str) -> np.random.Generator:
        """A stream for drawing with retries, so that rejections shift no other random number."""
        return self.streams.of(draw.epoch, draw.slot, f"{name}/search")
