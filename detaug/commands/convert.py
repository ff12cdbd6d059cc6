"""`detaug convert`: write a dataset in another format."""

import argparse
from pathlib import Path
from typing import Any

from detaug.commands.words import read_words
from detaug.readers.convert.convert import FORMATS, convert
from detaug.readers.convert.folder import writable
from detaug.waiting import waiting


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "convert", parents=[data], help="write a dataset in another format",
        description="DST is absent or empty; it is complete or not there at all.",
    )  # fmt: skip
    add = command.add_argument
    add("target", metavar="DST", type=Path, help="the new dataset's folder")
    add("--to", required=True, choices=list(FORMATS), help="the new format")
    images = "copy them, byte by byte; make hard links; or leave them out; copy by default"
    add("--images", choices=("copy", "link", "none"), default="copy", help=images)
    add("--force", action="store_true", help="replace what an earlier conversion wrote in DST, and nothing else")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the dataset and say what the format does not hold."""
    writable(args.target, args.force)
    with waiting("Reading", quiet=args.format == "drawn"):
        catalog = read_words(args)
    with waiting("Writing", len(catalog)) as watched:
        notes = convert(catalog, args.target, args.to, images=args.images, force=args.force, watched=watched)
    without = "" if args.images != "none" else ", without image files"
    print(f"{args.target}: {len(catalog)} images and {len(catalog.boxes)} boxes as {args.to}{without}")
    lost = sum(f.images_lost for f in catalog.findings), sum(f.boxes_lost for f in catalog.findings)
    if any(lost):
        notes.append(f"{lost[0]} images and {lost[1]} boxes of {args.root} cannot be used; `detaug check` lists them")
    print("".join(f"{note}\n" for note in notes), end="")
    return 0
