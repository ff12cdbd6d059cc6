"""The words that several commands take, and how they are checked."""

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np

from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.read import READERS, read
from detaug.readers.split_file import with_split_file

LARGEST = 2048  # side of a sample, pixels


def data_words() -> argparse.ArgumentParser:
    """The words that say which dataset: a parent for the parser of a command."""
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("root", metavar="ROOT", help="the dataset's folder")
    data.add_argument("--format", default="auto", help=f"auto, {', '.join(READERS)}; auto by default")
    data.add_argument("--classes", metavar="FILE", help="a class table; without it a built-in one that fits")
    data.add_argument("--follow-links", action="store_true", help="also read what links lead to outside of ROOT")
    splits = "a file of image,split,group, as `detaug split` writes it, in place of the dataset's own splits"
    data.add_argument("--splits", metavar="FILE", help=splits)
    return data


def read_words(args: argparse.Namespace) -> Catalog:
    """The dataset that `data_words` name."""
    return divided(read(args.root, args.format, args.classes, follow_links=args.follow_links), args)


def divided(catalog: Catalog, args: argparse.Namespace) -> Catalog:
    """The dataset with the splits of the file that `data_words` name, if they name one."""
    return catalog if args.splits is None else with_split_file(catalog, args.splits)


def writable(path: Path, force: bool) -> None:
    """Refuse a file that cannot be written.

    Raises:
        InputError: it is a folder, or something is there and `force` is not set.
    """
    if path.is_dir():
        raise InputError(f"{path}: this is a folder.")
    if path.exists() and not force:
        raise InputError(f"{path}: this file exists already; --force replaces it.")


def part(catalog: Catalog, split: str) -> Catalog:
    """The images of a split; all of them where the dataset does not split, or for `all`."""
    return catalog if split == "all" or bool(np.all(catalog.splits == Split.NONE)) else catalog.split(split)


def add_split(add: Any, default: str = "train") -> None:
    """The word `--split`."""
    choices = ("train", "val", "test", "all")
    add("--split", default=default, choices=choices, help=f"{default} by default")


def size(text: str) -> tuple[int, int]:
    """A side, or height x width."""
    found = re.fullmatch(r"(\d{2,4})(?:x(\d{2,4}))?", text)
    sides = (0, 0) if found is None else (int(found[1]), int(found[2] or found[1]))
    if not 32 <= min(sides) <= max(sides) <= LARGEST:
        raise argparse.ArgumentTypeError(f"expected a side or HxW of 32 to {LARGEST} pixels, not {text!r}")
    return sides


def natural(text: str) -> int:
    """A whole number from 0."""
    return whole(text, 0, 2**31 - 1)


def whole(text: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, not {text!r}")
    return int(text)


def share(text: str) -> float:
    """A share from 0 to below 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to below 1, not {text!r}")
    return value
