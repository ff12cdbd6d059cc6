"""Which images a run learns from, and on which it is scored."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from detaug.batches.probe import some_rows
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.split import fold as fold_of
from detaug.readers.split import parse_fold, with_splits
from detaug.readers.split_file import with_split_file


class Parts:
    """A dataset's splits, each taken once.

    Args:
        whole: the dataset.
    """

    def __init__(self, whole: Catalog) -> None:
        self.whole = whole
        self._taken: dict[str, Catalog] = {"all": whole}

    def part(self, name: str) -> Catalog:
        """A split by name, or `all`.

        Raises:
            InputError: no image is in it.
        """
        if name not in self._taken:
            self._taken[name] = self.whole.split(name)
        return self._taken[name]

    def some_training(self, name: str, most: int, seed: int) -> Catalog:
        """At most so many images of the training split, drawn once under that name."""
        if name not in self._taken:
            training = self.part("train")
            self._taken[name] = training.take(some_rows(len(training), most, seed, name))
        return self._taken[name]

    def has(self, split: Split) -> bool:
        """Whether any image is in a split."""
        return bool((self.whole.splits == split).any())

    def evaluated(self, stage: str) -> Catalog:
        """The images of `validate`, `test` or `predict`.

        That is the validation split, for `test` and `predict` the test split if there is one, and everything where
        the dataset has neither.
        """
        wanted = (Split.VAL,) if stage == "validate" else (Split.TEST, Split.VAL)
        return self.part(next((split.name.lower() for split in wanted if self.has(split)), "all"))


def with_file(catalog: Catalog, splits: str | None, fold: str | None) -> Catalog:
    """The catalog with the splits of a file, if there is one.

    Raises:
        InputError: a fold is asked for as well, or the file cannot be used.
    """
    if splits is None:
        return catalog
    if fold is not None:
        raise InputError(f"data.fold {fold} and data.splits {splits} exclude each other: leave out one.")
    return with_split_file(catalog, splits)


def divided(
    catalog: Catalog,
    fold: str | None,
    val_share: float,
    seed: int,
    training: bool,
    past: Mapping[str, Any],
    given: bool = False,
) -> Catalog:
    """The catalog with its splits as given, by fold, or made.

    Args:
        catalog: as it was read.
        fold: K/N, or None.
        val_share: share of the validation split where one is made.
        seed: of the division.
        training: whether a validation split is needed.
        past: what a checkpoint says of the data it was trained on: if it is this very data, it is divided as it was
            then, or images that were learnt would be scored.
        given: the user's file says the splits, which then are neither changed nor completed.

    Raises:
        InputError: there is no such fold, or training has no validation image in the user's file.
    """
    if given:
        if training and not (catalog.splits == Split.VAL).any():
            raise InputError(f"{catalog.root}: data.splits puts no image into val, and training needs some.")
        return catalog
    known = past.get("data") == fingerprint(catalog)
    if known and past.get("splits") is not None and fold is None:
        return replace(catalog, splits=np.frombuffer(past["splits"].encode("ascii"), np.uint8) - ord("0"))
    if known:
        fold, val_share, seed = fold or past["fold"], past["val_share"], past["seed"]
    if fold is not None:
        k, n = parse_fold(fold)
        return fold_of(catalog, k - 1, n, seed)
    if (training or known) and not (catalog.splits == Split.VAL).any():
        return with_splits(catalog, val_share, seed)
    return catalog


def split_codes(catalog: Catalog) -> str:
    """The split of each image as a digit: what a checkpoint keeps of a file that may be lost or edited later."""
    return bytes(catalog.splits + ord("0")).decode("ascii")


def division(catalog: Catalog) -> str:
    """Tells one division of a dataset into splits from another."""
    return hashlib.blake2b(np.ascontiguousarray(catalog.splits).tobytes(), digest_size=16).hexdigest()


def require_same_division(past: Mapping[str, Any], catalog: Catalog) -> None:
    """A resumed training goes on with the division it began with, or it would validate on what it has learnt.

    Args:
        past: what the checkpoint says of its training.
        catalog: the dataset as it is divided now.

    Raises:
        InputError: it is the checkpoint's dataset, divided otherwise.
    """
    if past.get("data") == fingerprint(catalog) and past.get("division", division(catalog)) != division(catalog):
        raise InputError(
            f"{catalog.root}: the checkpoint was trained on other images of this dataset (data.fold {past['fold']}, "
            f"data.seed {past['seed']}, data.val_share {past['val_share']}"
            f"{'' if past['splits'] is None else ', a file of splits'}); resume with these settings, or begin anew "
            "from its weights with model.init_from."
        )


def fingerprint(catalog: Catalog) -> str:
    """Tells one dataset from another by image names and boxes, wherever it lies and however it is divided."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (catalog.text, catalog.ends, catalog.boxes, catalog.labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
