"""The command `detaug`: look at a dataset and at what an augmentation makes of it. Nothing here needs torch."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, NoReturn

import cv2
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from detaug.batches.page import read_page
from detaug.draws.balance import Balance
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.check import check
from detaug.readers.read import READERS, read
from detaug.reports.preview import preview, writable, write_sheet

_PATIENCE = 2.0  # seconds before a progress bar appears
_MOST = 400  # samples on a sheet
_LARGEST = 2048  # side of a sample, pixels


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `detaug`; None takes the process's own.

    Returns:
        0 when all is well, 1 with findings, 2 for wrong use or unreadable input.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a console that lacks a letter is no reason to stop
    try:
        args = _parser().parse_args(argv)
        code: int = args.run(args)
        sys.stdout.flush()
    except InputError as error:
        return _refused(str(error))
    except BrokenPipeError:  # what reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refused(f"{error.filename}: {error.strerror}.")
    return code


def _refused(reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    """Wrong use is an `InputError` like every other."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` shows the use.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("detaug", description="Look at a detection dataset and at what an augmentation makes of it.")
    commands = parser.add_subparsers(required=True, metavar="command")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("root", metavar="ROOT", help="the dataset's folder")
    data.add_argument("--format", default="auto", help=f"auto, {', '.join(READERS)}; auto by default")
    data.add_argument("--classes", metavar="FILE", help="a class table; without it a built-in one that fits")
    _add_check(commands, data)
    _add_preview(commands, data)
    return parser


def _add_check(commands: Any, data: argparse.ArgumentParser) -> None:
    command = commands.add_parser(
        "check", parents=[data], help="count a dataset and list its faults", description="Exit code 1 means findings."
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_check)


def _add_preview(commands: Any, data: argparse.ArgumentParser) -> None:
    command = commands.add_parser(
        "preview", parents=[data], help="draw a sheet of augmented samples with their boxes",
        description="The samples are those that training sees at the same seed and epoch.",
    )  # fmt: skip
    add = command.add_argument
    add(
        "--recipe",
        required=True,
        metavar="R",
        help="a built-in recipe, a recipe file, or a page such as configs/X.yaml",
    )
    add("--out", required=True, type=Path, metavar="FILE", help="the sheet; .png or .jpg")
    add("--split", default="train", choices=("train", "val", "test", "all"), help="train by default")
    add("--size", type=_size, metavar="S", help="canvas, a side or HxW; the page's or 640 by default")
    add("--count", type=_count, default=24, help=f"samples, 1 to {_MOST}; 24 by default")
    add("--seed", type=_natural, default=0, help="0 by default")
    add("--epoch", type=_natural, default=0, help="0 by default")
    add("--side", type=_side, default=480, help="longest side of a sample on the sheet; 480 by default")
    balance = "show images of rare classes more often; as the page says by default"
    add("--balance", action=argparse.BooleanOptionalAction, help=balance)
    add("--plain", action="store_true", help="put the image that it was made from before each sample")
    add("--force", action="store_true", help="replace an existing sheet")
    command.set_defaults(run=_preview)


def _check(args: argparse.Namespace) -> int:
    with _waiting("Reading", quiet=args.format == "drawn"):
        report = check(args.root, args.format, args.classes)
    print(report.json() if args.json else report.text())
    return report.exit_code


def _preview(args: argparse.Namespace) -> int:
    writable(args.out, args.force)
    page = read_page(args.recipe)
    balance = page.balance if args.balance is None else (page.balance or Balance()) if args.balance else None
    cv2.setNumThreads(1)
    with _waiting("Reading", quiet=args.format == "drawn"):
        catalog = _part(read(args.root, args.format, args.classes), args.split)
    size = args.size or page.size or (640, 640)
    title = f"{args.recipe}, {size[0]}x{size[1]}, seed {args.seed}, epoch {args.epoch}"
    with _waiting("Drawing", args.count) as watched:
        sheet = preview(
            catalog, page.recipe, size, count=args.count, seed=args.seed, epoch=args.epoch, balance=balance,
            rare=page.rare, plain=args.plain, side=args.side, title=title, watched=watched,
        )  # fmt: skip
    write_sheet(args.out, sheet, args.force)
    operations = ", ".join(page.recipe.operations()) or "no operation"
    print(f"{args.out}: {args.count} samples of {len(catalog)} images; {operations}")
    return 0


def _part(catalog: Catalog, split: str) -> Catalog:
    """The images of a split; all of them where the dataset does not split."""
    return catalog if split == "all" or (catalog.splits == Split.NONE).all() else catalog.split(split)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,4})(?:x(\d{2,4}))?", text)
    sides = (0, 0) if found is None else (int(found[1]), int(found[2] or found[1]))
    if not 32 <= min(sides) <= max(sides) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"expected a side or HxW of 32 to {_LARGEST} pixels, not {text!r}")
    return sides


def _count(text: str) -> int:
    return _whole(text, 1, _MOST)


def _natural(text: str) -> int:
    return _whole(text, 0, 2**31 - 1)


def _side(text: str) -> int:
    return _whole(text, 32, _LARGEST)


def _whole(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, not {text!r}")
    return int(text)


@contextmanager
def _waiting(
    what: str, total: int | None = None, quiet: bool = False
) -> Iterator[Callable[[Iterable[int]], Iterable[int]]]:
    """A progress bar on a terminal's stderr for what lasts; gives what counts steps."""
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
    task = bar.add_task(what, total=total)

    def watched(steps: Iterable[int]) -> Iterator[int]:
        for step in steps:
            yield step
            bar.advance(task)

    timer = Timer(_PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield watched
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


if __name__ == "__main__":
    sys.exit(main())
