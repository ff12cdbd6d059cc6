"""Which rank sees which draw. Both samplers are DistributedSamplers, so Lightning keeps them as they are."""

from collections.abc import Iterator

from torch.utils.data import Dataset, DistributedSampler

from detaug.draws.balance import Order
from detaug.draws.draw import Draw

NOTHING = -1


class _Places(Dataset[int]):
    """A length, which is all that a DistributedSampler asks of its dataset."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> int:
        return place


class DrawSampler(DistributedSampler[Draw]):
    """The training epoch, cut to whole global batches; of each, rank r takes the r-th run of `batch_size` slots.

    So the global batch k holds the same slots for any number of ranks, and slots side by side come into one batch.

    Args:
        order: the images of each epoch.
        batch_size: images per rank and step.
        mix_until_epoch: from this epoch on mosaic, mixup and paste are off.
        world: number of ranks.
        rank: this process's rank.
    """

    def __init__(self, order: Order, batch_size: int, mix_until_epoch: int, world: int = 1, rank: int = 0) -> None:
        step = batch_size * world
        length = order.length // step * step or max(order.length // world, 1) * world
        super().__init__(_Places(length), num_replicas=world, rank=rank, shuffle=False)
        self.order = order
        self.mix_until_epoch = mix_until_epoch
        self.global_length = length
        self._share = min(batch_size, length // world)

    def __iter__(self) -> Iterator[Draw]:
        items = self.order.items(self.epoch)
        mixing = self.epoch < self.mix_until_epoch
        step = self._share * self.num_replicas
        for first in range(self.rank * self._share, self.global_length, step):
            for slot in range(first, first + self._share):
                yield Draw(self.epoch, slot, int(items[slot % len(items)]), mixing)

    def __len__(self) -> int:
        return self.global_length // self.num_replicas


class ShareSampler(DistributedSampler[int]):
    """Evaluation: rank r takes rows r, r + world, …; nothing is padded, so each image is seen once.

    A rank whose share is empty gets the index `NOTHING` once, so that it goes through the same steps as the others
    (Lightning skips a loop without batches, and the others would wait for it).
    """

    def __init__(self, images: int, world: int = 1, rank: int = 0) -> None:
        super().__init__(_Places(max(1, images)), num_replicas=world, rank=rank, shuffle=False)
        self._rows = list(range(rank, images, world)) or [NOTHING]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
