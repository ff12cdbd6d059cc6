"""Training boxes whose labels may be wrong: those that the trained model finds worst."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from detaug.batches.batch import Batch
from detaug.readers.catalog import Catalog

MOST = 50


@dataclass(frozen=True, slots=True, eq=False)
class BoxLosses:
    """The losses of N boxes.

    Attributes:
        rows: (N,) int64, the image's row in the catalog that was looked through.
        boxes: (N, 4) float32, x1 y1 x2 y2 in original pixels, edges.
        labels: (N,) int64, index into the class names.
        losses: (N,) float32; NaN where a box has none of its own.
    """

    rows: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    losses: NDArray[np.float32]

    @classmethod
    def of(cls, batch: Batch, losses: Tensor) -> "BoxLosses":
        """A batch's boxes, back in original pixels, with their losses."""
        image = np.repeat(np.arange(len(batch)), batch.starts.diff().cpu().numpy())
        fits = batch.fits.cpu().numpy()[image]
        boxes = (batch.boxes.cpu().numpy() - np.tile(fits[:, 2:], 2)) / np.tile(fits[:, :2], 2)
        rows, labels = batch.rows.cpu().numpy()[image], batch.labels.cpu().numpy()
        return cls(rows, boxes.astype(np.float32), labels, losses.float().cpu().numpy())


def suspects(parts: Sequence[BoxLosses], catalog: Catalog, most: int = MOST) -> list[dict[str, Any]]:
    """The boxes with the highest losses, the highest first: `image`, `box` in original pixels, `label`, `loss`.

    A model learns wrong labels last (Arpit et al., 2017), so under the best weights they stand out, together with
    signs that are merely hard to see.

    Args:
        parts: the boxes that were looked at, of all processes.
        catalog: what their rows name.
        most: how many to give.
    """
    if not parts:
        return []
    rows, labels = np.concatenate([p.rows for p in parts]), np.concatenate([p.labels for p in parts])
    boxes, losses = np.concatenate([p.boxes for p in parts]), np.concatenate([p.losses for p in parts])
    known = np.flatnonzero(np.isfinite(losses))
    order = known[np.lexsort((boxes[known, 0], rows[known], -losses[known]))][:most]
    return [
        {
            "image": catalog.name(int(rows[i])),
            "box": [round(float(v), 2) for v in boxes[i]],
            "label": catalog.classes.names[labels[i]],
            "loss": round(float(losses[i]), 4),
        }
        for i in order
    ]
