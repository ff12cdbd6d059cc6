"""`detaug exposure`: how often an epoch shows each class, from scenes alone."""

import argparse
import json
from dataclasses import replace
from typing import Any

from detaug.batches.page import Page, read_page
from detaug.commands.words import add_split, natural, part, read_words, size, whole
from detaug.draws.balance import Balance
from detaug.errors import InputError
from detaug.scenes.exposure import exposure
from detaug.scenes.ground import ground
from detaug.waiting import waiting


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "exposure", parents=[data], help="count how often an epoch shows each class, and from where",
        description="Visible instances after every cut, overlap and filter, mean of the epochs. Nothing is rendered; "
        "where the recipe pastes, light and sharpness of the images are measured once and kept.",
    )  # fmt: skip
    add = command.add_argument
    recipe = "a built-in recipe, a recipe file, or a page such as configs/X.yaml"
    add("--recipe", required=True, metavar="R", help=recipe)
    add_split(add)
    add("--epochs", type=_count, default=1, metavar="N", help="epochs to plan; 1 by default")
    add("--length", type=_count, metavar="N", help="scenes in an epoch; by default the number of images")
    add("--size", type=size, metavar="S", help="canvas, a side or HxW; the page's or 640 by default")
    add("--seed", type=natural, default=0, help="0 by default")
    balance = "show images of rare classes more often; as the page says by default"
    add("--balance", action=argparse.BooleanOptionalAction, help=balance)
    add("--floor", type=_count, metavar="N", help="solve for at least N visible instances of each class in an epoch")
    unread = "do not read the images: blurred donors then count as well, and a first look is quick"
    add("--no-pixels", action="store_true", help=unread)
    add("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the ledger."""
    page = read_page(args.recipe)
    balance = _balance(page, args)
    canvas = args.size or page.size or (640, 640)
    quiet = args.format == "drawn"
    with waiting("Reading", quiet=quiet):
        catalog = part(read_words(args), args.split)
    with waiting("Measuring light and sharpness", len(catalog)) as watched:
        colours = None if args.no_pixels else page.recipe.colours(catalog, watched)
    with waiting("Solving", quiet=balance is None or not balance.solved):
        planned = ground(
            catalog, page.recipe, canvas, args.seed, balance=balance, rare=page.rare, length=args.length,
            colours=colours, partners=page.partners, block=page.block,
        )  # fmt: skip
    length = planned.stage.order.length
    with waiting("Planning", args.epochs * length) as watched:
        shown = exposure(planned.stage, planned.recipe, range(args.epochs), watched=watched)
    unreached = () if planned.solution is None else planned.solution.unreached
    if args.json:
        goal = {} if planned.solution is None else {"unreached": list(unreached)}
        print(json.dumps({"images": len(catalog), "size": list(canvas), **shown.as_json(), **goal}, allow_nan=False))
        return 0
    print(f"{len(catalog)} images, {length} scenes an epoch of {canvas[0]}x{canvas[1]}; epochs: {args.epochs}, mean:")
    print(shown.text())
    if planned.solution is not None:
        print("\n".join(unreached) or "Every class reaches its goal.")
    return 0


def _balance(page: Page, args: argparse.Namespace) -> Balance | None:
    """The page's balance, with what the words say instead."""
    if args.balance is False and args.floor is not None:
        raise InputError(f"--no-balance and --floor {args.floor} exclude each other.")
    if args.balance is False:
        return None
    if args.floor is not None:
        return replace(page.balance or Balance(), floor=args.floor, share=None)
    return page.balance or Balance() if args.balance else page.balance


def _count(text: str) -> int:
    return whole(text, 1, 10**6)
