"""Copies of images: the same bytes, or the same picture in another size or encoding, across splits."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detaug.errors import Finding
from detaug.readers.catalog import Catalog, Split
from detaug.readers.check.pixels import Looks

MOST_BITS = 10  # of 64 that differ; rescaled and re-encoded road pictures differ in up to 8
LEAST_CORRELATION = 0.95  # of the thumbnails; copies have 0.96 and more, other pictures of the same bits have less
_SAME = 0.5  # pixels; boxes whose edges differ by less are the same
_ROWS, _COLUMNS = 32, 4096  # hashes compared at a time: what fits the processor's cache
_PAIRS = 1 << 15  # thumbnails compared at a time


def same_files(catalog: Catalog, looks: Looks) -> list[Finding]:
    """Images of the same bytes: in another split, in the same split, with other boxes."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for row in np.flatnonzero(looks.readable).tolist():
        alike[looks.digests[row].tobytes()].append(row)
    findings = []
    for rows in alike.values():
        first = min(rows, key=lambda row: (int(catalog.splits[row]) or len(Split), row))
        for row in rows:
            if row == first:
                continue
            leaks = _parted(catalog, row, first)
            kind = "leaked-image" if leaks else "duplicate-image"
            findings.append(Finding(kind, catalog.name(row), f"the same bytes as {_placed(catalog, first)}"))
            if not _same_boxes(catalog, row, first):
                counts = [catalog.objects(r).stop - catalog.objects(r).start for r in (row, first)]
                value = (
                    f"the same bytes as {catalog.name(first)}, but other boxes ({counts[0]} here, {counts[1]} there)"
                )
                findings.append(Finding("conflicting-boxes", catalog.name(row), value))
    return findings


def near_duplicates(catalog: Catalog, looks: Looks) -> list[Finding]:
    """Images that look like one of an earlier split (train, val, test), with the one that is most like it.

    All pairs across splits are compared by their hashes in blocks, 10^9 in two or three seconds, which needs no
    tuning and has no bad case; pairs of like hashes are then compared by their thumbnails. Files of the same bytes
    are left to `same_files`.
    """
    usable = looks.readable & looks.contrast
    findings = []
    for split in (Split.VAL, Split.TEST):
        here = np.flatnonzero(usable & (catalog.splits == split))
        before = np.flatnonzero(usable & (catalog.splits < split) & (catalog.splits != Split.NONE))
        for row, other, bits, like in _nearest(looks, here, before):
            value = f"looks like {_placed(catalog, other)}: {bits} of 64 bits differ, correlation {like:.3f}"
            findings.append(Finding("near-duplicate", catalog.name(row), value))
    return findings


def leaking_groups(catalog: Catalog) -> list[Finding]:
    """Groups of images (neighbours in number, copies by name) that lie in more than one split."""
    rows = np.flatnonzero(catalog.splits != Split.NONE)
    order = rows[np.lexsort((rows, catalog.splits[rows], catalog.groups[rows]))]
    findings = []
    for members in np.split(order, np.flatnonzero(np.diff(catalog.groups[order])) + 1):
        splits, starts, counts = np.unique(catalog.splits[members], return_index=True, return_counts=True)
        if len(splits) > 1:
            told = [f"{n} in {Split(s).name.lower()}" for s, n in zip(splits, counts.tolist(), strict=True)]
            value = f"its group (neighbours in number, or copies by name) has {' and '.join(told)}"
            value += f", such as {catalog.name(int(members[starts[1]]))}"
            findings.append(Finding("leaking-group", catalog.name(int(members[0])), value))
    return findings


def _nearest(looks: Looks, here: NDArray[np.int64], before: NDArray[np.int64]) -> list[tuple[int, int, int, float]]:
    """For each row of `here` with a like one in `before`: both, the bits that differ, the correlation."""
    best: dict[int, tuple[int, int, int, float]] = {}
    for found, bits in like_pairs(looks.hashes[here], looks.hashes[before], MOST_BITS):
        rows, others = here[found[:, 0]], before[found[:, 1]]
        likes = correlation(looks.thumbnails[rows], looks.thumbnails[others])
        other_bytes = (looks.digests[rows] != looks.digests[others]).any(1)
        for k in np.flatnonzero((likes >= LEAST_CORRELATION) & other_bytes).tolist():
            row, like = int(rows[k]), float(likes[k])
            if row not in best or like > best[row][3]:
                best[row] = row, int(others[k]), int(bits[k]), like
    return [best[row] for row in sorted(best)]


def like_pairs(
    a: NDArray[np.uint64], b: NDArray[np.uint64], most_bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """All pairs of 64-bit hashes that differ in few bits, some at a time: (K, 2) indices and (K,) differing bits.

    >>> [(pairs.tolist(), bits.tolist()) for pairs, bits in like_pairs(np.uint64([7, 0]), np.uint64([6, 255]), 1)]
    [([[0, 0]], [1])]
    """
    for top in range(0, len(a), _ROWS):
        for left in range(0, len(b), _COLUMNS):
            bits = np.bitwise_count(a[top : top + _ROWS, None] ^ b[None, left : left + _COLUMNS])
            found = np.argwhere(bits <= most_bits)
            for some in np.split(found, range(_PAIRS, len(found), _PAIRS)):
                if len(some):
                    yield np.add(some, (top, left)), bits[some[:, 0], some[:, 1]]


def correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N,) Pearson's correlation of the rows of two arrays (N, K) that are not constant.

    >>> correlation(np.array([[0, 10, 20]], np.uint8), np.array([[5, 6, 7]], np.uint8)).tolist()
    [1.0]
    """
    from_mean = [x.astype(np.float32) - x.mean(1, keepdims=True, dtype=np.float32) for x in (a, b)]
    norms = [np.sqrt(np.square(x).sum(1)) for x in from_mean]
    return np.asarray((from_mean[0] * from_mean[1]).sum(1) / (norms[0] * norms[1]), np.float32)


def _parted(catalog: Catalog, row: int, other: int) -> bool:
    splits = {int(catalog.splits[row]), int(catalog.splits[other])}
    return len(splits) == 2 and Split.NONE not in splits


def _placed(catalog: Catalog, row: int) -> str:
    split = Split(catalog.splits[row])
    return catalog.name(row) + ("" if split == Split.NONE else f" in {split.name.lower()}")


def _same_boxes(catalog: Catalog, row: int, other: int) -> bool:
    """Whether two images have the same boxes of the same classes, in whatever order."""
    sides = []
    for image in (row, other):
        objects = catalog.objects(image)
        boxes, labels = catalog.boxes[objects], catalog.labels[objects]
        order = np.lexsort((*boxes.T.round(), labels))
        sides.append((boxes[order], labels[order]))
    (boxes, labels), (others, other_labels) = sides
    if not np.array_equal(labels, other_labels):
        return False
    return bool((np.abs(boxes - others) < _SAME).all())
