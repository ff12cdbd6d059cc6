"""What one set of images adds up to in an evaluation: its loss with its uncertainty, and what was found in it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from detaug.batches.batch import Batch
from detaug.detectors.losses import ImageLosses
from detaug.detectors.protocol import Detections, Forward
from detaug.measures.truth import Found

Weighting = Callable[[dict[str, Tensor]], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What one process has of a set of images.

    Attributes:
        found: what was found.
        sums: loss parts and `normaliser`, summed.
        images: of each image weighted loss and normaliser, where the detector knows them.
    """

    found: Found
    sums: Mapping[str, float]
    images: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """A set's loss.

    Attributes:
        value: the weighted sum of the parts.
        error: standard error over images; NaN where it is not known.
        parts: by name, each over the normaliser.
    """

    value: float
    error: float
    parts: Mapping[str, float]


class Tally:
    """Collects the batches of one set of images on one process."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self._sums: dict[str, float] = {}
        self._images: list[tuple[float, float]] = []

    def add(self, forward: Forward, batch: Batch, weighted: Weighting) -> None:
        """Add a batch."""
        if forward.detections is not None:
            self.found.append(in_original(forward.detections, batch))
        for name, value in {**forward.losses, "normaliser": forward.normaliser}.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        if forward.images is not None:
            self._images += _pairs(forward.images, weighted)

    def share(self) -> Share:
        """What was collected."""
        return Share(Found.joined(self.found), self._sums, tuple(self._images))


def loss_of(shares: Sequence[Share], weighted: Weighting) -> Loss:
    """The loss over the shares of all processes, the same on each of them."""
    names = sorted({name for s in shares for name in s.sums})  # a fixed order: sums round alike everywhere
    sums = {name: sum(s.sums.get(name, 0.0) for s in shares) for name in names}
    count = max(1.0, sums.pop("normaliser", 0.0))
    parts = {name: value / count for name, value in sums.items()}
    value = float(weighted({name: torch.tensor(part) for name, part in parts.items()}))
    return Loss(value, standard_error([pair for s in shares for pair in s.images]), parts)


def standard_error(images: Sequence[tuple[float, float]]) -> float:
    """Standard error of sum(loss) / sum(count) over images drawn anew, by the delta method (Cochran, 1977, 2.11).

    >>> round(standard_error([(2.0, 1.0), (4.0, 1.0), (6.0, 1.0)]), 6)  # the mean of 2, 4 and 6
    1.154701
    """
    values = np.array(sorted(images), np.float64).reshape(-1, 2)
    count = values[:, 1].sum()
    if len(values) < 2 or count <= 0:
        return math.nan
    rest = values[:, 0] - values[:, 0].sum() / count * values[:, 1]
    return float(np.sqrt((rest**2).sum() * len(values) / (len(values) - 1)) / count)


def _pairs(images: ImageLosses, weighted: Weighting) -> list[tuple[float, float]]:
    each = weighted(images.losses)
    return list(zip(each.tolist(), images.counts.tolist(), strict=True))


def in_original(detections: Detections, batch: Batch) -> Found:
    """Detections from canvas pixels to original pixels: (canvas - shift) / scale, cut at the image's border."""
    counts = detections.starts.diff().to(detections.boxes.device)
    fits = batch.fits.to(detections.boxes).repeat_interleave(counts, 0)
    limits = batch.sizes.flip(1).to(detections.boxes).repeat_interleave(counts, 0).repeat(1, 2)
    boxes = (detections.boxes - fits[:, 2:].repeat(1, 2)) / fits[:, :2].repeat(1, 2)
    boxes = torch.minimum(boxes.clamp(min=0), limits)
    return Found(
        rows=batch.rows.cpu().numpy().astype(np.int64),
        boxes=boxes.float().cpu().numpy(),
        scores=detections.scores.float().cpu().numpy(),
        labels=detections.labels.cpu().numpy(),
        starts=detections.starts.cpu().numpy(),
    )
