"""What the workers do: from an index to an item, from items to a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from detaug.batches.augmenter import Augmenter, Made
from detaug.batches.batch import Batch
from detaug.batches.exchange import Exchange, exchange_for
from detaug.draws.draw import Draw
from detaug.draws.sampler import NOTHING
from detaug.readers.catalog import Catalog
from detaug.render.cpu import render
from detaug.render.pack import Pack
from detaug.render.source import BrokenImage, Source
from detaug.sample import Sample
from detaug.scenes.block import scene_of
from detaug.scenes.exposure import came
from detaug.scenes.finish import finish
from detaug.scenes.scene import Scene, fit_matrix


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A sample on its way into a batch.

    Attributes:
        sample: the picture and its boxes.
        row: the image's catalog row.
        fit: scale x, scale y, shift x, shift y from original to canvas pixels.
        size: height and width of the original.
        broken: rows that could not be decoded.
        came: (N,) uint8 `Came` of each box, where it was planned; empty for evaluation.
        place: the pictures of a batch (B, 3, H, W) and which of them is this one's, where it was made there.
    """

    sample: Sample
    row: int
    fit: tuple[float, float, float, float]
    size: tuple[int, int]
    broken: tuple[int, ...] = ()
    came: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    place: tuple[Tensor, int] | None = None


class SignDataset(Dataset[Item]):
    """Augmented training samples; the index is a `Draw`, or a slot of epoch 0 (for Lightning's `overfit_batches`)."""

    def __init__(self, augmenter: Augmenter) -> None:
        self.augmenter = augmenter
        self.exchange: Exchange | None = None  # of a worker, whose pictures the training reads where they are made

    def __len__(self) -> int:
        return len(self.augmenter)

    def __getitem__(self, draw: Draw | int) -> Item:
        """The sample of a draw."""
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: Sequence[Draw | int]) -> list[Item]:
        """The samples of a batch, planned together.

        Each picture goes into its place in the batch while it is still in the processor's cache: kept until all are
        made, they would be read from memory once more.
        """
        shape = (len(draws), 3, *self.augmenter.stage.size)
        batch = None if self.exchange is None else self.exchange.take(shape)
        if batch is None:
            batch = torch.from_numpy(np.empty(shape, np.uint8))  # numpy asks the system for large pages
        planes, items = batch.numpy(), list[Item]()

        def picture(scene: Scene, source: Source) -> NDArray[np.uint8]:
            own: NDArray[np.uint8] = planes[len(items)]
            cv2.split(render(scene, source), list(own))
            return own.transpose(1, 2, 0)

        for made in self.augmenter.makes(self.places(draws), picture):
            items.append(self.item(made, (batch, len(items))))
        return items

    def places(self, draws: Sequence[Draw | int]) -> list[Draw]:
        """The draws; an index is a slot of epoch 0."""
        return [draw if isinstance(draw, Draw) else self.augmenter.draw(0, draw) for draw in draws]

    def item(self, made: Made, place: tuple[Tensor, int] | None = None) -> Item:
        """A sample with what a batch says of it; `place` as in `Item`."""
        row = made.scene.draw.item
        height, width = self.augmenter.catalog.sizes[row].tolist()
        origins = came(made.scene)[made.visible.objects]
        return Item(made.sample, row, (1.0, 1.0, 0.0, 0.0), (height, width), made.broken, origins, place)


class WholeImages(Dataset[Item | None]):
    """Whole images fitted to the canvas, for evaluation; the index is a catalog row.

    An image that cannot be decoded is shown as plain ground, so that it counts as missed, and is reported.

    Args:
        catalog: the images.
        size: canvas height and width.
        cache_bytes: bound on the decoded images kept.
        on_bad_image: `skip`, or `error` to raise.
        pack: what `detaug pack` made for this size; only a raw one is used, since scores depend on every pixel.
    """

    def __init__(
        self,
        catalog: Catalog,
        size: tuple[int, int],
        cache_bytes: int | None,
        on_bad_image: str,
        pack: Pack | None = None,
    ) -> None:
        self.catalog = catalog
        self.size = size
        self.source = Source(catalog, size, cache_bytes, pack=pack if pack is not None and pack.is_raw else None)
        self.on_bad_image = on_bad_image

    def __len__(self) -> int:
        return len(self.catalog)

    def __getitem__(self, row: int) -> Item | None:
        """The image of a row with its boxes on the canvas; nothing for `NOTHING`."""
        if row == NOTHING:
            return None
        height, width = self.catalog.sizes[row].tolist()
        scene = scene_of(self.catalog, row, self.size, Draw(0, row, row, mixing=False))
        visible = finish(scene)
        broken: tuple[int, ...] = ()
        try:
            image = render(scene, self.source)
        except BrokenImage:
            if self.on_bad_image == "error":
                raise
            image, broken = np.full((*self.size, 3), scene.fill, np.uint8), (row,)
        fit = fit_matrix(height, width, self.size)
        placed = (float(fit[0, 0]), float(fit[1, 1]), float(fit[0, 2]), float(fit[1, 2]))
        return Item(Sample(image, visible.boxes, visible.labels), row, placed, (height, width), broken)


class LateLoader(DataLoader[Any]):
    """A DataLoader that begins an epoch when its first batch is asked for.

    Lightning makes the iterator of a resumed run long before it tells the sampler the epoch (its issue 21938), and
    workers would begin at once with what epoch 0 shows.

    Attributes:
        exchange: the memory in which workers make training pictures; None before they are started.
    """

    exchange: Exchange | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The epoch that the sampler is set to by the time of the first batch."""
        yield from super().__iter__()

    def _get_iterator(self) -> Any:
        """Called when workers are started: those of `SignDataset` get memory to make their pictures in."""
        if self.num_workers and isinstance(self.dataset, SignDataset) and self.batch_size is not None:
            shape = (self.batch_size, 3, *self.dataset.augmenter.stage.size)
            exchange = exchange_for(shape, self.num_workers, self.prefetch_factor or 2)
            self.worker_init_fn = partial(_begun, exchange)
            self.exchange = exchange  # what is on its way finds it for as long as this loader lives
        return super()._get_iterator()


def collate(items: Sequence[Item | None]) -> Batch:
    """Items as one batch with the boxes packed flat; a few tensors, whatever the number of boxes and images.

    A list of tensors per image costs a file descriptor each on its way between processes, and there are only so many.
    """
    present = [i for i in items if i is not None]
    counts = [len(i.sample.boxes) for i in present]
    return Batch(
        images=_images(present),
        boxes=torch.from_numpy(np.concatenate([np.empty((0, 4), np.float32), *(i.sample.boxes for i in present)])),
        labels=torch.from_numpy(np.concatenate([np.empty(0, np.int64), *(i.sample.labels for i in present)])),
        starts=torch.from_numpy(np.cumsum([0, *counts], dtype=np.int64)),
        rows=torch.tensor([i.row for i in present], dtype=torch.int64),
        fits=torch.tensor([i.fit for i in present], dtype=torch.float32).reshape(-1, 4),
        sizes=torch.tensor([i.size for i in present], dtype=torch.int64).reshape(-1, 2),
        broken=torch.tensor([r for i in present for r in i.broken], dtype=torch.int64),
        came=torch.from_numpy(np.concatenate([np.empty(0, np.uint8), *(i.came for i in present)])),
    )


def _images(items: Sequence[Item]) -> Tensor:
    """(B, 3, H, W) uint8; without a copy where the pictures were made in one batch, in this order."""
    if not items:
        return torch.empty((0, 3, 1, 1), dtype=torch.uint8)
    first = items[0].place
    if first is not None and len(first[0]) == len(items):
        made = first[0]
        if all(i.place is not None and i.place[0] is made and i.place[1] == k for k, i in enumerate(items)):
            return made
    shapes = {item.sample.image.shape for item in items}
    if len(shapes) > 1:
        raise ValueError(f"images of one batch have one size, not {sorted(shapes)}")
    height, width, _ = shapes.pop()
    batch = torch.empty((len(items), 3, height, width), dtype=torch.uint8)
    split_into(batch.numpy(), items)
    return batch


def split_into(pictures: NDArray[np.uint8], items: Sequence[Item]) -> None:
    """Put the items' pictures into those of a batch (B, 3, H, W), straight into its memory."""
    for planes, item in zip(pictures, items, strict=True):
        cv2.split(item.sample.image, list(planes))


def _begun(exchange: Exchange | None, worker: int) -> None:
    """In a worker: one thread, and a share of the exchange."""
    one_thread(worker)
    info = get_worker_info()
    if exchange is not None and info is not None and isinstance(info.dataset, SignDataset):
        exchange.worker = worker
        info.dataset.exchange = exchange


def one_thread(worker: int) -> None:  # noqa: ARG001
    """Each worker has one thread: OpenCV's own would fight the other workers for the cores."""
    cv2.setNumThreads(0)
