"""`detaug preview`: a sheet of augmented samples with their boxes."""

import argparse
from pathlib import Path
from typing import Any

import cv2

from detaug.batches.page import read_page
from detaug.commands.words import LARGEST, add_split, divided, natural, part, size, whole
from detaug.draws.balance import Balance
from detaug.readers.read import reading
from detaug.reports.preview import preview, writable, write_sheet
from detaug.waiting import waiting

_MOST = 400  # samples on a sheet


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "preview", parents=[data], help="draw a sheet of augmented samples with their boxes",
        description="The samples are those that training sees at the same seed and epoch.",
    )  # fmt: skip
    add = command.add_argument
    recipe = "a built-in recipe, a recipe file, or a page such as configs/X.yaml"
    add("--recipe", required=True, metavar="R", help=recipe)
    add("--out", required=True, type=Path, metavar="FILE", help="the sheet; .png or .jpg")
    add_split(add)
    add("--size", type=size, metavar="S", help="canvas, a side or HxW; the page's or 640 by default")
    add("--count", type=_count, default=24, help=f"samples, 1 to {_MOST}; 24 by default")
    add("--seed", type=natural, default=0, help="0 by default")
    add("--epoch", type=natural, default=0, help="0 by default")
    add("--side", type=_side, default=480, help="longest side of a sample on the sheet; 480 by default")
    balance = "show images of rare classes more often; as the page says by default"
    add("--balance", action=argparse.BooleanOptionalAction, help=balance)
    add("--plain", action="store_true", help="put the image that it was made from before each sample")
    add("--force", action="store_true", help="replace an existing sheet")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw the sheet."""
    writable(args.out, args.force)
    page = read_page(args.recipe)
    balance = page.balance if args.balance is None else (page.balance or Balance()) if args.balance else None
    cv2.setNumThreads(1)
    with waiting("Reading", quiet=args.format == "drawn"):
        found = reading(args.root, args.format, args.classes, follow_links=args.follow_links)
        catalog = part(divided(found.catalog, args), args.split)
    canvas = args.size or page.size or (640, 640)
    with waiting("Measuring light and sharpness", len(catalog)) as watched:
        colours = page.recipe.colours(catalog, watched)
    title = f"{args.recipe}, {canvas[0]}x{canvas[1]}, seed {args.seed}, epoch {args.epoch}"
    with waiting("Drawing", args.count) as watched:
        sheet = preview(
            catalog, page.recipe, canvas, count=args.count, seed=args.seed, epoch=args.epoch, balance=balance,
            rare=page.rare, plain=args.plain, side=args.side, title=title, watched=watched,
            colours=colours, partners=page.partners, block=page.block,
        )  # fmt: skip
    write_sheet(args.out, sheet, args.force)
    operations = ", ".join(page.recipe.operations()) or "no operation"
    print(f"{args.root}: read as {found.format}: {found.reason}")
    print(f"{args.out}: {args.count} samples of {len(catalog)} images; {operations}")
    return 0


def _count(text: str) -> int:
    return whole(text, 1, _MOST)


def _side(text: str) -> int:
    return whole(text, 32, LARGEST)
