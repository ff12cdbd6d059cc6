"""Who belongs together, and shares of the dataset that keep every class on each side."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.stratify import Counts, stratified

RUN = 12  # consecutive numbers that may show the same sign
_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_ROBOFLOW = re.compile(r"(_(jpe?g|png|bmp|webp))?\.rf\..*", re.DOTALL)
PART_FOLDERS = frozenset(("train", "val", "valid", "validation", "test", "none", "images", "jpegimages"))


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
    folder = "/".join(part for part in folder.split("/") if part.lower() not in PART_FOLDERS)
    stem = _ROBOFLOW.sub("", file)
    if stem == file:
        stem = file.rpartition(".")[0] or file
    numbered = _NUMBERED.fullmatch(stem)
    return (folder, stem, -1) if numbered is None else (folder, numbered[1], int(numbered[2]) // run)


def with_splits(catalog: Catalog, val_share: float = 0.2, seed: int = 0, test_share: float | None = None) -> Catalog:
    """The catalog with new splits; a class with at least as many groups as there are splits is in each.

    That holds wherever `stratify.repaired` finds such a division. A class with fewer groups is in training first.

    Args:
        catalog: its `groups` are never parted.
        val_share: share of the boxes, class by class, that goes to validation.
        seed: chooses among equally good divisions.
        test_share: the same for the test split; None leaves the test images what they are.

    Raises:
        InputError: a share is out of range or there are fewer groups than splits.
    """
    if test_share is None and not 0 < val_share < 1:
        raise InputError(f"{catalog.root}: the validation share is {val_share}, not between 0 and 1.")
    shares = {Split.VAL: val_share, Split.TEST: test_share or 0.0}
    if not (all(0 <= share < 1 for share in shares.values()) and 0 < sum(shares.values()) < 1):
        value = f"{val_share} for validation and {test_share} for test"
        raise InputError(
            f"{catalog.root}: the shares are {value}, which leave no part of the images or all to training."
        )
    codes = [split for split, share in shares.items() if share > 0]
    of_parts = np.array([1 - sum(shares.values()), *(shares[code] for code in codes)])
    rows, parts = _divided(catalog, of_parts, seed, keep_test=test_share is None, first=True)
    return _assigned(catalog, rows, np.array([Split.TRAIN, *codes])[parts])


def fold(catalog: Catalog, k: int, n: int, seed: int = 0, keep_test: bool = True) -> Catalog:
    """Cross-validation: fold `k` (from 0) of `n` is validation, the others training.

    All images, but those of the test split if `keep_test`, are pooled, and each is in exactly one fold. The folds do
    not depend on `k`.

    Raises:
        InputError: no such fold, or fewer groups than folds.
    """
    if not (n >= 2 and 0 <= k < n):
        raise InputError(f"{catalog.root}: there is no fold {k + 1} of {n}.")
    rows, parts = _divided(catalog, np.full(n, 1 / n), seed, keep_test, first=False)
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


def groups_per_split(catalog: Catalog) -> dict[Split, Counts]:
    """(C,) groups that show each class, in each split that has an image."""
    rows = catalog.images_of_boxes()
    found = {}
    for split in (Split(code) for code in np.unique(catalog.splits)):
        used = catalog.splits[rows] == split
        pairs = np.unique(np.column_stack([catalog.labels[used], catalog.groups[rows[used]]]), axis=0)
        found[split] = np.bincount(pairs[:, 0], minlength=len(catalog.classes)).astype(np.int64)
    return found


def _divided(
    catalog: Catalog, shares: NDArray[np.float64], seed: int, keep_test: bool, first: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that are divided, and the part of each."""
    rows = np.flatnonzero(catalog.splits != Split.TEST) if keep_test else np.arange(len(catalog))
    groups, of_row = np.unique(catalog.groups[rows], return_inverse=True)
    if len(groups) < len(shares):
        raise InputError(f"{catalog.root}: {len(groups)} groups of images cannot be divided into {len(shares)} parts.")
    group_of_image = np.full(len(catalog), -1)
    group_of_image[rows] = of_row
    group_of_box = group_of_image[catalog.images_of_boxes()]
    used = group_of_box >= 0
    counts = np.zeros((len(groups), len(catalog.classes)), np.int64)
    np.add.at(counts, (group_of_box[used], catalog.labels[used]), 1)
    images = np.bincount(of_row, minlength=len(groups)).astype(np.int64)
    parts = stratified(counts, images, shares, np.random.Generator(np.random.Philox(seed)), first)
    return rows, parts[of_row]


def _assigned(catalog: Catalog, rows: NDArray[np.int64], splits: NDArray[np.integer]) -> Catalog:
    """New splits for `rows`; image ids that only made sense within their old split become the row."""
    changed = catalog.splits.copy()
    changed[rows] = splits
    unique = len(np.unique(catalog.ids)) == len(catalog)
    ids = catalog.ids if unique else np.arange(len(catalog))
    return replace(catalog, splits=changed, ids=ids)
