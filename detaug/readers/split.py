"""Who belongs together, and shares of the dataset that keep every class on each side."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split

RUN = 12  # consecutive numbers that may show the same sign
_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_ROBOFLOW = re.compile(r"(_(jpe?g|png|bmp|webp))?\.rf\..*", re.DOTALL)
_PART_FOLDERS = frozenset(("train", "val", "valid", "validation", "test", "images", "jpegimages"))
_REPAIRS = 3  # rounds

Counts = NDArray[np.int64]


def groups_by_runs(names: Sequence[str], run: int = RUN) -> NDArray[np.int32]:
    """Groups of images that probably show the same place: runs of file numbers, and copies of one image.

    Images are together when their names agree but for the last number, and `number // run` agrees as well; a name
    that ends in no number is with those of the same stem. Folders count, those named after a split or `images` do
    not: frame 7 in `train` and frame 8 in `val` are neighbours. `a_jpg.rf.HASH.jpg` (Roboflow) has the stem `a`.

    Args:
        names: M image names, with forward slashes.
        run: numbers in a group.

    Returns:
        (M,) int32, numbered in order of appearance.

    >>> groups_by_runs(["train/road1.png", "val/road2.png", "val/road13.png", "b_jpg.rf.1a.jpg", "b.jpg"]).tolist()
    [0, 0, 1, 2, 2]
    """
    seen: dict[tuple[str, str, int], int] = {}
    return np.array([seen.setdefault(_place(name, run), len(seen)) for name in names], np.int32).reshape(len(names))


def _place(name: str, run: int) -> tuple[str, str, int]:
    folder, _, file = name.rpartition("/")
    folder = "/".join(part for part in folder.split("/") if part.lower() not in _PART_FOLDERS)
    stem = _ROBOFLOW.sub("", file)
    if stem == file:
        stem = file.rpartition(".")[0] or file
    numbered = _NUMBERED.fullmatch(stem)
    return (folder, stem, -1) if numbered is None else (folder, numbered[1], int(numbered[2]) // run)


def with_splits(catalog: Catalog, val_share: float = 0.2, seed: int = 0) -> Catalog:
    """The catalog with new training and validation splits; test images stay what they are.

    Args:
        catalog: its `groups` are never parted.
        val_share: share of the boxes, class by class, that goes to validation; above 0 and below 1.
        seed: chooses among equally good divisions.

    Raises:
        InputError: the share is out of range or there are fewer than two groups to divide.
    """
    if not 0 < val_share < 1:
        raise InputError(f"{catalog.root}: the validation share is {val_share}, not between 0 and 1.")
    rows, parts = _divided(catalog, np.array([1 - val_share, val_share]), seed)
    return _assigned(catalog, rows, np.where(parts == 1, Split.VAL, Split.TRAIN))


def fold(catalog: Catalog, k: int, n: int, seed: int = 0) -> Catalog:
    """Cross-validation: fold `k` (from 0) of `n` is validation, the others training; test images stay.

    All images but the test split's are pooled, and each is in exactly one fold. The folds do not depend on `k`.

    Raises:
        InputError: no such fold, or fewer groups than folds.
    """
    if not (n >= 2 and 0 <= k < n):
        raise InputError(f"{catalog.root}: there is no fold {k + 1} of {n}.")
    rows, parts = _divided(catalog, np.full(n, 1 / n), seed)
    return _assigned(catalog, rows, np.where(parts == k, Split.VAL, Split.TRAIN))


def parse_fold(text: str) -> tuple[int, int]:
    """Fold K of N as users write it, K from 1.

    Raises:
        InputError: it does not read K/N with 1 <= K <= N and N at least 2.

    >>> parse_fold("2/3")
    (2, 3)
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) or int(match[2]) < 2:
        raise InputError(f"fold {text!r}: write K/N, such as 1/5, with K from 1 to N and N at least 2.")
    return int(match[1]), int(match[2])


def _divided(catalog: Catalog, shares: NDArray[np.float64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows outside the test split, and the part of each."""
    rows = np.flatnonzero(catalog.splits != Split.TEST)
    groups, of_row = np.unique(catalog.groups[rows], return_inverse=True)
    if len(groups) < len(shares):
        raise InputError(f"{catalog.root}: {len(groups)} groups of images cannot be divided into {len(shares)} parts.")
    group_of_image = np.full(len(catalog), -1)
    group_of_image[rows] = of_row
    group_of_box = group_of_image[catalog.images_of_boxes()]
    used = group_of_box >= 0
    counts = np.zeros((len(groups), len(catalog.classes)), np.int64)
    np.add.at(counts, (group_of_box[used], catalog.labels[used]), 1)
    parts = stratified(counts, np.bincount(of_row), shares, np.random.Generator(np.random.Philox(seed)))
    return rows, parts[of_row]


def stratified(counts: Counts, images: Counts, shares: NDArray[np.float64], rng: np.random.Generator) -> Counts:
    """Divide groups so that each part gets its share of each class.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011) on whole groups: the class with the fewest groups
    left comes first, and its groups, the largest first, go where most of its boxes are lacking. Then groups move to
    parts that lack a class. A class with at least as many groups as parts is in each part wherever groups have one
    class only; where they have several that can be impossible, and the moves come close.

    Args:
        counts: (G, C) boxes of each class in each group.
        images: (G,) images in each group.
        shares: (P,) share of each part, summing to 1.
        rng: decides between equals.

    Returns:
        (G,) int64, the part of each group.
    """
    lacking = shares[:, None] * counts.sum(0)  # (P, C) boxes still wanted
    room = shares * images.sum()  # (P,) images still wanted
    parts = np.full(len(counts), -1)
    present = counts > 0
    order = rng.permutation(len(counts))
    left = present.sum(0)
    while (left > 0).any():
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        waiting = order[present[order, label] & (parts[order] < 0)]
        waiting = waiting[np.argsort(-counts[waiting, label], kind="stable")]
        for group in waiting:
            part = np.lexsort((-room, -lacking[:, label]))[0]
            parts[group] = part
            lacking[part] -= counts[group]
            room[part] -= images[group]
            left -= present[group]
    for group in order[parts[order] < 0]:
        parts[group] = np.argmax(room)
        room[parts[group]] -= images[group]
    return _repaired(parts, present, len(shares))


def _repaired(parts: Counts, present: NDArray[np.bool_], number: int) -> Counts:
    """Move groups to parts that lack a class, where no other class pays for it; no part is left empty."""
    enough = present.sum(0) >= number
    for _ in range(_REPAIRS):
        held = _held(parts, present, number)
        wanted = np.argwhere((held == 0) & enough)
        for part, label in wanted:
            for group in np.flatnonzero(present[:, label]):
                source = parts[group]
                costs = present[group] & (held[source] == 1) & (enough | (held[part] > 0))
                if held[part, label] == 0 and not costs.any():
                    held[source] -= present[group]
                    held[part] += present[group]
                    parts[group] = part
        if len(wanted) == 0:
            break
    for part in np.setdiff1d(np.arange(number), parts):
        crowded = np.bincount(parts, minlength=number).argmax()
        parts[np.flatnonzero(parts == crowded)[0]] = part
    return parts


def _held(parts: Counts, present: NDArray[np.bool_], number: int) -> Counts:
    """(P, C) groups of each class in each part."""
    held = np.zeros((number, present.shape[1]), np.int64)
    np.add.at(held, parts, present)
    return held


def _assigned(catalog: Catalog, rows: NDArray[np.int64], splits: NDArray[np.integer]) -> Catalog:
    """New splits for `rows`; image ids that only made sense within their old split become the row."""
    changed = catalog.splits.copy()
    changed[rows] = splits
    unique = len(np.unique(catalog.ids)) == len(catalog)
    ids = catalog.ids if unique else np.arange(len(catalog))
    return replace(catalog, splits=changed, ids=ids)
