"""Training samples whose pixels are made on the device: workers send plans, boxes and labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from detaug.batches.augmenter import Augmenter
from detaug.batches.batch import Batch
from detaug.batches.dataset import Item, SignDataset, collate
from detaug.draws.draw import Draw
from detaug.render.gpu.packing import PackedScenes, pack
from detaug.render.gpu.render import render_batch
from detaug.render.gpu.resident import ResidentImages
from detaug.render.source import BrokenImage, Source
from detaug.scenes.scene import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A sample without its picture.

    Attributes:
        item: its boxes and what a batch says of it; its picture is one pixel.
        scene: its plan.
    """

    item: Item
    scene: Scene


@dataclass(frozen=True, slots=True, eq=False)
class PlannedBatch:
    """A batch whose pictures are not made yet.

    Attributes:
        batch: all but the pictures; its `images` is (B, 3, 1, 1).
        scenes: the plans.
    """

    batch: Batch
    scenes: PackedScenes

    def __len__(self) -> int:
        return len(self.batch)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "PlannedBatch":
        """The same on another device; Lightning calls this."""
        return PlannedBatch(self.batch.to(device, non_blocking), self.scenes.to(device, non_blocking))

    def pin_memory(self) -> "PlannedBatch":
        """The same in page-locked memory; the DataLoader calls this."""
        return PlannedBatch(self.batch.pin_memory(), self.scenes.pin_memory())

    def rendered(self, images: ResidentImages) -> Batch:
        """The batch with its pictures, made on the device that it is on."""
        return replace(self.batch, images=render_batch(self.scenes, images))


class PlannedSigns(Dataset[Planned]):
    """The samples of `SignDataset` without their pictures.

    Args:
        augmenter: the training samples.
        broken: catalog rows that cannot be decoded; they get the stand-ins that they have on the CPU.
    """

    def __init__(self, augmenter: Augmenter, broken: frozenset[int] = frozenset()) -> None:
        self.signs = SignDataset(augmenter)
        self.broken = broken

    def __len__(self) -> int:
        return len(self.signs)

    def __getitem__(self, draw: Draw | int) -> Planned:
        """The sample of a draw."""
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: Sequence[Draw | int]) -> list[Planned]:
        """The samples of a batch, planned together."""
        made = self.signs.augmenter.makes(self.signs.places(draws), self._no_picture)
        return [Planned(self.signs.item(one), one.scene) for one in made]

    def _no_picture(self, scene: Scene, source: Source) -> NDArray[np.uint8]:
        """One pixel in place of the picture; refuses the image that the CPU renderer would come to first."""
        for row in scene.image[np.argsort(scene.group, kind="stable")].tolist() if self.broken else ():
            if row in self.broken:
                raise BrokenImage(row, f"{source.catalog.path(row)}: the image cannot be decoded.")
        return np.zeros((1, 1, 3), np.uint8)

    def collate(self, samples: Sequence[Planned]) -> PlannedBatch:
        """Samples as one batch of a few flat tensors."""
        catalog = self.signs.augmenter.catalog
        return PlannedBatch(collate([s.item for s in samples]), pack([s.scene for s in samples], catalog.sizes))
