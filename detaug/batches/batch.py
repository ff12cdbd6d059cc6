"""A batch on its way to the detector: images as one tensor, boxes packed flat."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from detaug.batches.exchange import parcel, unpacked


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B images with N boxes in all.

    Attributes:
        images: (B, 3, H, W) uint8, RGB.
        boxes: (N, 4) float32, x1 y1 x2 y2 in canvas pixels, edges; image after image.
        labels: (N,) int64, index into the model's class names.
        starts: (B + 1,) int64; the boxes of image i are `starts[i]:starts[i + 1]`.
        rows: (B,) int64, the image's row in the catalog the loader reads.
        fits: (B, 4) float32, scale x, scale y, shift x, shift y: canvas = original * scale + shift. Only meaningful
            for evaluation, where the whole image is shown.
        sizes: (B, 2) int64, height and width of the original image.
        broken: (K,) int64, rows that could not be decoded while this batch was made, and had a stand-in.
        came: (N,) uint8, where each box came from, as `detaug.scenes.exposure.Came`; empty for evaluation.
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor
    starts: Tensor
    rows: Tensor
    fits: Tensor
    sizes: Tensor
    broken: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    came: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))

    def __len__(self) -> int:
        return len(self.images)

    def __reduce__(self) -> tuple[Callable[..., "Batch"], tuple[Any, ...]]:
        """Only the pictures go through shared memory: every tensor that does costs a descriptor and a connection."""
        every = [getattr(self, name) for name in self.__slots__]
        if any(tensor.device.type != "cpu" for tensor in every):
            return Batch, tuple(every)
        return _arrived, (parcel(self.images), *(tensor.numpy() for tensor in every[1:]))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The same batch on another device; Lightning calls this."""
        moved = {n: getattr(self, n).to(device, non_blocking=non_blocking) for n in self.__slots__}
        return replace(self, **moved)

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory; the DataLoader calls this."""
        return replace(self, **{n: getattr(self, n).pin_memory() for n in self.__slots__})


def _arrived(images: Any, *others: Any) -> Batch:
    # What comes through a pipe may not be written to; a tensor must be able to.
    return Batch(unpacked(images), *(torch.from_numpy(array.copy()) for array in others))
