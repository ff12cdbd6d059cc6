"""The catalog: a whole dataset as flat arrays, so that workers share it instead of copying objects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.classes import ClassTable
from detaug.errors import Finding, InputError

LARGE = 1 << 22  # bytes of arrays; from here on another process is given a file to map
_BLOCK = 1 << 16  # rows that are gathered at once, so that their indices take little memory


class Split(IntEnum):
    """Which part of the dataset an image belongs to; NONE where the dataset does not say."""

    NONE = 0
    TRAIN = 1
    VAL = 2
    TEST = 3


class Flag(IntFlag):
    """What an annotation says of a box beside its class."""

    DIFFICULT = 1
    CROWD = 2
    TRUNCATED = 4
    OCCLUDED = 8


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """M images with N boxes.

    Attributes:
        root: the folder that image names are relative to.
        classes: the class table.
        text: (K,) uint8, all image names as UTF-8, one after the other.
        ends: (M,) int64, where each name ends in `text`.
        sizes: (M, 2) int32, height and width in pixels, upright (EXIF turned).
        starts: (M + 1,) int64; the boxes of image i are `starts[i]:starts[i + 1]`.
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the upright image, edges, inside it.
        labels: (N,) int32, index into `classes`.
        flags: (N,) uint8, `Flag` bits.
        ids: (M,) int64, the dataset's own image ids, or the row.
        splits: (M,) uint8, `Split` codes.
        groups: (M,) int32, images that show the same place or sign share a group and never part.
        findings: what was wrong and what became of it.
        has_images: False where no image file is there: such a catalog can be planned, split and converted, not drawn.
        images_in: images the files named; equals M plus the images lost in `findings`.
        boxes_in: boxes the files named; equals N plus the boxes lost in `findings`.
        index: the file that the arrays are mapped from; None where they are this process's own. Copies have none.
    """

    root: Path
    classes: ClassTable
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    sizes: NDArray[np.int32]
    starts: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    flags: NDArray[np.uint8]
    ids: NDArray[np.int64]
    splits: NDArray[np.uint8]
    groups: NDArray[np.int32]
    findings: tuple[Finding, ...] = field(default=())
    images_in: int = 0
    boxes_in: int = 0
    has_images: bool = True
    index: Path | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        images, boxes = len(self.sizes), len(self.boxes)
        expected: dict[str, tuple[NDArray[np.generic], tuple[int, ...]]] = {
            "ends": (self.ends, (images,)),
            "sizes": (self.sizes, (images, 2)),
            "starts": (self.starts, (images + 1,)),
            "boxes": (self.boxes, (boxes, 4)),
            "labels": (self.labels, (boxes,)),
            "flags": (self.flags, (boxes,)),
            "ids": (self.ids, (images,)),
            "splits": (self.splits, (images,)),
            "groups": (self.groups, (images,)),
        }
        for name, (array, shape) in expected.items():
            if array.shape != shape:
                raise ValueError(f"{name}: expected {shape}, got {array.shape}")
        if boxes and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(f"labels: expected 0 to {len(self.classes) - 1}, got {self.labels.max()}")

    def __reduce__(self) -> tuple[Callable[..., "Catalog"], tuple[Any, ...]]:
        """Pickle the path of a file instead of the arrays, which other processes then share."""
        from detaug.readers.index import load, spare

        path = self.index
        if path is None or not path.is_file():
            values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
            size = sum(v.nbytes for v in values.values() if isinstance(v, np.ndarray))
            path = spare(self) if size >= LARGE else None
            if path is None:
                return _of_values, (values,)
            # set past the frozen class, so that the next worker's pickle need not write it again
            object.__setattr__(self, "index", path)
        return load, (path, self.root)

    def __len__(self) -> int:
        return len(self.sizes)

    def name(self, row: int) -> str:
        """The image's name relative to `root`, with forward slashes."""
        start = int(self.ends[row - 1]) if row else 0
        return bytes(self.text[start : int(self.ends[row])]).decode("utf-8")

    def path(self, row: int) -> Path:
        """The image's file."""
        return self.root / self.name(row)

    def require_images(self) -> None:
        """Stop what needs pixels where there are none.

        Raises:
            InputError: the dataset's image files are not there.
        """
        if not self.has_images:
            first = f", such as {self.path(0)}" if len(self) else ""
            raise InputError(
                f"{self.root}: none of the image files is here{first}, so this dataset can be planned, split and "
                f"converted, but not drawn."
            )

    def objects(self, row: int) -> slice:
        """Which entries of `boxes`, `labels` and `flags` belong to image `row`."""
        return slice(int(self.starts[row]), int(self.starts[row + 1]))

    def images_of_boxes(self) -> NDArray[np.int64]:
        """(N,) the image row of each box."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def class_counts(self) -> NDArray[np.int64]:
        """(C,) boxes per class."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def split(self, name: str) -> "Catalog":
        """The images of one split: `train`, `val` or `test`.

        Raises:
            InputError: the catalog has no image in it.
        """
        rows = np.flatnonzero(self.splits == Split[name.upper()])
        if len(rows) == 0:
            raise InputError(f"{self.root}: no image belongs to the split {name!r}.")
        return self.take(rows)

    def take(self, rows: NDArray[np.integer]) -> "Catalog":
        """The images `rows` in that order; findings and counts stay with the whole."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        text, ends = self._texts(rows)
        boxes, labels = np.empty((starts[-1], 4), np.float32), np.empty(starts[-1], np.int32)
        flags = np.empty(starts[-1], np.uint8)
        for first in range(0, len(rows), _BLOCK):
            block = slice(first, first + _BLOCK)
            where = spans(self.starts[rows[block]], counts[block])
            into = slice(int(starts[first]), int(starts[first]) + len(where))
            boxes[into], labels[into], flags[into] = self.boxes[where], self.labels[where], self.flags[where]
        return replace(
            self,
            text=text,
            ends=ends,
            sizes=self.sizes[rows],
            starts=starts,
            boxes=boxes,
            labels=labels,
            flags=flags,
            ids=self.ids[rows],
            splits=self.splits[rows],
            groups=self.groups[rows],
            findings=(),
            images_in=len(rows),
            boxes_in=int(starts[-1]),
        )

    def _texts(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """`text` and `ends` of these rows."""
        lengths = np.diff(self.ends, prepend=0)[rows]
        parts = [np.empty(0, np.uint8)]
        for first in range(0, len(rows), _BLOCK):
            some, counts = rows[first : first + _BLOCK], lengths[first : first + _BLOCK]
            parts.append(self.text[spans(self.ends[some] - counts, counts)])
        return np.concatenate(parts), np.cumsum(lengths, dtype=np.int64)


def spans(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The indices of consecutive entries: `counts[i]` of them from `starts[i]` on, for each i.

    >>> spans(np.array([7, 2]), np.array([2, 3])).tolist()
    [7, 8, 2, 3, 4]
    """
    ends = np.cumsum(counts)
    where: NDArray[np.int64] = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)
    return where


def pack_names(names: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Names as one UTF-8 array and the ends of each.

    >>> text, ends = pack_names(["a.jpg", "bé.png"])
    >>> ends.tolist(), bytes(text).decode()
    ([5, 12], 'a.jpgbé.png')
    """
    encoded = [name.encode("utf-8") for name in names]
    ends = np.cumsum([len(e) for e in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends.reshape(len(names))


def _of_values(values: dict[str, Any]) -> Catalog:
    return Catalog(**values)
