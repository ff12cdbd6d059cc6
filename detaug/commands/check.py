"""`detaug check`: count a dataset and list its faults."""

import argparse
from pathlib import Path
from typing import Any

from detaug.commands.words import divided, writable
from detaug.readers.check.check import inspect
from detaug.readers.propose import propose
from detaug.readers.read import reading
from detaug.waiting import waiting
from detaug.writing import write_whole


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "check", parents=[data], help="count a dataset and list its faults", description="Exit code 1 means findings."
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--fast", action="store_true", help="do not decode the images: no damage, no copies")
    proposal = "write a class table for this dataset, to be looked through and edited"
    command.add_argument("--propose", type=Path, metavar="FILE", help=proposal)
    command.add_argument("--force", action="store_true", help="replace an existing FILE")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    if args.propose is not None:
        writable(args.propose, args.force)
    with waiting("Reading", quiet=args.format == "drawn"):
        found = reading(args.root, args.format, args.classes, follow_links=args.follow_links, index=False)
        catalog = divided(found.catalog, args)
    with waiting("Decoding", len(catalog)) as watched:
        report = inspect(catalog, found.format, found.reason, fast=args.fast, watched=watched)
    print(report.json() if args.json else report.text())
    if args.propose is not None:
        write_whole(args.propose, propose(catalog).encode())
        if not args.json:
            print(f"\n{args.propose}: a class table for {len(catalog.classes)} classes, to be looked through")
    return report.exit_code
