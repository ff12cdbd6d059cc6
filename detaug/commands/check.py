"""`detaug check`: count a dataset and list its faults."""

import argparse
from typing import Any

from detaug.commands.waiting import waiting
from detaug.readers.check import check


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "check", parents=[data], help="count a dataset and list its faults", description="Exit code 1 means findings."
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    with waiting("Reading", quiet=args.format == "drawn"):
        report = check(args.root, args.format, args.classes, follow_links=args.follow_links)
    print(report.json() if args.json else report.text())
    return report.exit_code
