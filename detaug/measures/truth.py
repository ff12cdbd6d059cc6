"""What is in the images and what was found there: two packed forms, in original pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.readers.catalog import Catalog, Flag


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """The annotated boxes of M images, N in all.

    Attributes:
        ids: (M,) int64, the dataset's image ids, unique.
        sizes: (M, 2) int64, height and width in pixels.
        boxes: (N, 4) float32, x1 y1 x2 y2 in original pixels, edges.
        labels: (N,) int64, index into the data's class names.
        crowd: (N,) bool, a region of many objects: detections inside count neither way.
        starts: (M + 1,) int64; the boxes of image i are `starts[i]:starts[i + 1]`.
    """

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    starts: NDArray[np.int64]

    def __post_init__(self) -> None:
        images, boxes = len(self.ids), len(self.boxes)
        _expect("sizes", self.sizes, (images, 2))
        _expect("starts", self.starts, (images + 1,))
        _expect("boxes", self.boxes, (boxes, 4))
        _expect("labels", self.labels, (boxes,))
        _expect("crowd", self.crowd, (boxes,))

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, catalog: Catalog) -> "GroundTruth":
        """The truth of a catalog, row by row."""
        return cls(
            ids=catalog.ids,
            sizes=catalog.sizes.astype(np.int64),
            boxes=catalog.boxes,
            labels=catalog.labels.astype(np.int64),
            crowd=(catalog.flags & Flag.CROWD) != 0,
            starts=catalog.starts,
        )

    def take(self, rows: NDArray[np.int64]) -> "GroundTruth":
        """The images `rows`, in that order."""
        boxes, starts = pick(self.starts, rows)
        return GroundTruth(
            self.ids[rows], self.sizes[rows], self.boxes[boxes], self.labels[boxes], self.crowd[boxes], starts
        )


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in M images, K boxes in all.

    Attributes:
        rows: (M,) int64, the image's row in the evaluated catalog.
        boxes: (K, 4) float32, x1 y1 x2 y2 in original pixels, edges.
        scores: (K,) float32, 0 to 1.
        labels: (K,) int64, index into the data's class names.
        starts: (M + 1,) int64; the boxes of image i are `starts[i]:starts[i + 1]`.
    """

    rows: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __post_init__(self) -> None:
        images, boxes = len(self.rows), len(self.boxes)
        _expect("starts", self.starts, (images + 1,))
        _expect("boxes", self.boxes, (boxes, 4))
        _expect("scores", self.scores, (boxes,))
        _expect("labels", self.labels, (boxes,))

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def joined(cls, parts: Sequence["Found"]) -> "Found":
        """All parts as one, sorted by row; of a row that occurs more than once the first counts."""
        if not parts:
            none = np.zeros(0, np.int64)
            return cls(none, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), none, np.zeros(1, np.int64))
        counts = np.concatenate([np.diff(p.starts) for p in parts])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows, first = np.unique(np.concatenate([p.rows for p in parts]), return_index=True)
        boxes, packed = pick(starts, first)
        return cls(
            rows,
            np.concatenate([p.boxes for p in parts])[boxes],
            np.concatenate([p.scores for p in parts])[boxes],
            np.concatenate([p.labels for p in parts])[boxes],
            packed,
        )

    def images(self) -> NDArray[np.int64]:
        """(K,) which of the M images each box belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def take(self, images: NDArray[np.int64]) -> "Found":
        """The images at these places of `rows`, in that order; one may occur more than once."""
        boxes, starts = pick(self.starts, images)
        return Found(self.rows[images], self.boxes[boxes], self.scores[boxes], self.labels[boxes], starts)

    def above(self, threshold: float) -> "Found":
        """The boxes with at least this score; no image is left out."""
        return self._kept(self.scores >= threshold, self.labels)

    def renamed(self, classes: NDArray[np.int64]) -> tuple["Found", int]:
        """Labels replaced by `classes[label]`; boxes whose class becomes -1 are left out and counted."""
        labels = classes[self.labels]
        kept = labels >= 0
        return self._kept(kept, labels), int((~kept).sum())

    def _kept(self, kept: NDArray[np.bool_], labels: NDArray[np.int64]) -> "Found":
        starts = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)[self.starts]
        return Found(self.rows, self.boxes[kept], self.scores[kept], labels[kept], starts)

    def coco(self, ids: NDArray[np.int64]) -> list[dict[str, Any]]:
        """COCO results: `image_id`, `category_id` (the class index plus 1), `bbox` x y width height, `score`.

        Args:
            ids: the dataset's image id for each row of the catalog.
        """
        images = np.repeat(ids[self.rows], np.diff(self.starts)).tolist()
        boxes = xywh(self.boxes).tolist()
        values = zip(images, (self.labels + 1).tolist(), boxes, self.scores.tolist(), strict=True)
        return [{"image_id": i, "category_id": c, "bbox": b, "score": s} for i, c, b, s in values]


def pick(starts: NDArray[np.int64], images: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which packed entries belong to `images`, in that order, and where each image's entries then start.

    >>> entries, packed = pick(np.array([0, 2, 2, 3]), np.array([2, 0]))
    >>> entries.tolist(), packed.tolist()
    ([2, 0, 1], [0, 1, 3])
    """
    counts = np.diff(starts)[images]
    packed = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.repeat(starts[images] - packed[:-1], counts) + np.arange(packed[-1]), packed


def xywh(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 4) corners to left, top, width, height as COCO has them."""
    wide = boxes.astype(np.float64)
    return np.concatenate([wide[:, :2], wide[:, 2:] - wide[:, :2]], axis=1)


def _expect(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: expected {shape}, got {array.shape}")
