"""What showing an image or trying a donor yields, measured on planned scenes: the ground that the solver stands on."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Draw
from detaug.scenes.exposure import geometry
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from detaug.scenes.stage import Stage

Array = NDArray[np.float64]
_PRIOR = 4.0  # boxes' worth of trust in what the classes have in common
_CAUTION = 1.5  # standard errors that a rate is taken lower than it was measured


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sums over scenes; classes are those of the catalog, before mirroring.

    Attributes:
        scenes: how many.
        tiles: images shown in them.
        boxes: (C,) boxes of those images.
        seen: (C, 2) how many of these were visible, under their own label and under that of their mirror partner.
        tries: (C,) donors that were tried.
        pasted: (C, 2) how many of these were visible, likewise.
    """

    scenes: float
    tiles: float
    boxes: Array
    seen: Array
    tries: Array
    pasted: Array

    def faded(self, share: float) -> "Tally":
        """The same with all counts reduced to a share: what was measured under other factors weighs less."""
        return Tally(**{f.name: getattr(self, f.name) * share for f in fields(Tally)})

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)})


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Visible instances per box shown and per donor tried.

    Attributes:
        tiles: images in a scene.
        seen: (C, 2) per box of an image that is shown, under its own label and under its mirror partner's.
        pasted: (C, 2) per donor tried.
        partner: (C,) the class whose label a mirrored instance takes.
    """

    tiles: float
    seen: Array
    pasted: Array
    partner: NDArray[np.int64]

    def shown(self, boxes: Array, tries: Array) -> Array:
        """(C,) visible instances of (C,) boxes shown and (C,) donors tried."""
        made = self.seen * boxes[:, None] + self.pasted * tries[:, None]
        total: Array = made[:, 0] + np.bincount(self.partner, made[:, 1], minlength=len(made))
        return total


def tally(stage: Stage, recipe: Recipe, scenes: int, first_epoch: int) -> Tally:
    """Plan scenes and count.

    Args:
        stage: the ground they are planned on.
        recipe: how.
        scenes: how many, from the beginning of `first_epoch` on.
        first_epoch: the epoch to begin with.
    """
    catalog = stage.catalog
    count = len(catalog.classes)
    tiles = np.zeros(len(catalog))
    tries, seen, pasted = np.zeros(count), np.zeros((count, 2)), np.zeros((count, 2))
    recipe = geometry(recipe)
    for scene, found in recipe.planned(islice(_draws(stage, first_epoch), scenes), stage):
        is_paste = scene.role[scene.layer[found.objects]] == Role.PASTE
        before = catalog.labels[scene.origin[found.objects]]
        traded = (before != found.labels).astype(np.int64)
        np.add.at(seen, (before[~is_paste], traded[~is_paste]), 1)
        np.add.at(pasted, (before[is_paste], traded[is_paste]), 1)
        np.add.at(tiles, scene.image[scene.role == Role.TILE], 1)
        if stage.donors.deck is not None:
            hand = stage.donors.deck.hand(scene.draw.epoch, scene.draw.slot)
            np.add.at(tries, catalog.labels[stage.donors.box[hand]], 1)
    boxes = np.bincount(catalog.labels, tiles[catalog.images_of_boxes()], minlength=count)
    return Tally(float(scenes), float(tiles.sum()), boxes.astype(np.float64), seen, tries, pasted)


def _draws(stage: Stage, epoch: int) -> Iterator[Draw]:
    """The places of an epoch, then those of the next ones, without end."""
    while True:
        for slot, item in enumerate(stage.order.items(epoch).tolist()):
            yield Draw(epoch, slot, item)
        epoch += 1


def rates(measured: Tally, mirror: NDArray[np.int32], cautious: bool) -> Rates:
    """Rates from counts, drawn towards what all classes have in common where a class was met rarely.

    Args:
        measured: the counts.
        mirror: (C,) the class table's column; classes that never mirror are their own partner.
        cautious: each rate lower by 1.5 standard errors.
    """
    own = np.arange(len(mirror))
    return Rates(
        tiles=measured.tiles / measured.scenes,
        seen=_shares(measured.seen, measured.boxes, cautious),
        pasted=_shares(measured.pasted, measured.tries, cautious),
        partner=np.where(mirror >= 0, mirror, own).astype(np.int64),
    )


def _shares(hits: Array, of: Array, cautious: bool) -> Array:
    common = hits.sum() / of.sum() if of.sum() else 0.5
    one_label = np.array([common, 0.0])
    share = (hits + _PRIOR * one_label) / (of[:, None] + _PRIOR)
    if not cautious:
        return np.asarray(share)
    both = share.sum(1, keepdims=True)
    error = np.sqrt(np.clip(both * (1 - both), 0, None) / (of[:, None] + _PRIOR))
    return np.asarray(share * np.clip(1 - _CAUTION * error / np.maximum(both, 1e-9), 0.1, 1))
