"""`detaug split`: divide a dataset by group, each class on every side, into a file that `--splits` reads."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from detaug.commands.words import natural, read_words, share, whole, writable
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.split import fold, groups_by_runs, groups_per_split, with_splits
from detaug.readers.split_file import split_csv
from detaug.waiting import waiting
from detaug.writing import write_whole

_SHARE = 0.15


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "split", parents=[data], help="divide a dataset by group, each class on every side",
        description="The file has the columns image,split,group; it may be edited, and --splits FILE reads it.",
    )  # fmt: skip
    add = command.add_argument
    add("--out", required=True, type=_csv, metavar="FILE", help="where the division goes; a .csv file")
    add("--val", type=share, metavar="SHARE", help=f"share of validation; {_SHARE} by default")
    add("--test", type=share, metavar="SHARE", help=f"share of test; {_SHARE} by default")
    add("--seed", type=natural, default=0, help="0 by default")
    add("--folds", type=_folds, metavar="N", help="cross-validation instead: FILE-1ofN.csv to FILE-NofN.csv")
    numbers = "group images by runs of so many file numbers; as the dataset's reader groups them by default"
    add("--run", dest="numbers", type=_run, metavar="NUMBERS", help=numbers)
    add("--keep-test", action="store_true", help="leave the test images what they are")
    add("--force", action="store_true", help="replace existing files")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file or files and print what is in each split."""
    if args.folds is not None and (args.val is not None or args.test is not None):
        raise InputError("--folds divides into equal parts: leave out --val and --test.")
    if args.keep_test and args.test is not None:
        raise InputError("--keep-test leaves the test images what they are: leave out --test.")
    for file in _files(args.out, args.folds):
        writable(file, args.force)
    with waiting("Reading", quiet=args.format == "drawn"):
        catalog = read_words(args)
    if args.numbers is not None:
        names = [catalog.name(row) for row in range(len(catalog))]
        catalog = replace(catalog, groups=groups_by_runs(names, args.numbers))
    with waiting("Dividing"):
        divided = list(_divided(catalog, args))
    for file, part in zip(_files(args.out, args.folds), divided, strict=True):
        write_whole(file, split_csv(part).encode())
        print(f"{file}: {len(part)} images in {len(np.unique(part.groups))} groups")
        print("\n".join([*_table(part), *_notes(part)]), end="\n\n")
    lost = sum(finding.images_lost for finding in catalog.findings)
    if lost:
        print(f"{lost} of {catalog.images_in} images cannot be used and are not in it; `detaug check` lists them")
    return 0


def _divided(catalog: Catalog, args: argparse.Namespace) -> Iterator[Catalog]:
    if args.folds is not None:
        yield from (fold(catalog, k, args.folds, args.seed, args.keep_test) for k in range(args.folds))
        return
    val = _SHARE if args.val is None else args.val
    test = _SHARE if args.test is None else args.test
    yield with_splits(catalog, val, args.seed, None if args.keep_test else test)


def _files(out: Path, folds: int | None) -> list[Path]:
    """The file, or one for each fold."""
    if folds is None:
        return [out]
    return [out.with_name(f"{out.stem}-{k}of{folds}{out.suffix}") for k in range(1, folds + 1)]


def _table(catalog: Catalog) -> list[str]:
    """Boxes, and groups behind them, of each class in each split."""
    groups = groups_per_split(catalog)
    names = catalog.classes.names
    wide = max(len(name) for name in [*names, "images"])
    of_boxes = catalog.splits[catalog.images_of_boxes()]
    rows = [
        [_cell(int((catalog.splits == s).sum()), len(np.unique(catalog.groups[catalog.splits == s]))) for s in groups]
    ]
    boxes = {s: np.bincount(catalog.labels[of_boxes == s], minlength=len(names)) for s in groups}
    rows += [[_cell(int(boxes[s][i]), int(groups[s][i])) for s in groups] for i in range(len(names))]
    head = " " * wide + "".join(f"{s.name.lower():>18}" for s in groups)
    lines = [f"{name:<{wide}}" + "".join(row) for name, row in zip(["images", *names], rows, strict=True)]
    return [f"{'':<{wide}}  boxes and, in brackets, groups", head, *lines]


def _cell(count: int, groups: int) -> str:
    return f"{count:>9} {f'({groups})':>8}"


def _notes(catalog: Catalog) -> list[str]:
    """Classes that are not in every split, and why."""
    per_split = groups_per_split(catalog)
    notes = []
    for i, name in enumerate(catalog.classes.names):
        having = sum(int(groups[i]) for groups in per_split.values())
        absent = [split.name.lower() for split, groups in per_split.items() if groups[i] == 0]
        if having == 0:
            notes.append(f"{name}: no image shows it")
        elif absent and having < len(per_split):
            notes.append(
                f"{name}: it has {having} groups for {len(per_split)} splits and is not in {', '.join(absent)}"
            )
        elif absent:
            why = "no division was found that has it there and every other class in its place"
            notes.append(f"{name}: it has {having} groups and is not in {', '.join(absent)}: {why}")
    if Split.NONE in per_split:
        notes.append("none: images that are in no split, which neither training nor evaluation uses")
    return notes


def _csv(text: str) -> Path:
    if Path(text).suffix.lower() != ".csv":
        raise argparse.ArgumentTypeError(f"expected a file that ends in .csv, not {text!r}")
    return Path(text)


def _folds(text: str) -> int:
    return whole(text, 2, 1000)


def _run(text: str) -> int:
    return whole(text, 1, 2**31 - 1)
