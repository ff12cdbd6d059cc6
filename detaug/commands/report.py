"""`detaug report`: a run's report again, or several runs side by side."""

import argparse
from pathlib import Path
from typing import Any

from detaug.commands.words import writable
from detaug.errors import InputError
from detaug.waiting import waiting


def add(commands: Any, data: argparse.ArgumentParser) -> None:  # noqa: ARG001 - a run names its dataset itself
    """Take up the command."""
    command = commands.add_parser(
        "report", help="write a run's report again, or compare runs",
        description="One RUN: report.html in its folder. Several: comparison.html in the folder of the first one.",
    )  # fmt: skip
    add = command.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, such as runs/NAME/0")
    add("--out", type=Path, metavar="FILE", help="another place for the page")
    add("--data", type=Path, metavar="ROOT", help="where the dataset lies now; by default where it lay in training")
    add("--force", action="store_true", help="replace an existing FILE")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    if args.out is not None:
        writable(args.out, args.force)
    if args.data is not None and not args.data.is_dir():
        raise InputError(f"{args.data}: there is no such folder.")
    count = len(args.runs)
    with waiting("Writing the report" if count == 1 else f"Comparing {count} runs"):
        # Here, since the plotting library takes half a second that no other command should spend.
        from detaug.reports.comparison import write_comparison
        from detaug.reports.report import write_report

        made = write_report(args.runs[0], args.data, args.out) if count == 1 else write_comparison(args.runs, args.out)
    print(made)
    return 0
