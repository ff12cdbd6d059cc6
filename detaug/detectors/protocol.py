"""What every detector takes and gives, whoever wrote its network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from detaug.batches.batch import Batch
from detaug.detectors.losses import ImageLosses


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was found in B images, K boxes in all, image after image.

    Attributes:
        boxes: (K, 4) float32, x1 y1 x2 y2 in canvas pixels, edges, inside the canvas.
        scores: (K,) float32, 0 to 1, falling within an image.
        labels: (K,) int64, index into the model's class names.
        starts: (B + 1,) int64; the boxes of image i are `starts[i]:starts[i + 1]`.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    starts: Tensor

    def __post_init__(self) -> None:
        found = len(self.boxes)
        if self.boxes.shape != (found, 4) or self.scores.shape != (found,) or self.labels.shape != (found,):
            raise ValueError(
                "expected boxes (K, 4), scores (K,), labels (K,), got "
                f"{tuple(self.boxes.shape)}, {tuple(self.scores.shape)}, {tuple(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def empty(cls, images: int, device: torch.device) -> "Detections":
        """Nothing found in so many images."""
        return cls(
            boxes=torch.zeros((0, 4), device=device),
            scores=torch.zeros(0, device=device),
            labels=torch.zeros(0, dtype=torch.int64, device=device),
            starts=torch.zeros(images + 1, dtype=torch.int64, device=device),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """What one forward pass gives.

    Attributes:
        losses: the loss parts by name, each a scalar SUM over this batch; empty where no loss was asked for.
        normaliser: () float32, what the sums are divided by, counted in this batch alone. The caller adds it up over
            all processes first, so that two processes learn what one learns.
        detections: what was found, or None where it was not asked for.
        images: the losses of each image, whose sums `losses` are; None where they are not known.
    """

    losses: dict[str, Tensor]
    normaliser: Tensor
    detections: Detections | None
    images: ImageLosses | None = None


class Detector(nn.Module, ABC):
    """A network that finds boxes.

    Losses and detections may both be asked of one pass, in training and in evaluation mode alike; the mode decides
    over dropout and batch statistics only.
    """

    @abstractmethod
    def forward(self, batch: Batch, *, losses: bool, detections: bool) -> Forward:
        """One pass over B images, with the loss sums, the detections, or both."""

    @abstractmethod
    def box_losses(self, batch: Batch) -> Tensor:
        """How badly each of the batch's N boxes is found, (N,) float32; NaN where that cannot be said."""

    @abstractmethod
    def chance_losses(self, batches: Sequence[Batch]) -> tuple[dict[str, Tensor], Tensor]:
        """Loss sums and normaliser of a model that knows the class frequencies alone; pixels are not looked at."""
