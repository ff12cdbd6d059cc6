"""Batches for tests."""

import torch
from torch import Tensor

from detaug.batches.batch import Batch


def batch_of(
    boxes: list[list[list[float]]],
    labels: list[list[int]] | None = None,
    side: int = 128,
    images: Tensor | None = None,
    seed: int = 0,
) -> Batch:
    """Noise images, one for each list of boxes, shown as they are."""
    count = len(boxes)
    if images is None:
        noise = torch.Generator().manual_seed(seed)
        images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=noise)
    flat = [box for image in boxes for box in image]
    names = labels if labels is not None else [[i % 3 for i in range(len(image))] for image in boxes]
    starts = torch.tensor([0, *[len(image) for image in boxes]]).cumsum(0)
    return Batch(
        images=images,
        boxes=torch.tensor(flat, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([n for image in names for n in image], dtype=torch.int64),
        starts=starts,
        rows=torch.arange(count),
        fits=torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(count, 1),
        sizes=torch.tensor([list(images.shape[2:])]).repeat(count, 1),
    )


BOXES = [[[10.0, 12.0, 40.0, 44.0], [60.0, 50.0, 76.0, 66.0]], [[4.0, 4.0, 120.0, 110.0]]]
