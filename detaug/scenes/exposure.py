"""The exposure ledger: how often an epoch shows each class, after every cut, overlap and filter. No image is read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Draw
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role, Scene
from detaug.scenes.stage import Stage

SIDES = (8.0, 16.0, 32.0, 64.0, 128.0)  # canvas pixels of a box's shorter side, where one bucket ends
_PASTE = int(Role.PASTE)
BUCKETS = ("<8", "8-16", "16-32", "32-64", "64-128", ">=128")


class Came(IntEnum):
    """Where a visible instance came from."""

    OWN = 0
    PARTNER = 1
    MIXUP = 2
    PASTE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """What some scenes show of C classes.

    Attributes:
        names: the classes.
        present: (C,) int64, boxes of each in the dataset.
        shown: (C, 4, 6) int64, visible instances by class, `Came` and `BUCKETS`.
        scenes: how many scenes were counted.
        epochs: over how many epochs.
    """

    names: tuple[str, ...]
    present: NDArray[np.int64]
    shown: NDArray[np.int64]
    scenes: int
    epochs: int

    def __add__(self, other: "Exposure") -> "Exposure":
        """Both together, of other epochs of the same dataset."""
        if self.names != other.names:
            raise ValueError(f"exposure: expected the classes {self.names}, got {other.names}")
        return replace(
            self,
            shown=self.shown + other.shown,
            scenes=self.scenes + other.scenes,
            epochs=self.epochs + other.epochs,
        )

    def per_epoch(self) -> NDArray[np.float64]:
        """(C,) visible instances of each class in an epoch, on average."""
        mean: NDArray[np.float64] = self.shown.sum((1, 2)) / max(1, self.epochs)
        return mean

    def as_json(self) -> dict[str, Any]:
        """Means over the epochs by class, with the factor that each class is shown more often than it is present."""
        mean, total = self.shown / max(1, self.epochs), self.per_epoch()
        classes = {
            name: {
                "boxes": int(self.present[c]),
                "shown": round(float(total[c]), 2),
                "factor": round(float(total[c] / self.present[c]), 3) if self.present[c] else None,
                "came": {came.name.lower(): round(float(mean[c, came].sum()), 2) for came in Came},
                "sides": {b: round(float(v), 2) for b, v in zip(BUCKETS, mean[c].sum(0), strict=True)},
            }
            for c, name in enumerate(self.names)
        }
        return {"epochs": self.epochs, "scenes_per_epoch": self.scenes / max(1, self.epochs), "classes": classes}

    def text(self) -> str:
        """The same as a table, a line per class, the most frequent first; `x` is the factor shown / boxes."""
        mean, total = self.shown / max(1, self.epochs), self.per_epoch()
        head = ["class", "boxes", "shown", "x", *(c.name.lower() for c in Came), *BUCKETS]
        rows = [head]
        for c in np.lexsort((np.arange(len(total)), -self.present)):
            factor = f"{total[c] / self.present[c]:.2f}" if self.present[c] else "-"
            numbers = [*mean[c].sum(1), *mean[c].sum(0)]
            rows.append([self.names[c], str(self.present[c]), _short(total[c]), factor, *map(_short, numbers)])
        wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(r, wide, strict=True))
            )
            for r in rows
        ]
        return "\n".join(lines)


def nothing(names: Sequence[str], present: NDArray[np.int64]) -> Exposure:
    """An exposure of no scene."""
    return Exposure(tuple(names), present, np.zeros((len(names), len(Came), len(BUCKETS)), np.int64), 0, 0)


def exposure(
    stage: Stage,
    recipe: Recipe,
    epochs: Iterable[int] = (0,),
    mixing: bool = True,
    watched: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Exposure:
    """What whole epochs show.

    Args:
        stage: the ground that scenes are planned on.
        recipe: how; its `min_visible` and `min_side` say what counts as visible.
        epochs: which ones.
        mixing: whether mosaic, mixup and paste are on.
        watched: goes through the slots of an epoch, for a progress bar.
    """
    catalog, recipe = stage.catalog, geometry(recipe)
    present = catalog.class_counts()
    total = nothing(catalog.classes.names, present)
    for epoch in epochs:
        items = stage.order.items(epoch)
        shown = np.zeros_like(total.shown)
        draws = (Draw(epoch, slot, int(items[slot]), mixing) for slot in watched(range(len(items))))
        for scene, visible in recipe.planned(draws, stage):
            shown += counted(visible.labels, came(scene)[visible.objects], visible.boxes, len(present))
        total += replace(total, shown=shown, scenes=len(items), epochs=1)
    return total


def geometry(recipe: Recipe) -> Recipe:
    """The recipe without what moves no box; each operation has its own random numbers, so the rest stays as it is."""
    return replace(recipe, colour=None, noise=None, effects=None)


def counted(
    labels: NDArray[np.integer], origins: NDArray[np.integer], boxes: NDArray[np.floating], classes: int
) -> NDArray[np.int64]:
    """(C, 4, 6) instances by class, `Came` and size.

    Args:
        labels: (N,) classes.
        origins: (N,) `Came`.
        boxes: (N, 4) x1 y1 x2 y2 in canvas pixels.
        classes: how many there are.
    """
    bucket = np.searchsorted(SIDES, (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf), side="right")
    places = (labels.astype(np.int64) * len(Came) + origins) * len(BUCKETS) + bucket
    shape = classes, len(Came), len(BUCKETS)
    return np.bincount(places, minlength=int(np.prod(shape))).reshape(shape).astype(np.int64)


def came(scene: Scene) -> NDArray[np.uint8]:
    """(N,) `Came` of each object of a scene.

    A mosaic may draw its own image as a partner too; the first tile that shows it counts as its own.
    """
    ground = [not (role or group) for role, group in zip(scene.role.tolist(), scene.group.tolist(), strict=True)]
    alone, item = sum(ground) == 1, scene.draw.item
    own = [tile and (alone or image == item) for tile, image in zip(ground, scene.image.tolist(), strict=True)]
    kind = [_came(role, group) for role, group in zip(scene.role.tolist(), scene.group.tolist(), strict=True)]
    if True in own:
        kind[own.index(True)] = int(Came.OWN)
    return np.array(kind, np.uint8)[scene.layer]


def _came(role: int, group: int) -> int:
    """What a layer shows, unless it is the scene's own image."""
    if role == _PASTE:
        return int(Came.PASTE)
    return int(Came.MIXUP if group else Came.PARTNER)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.1f}"
