"""What leaves the augmentation: an image with its boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image with its boxes.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of `image`, edges (x2 is outside).
        labels: (N,) int64, index into the class names.

    Raises:
        ValueError: a shape or dtype is not as above.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"image: expected (H, W, 3) uint8, got {self.image.shape} {self.image.dtype}")
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or self.boxes.dtype != np.float32:
            raise ValueError(f"boxes: expected (N, 4) float32, got {self.boxes.shape} {self.boxes.dtype}")
        if self.labels.shape != self.boxes.shape[:1] or self.labels.dtype != np.int64:
            raise ValueError(
                f"labels: expected ({len(self.boxes)},) int64, got {self.labels.shape} {self.labels.dtype}"
            )
