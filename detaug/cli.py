"""The command `detaug`: datasets looked at, mended and planned. Nothing here needs torch."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from detaug.commands import bench, check, convert, exposure, pack, preview, report, split
from detaug.commands.words import data_words
from detaug.errors import InputError

COMMANDS = (check, split, convert, preview, exposure, pack, bench, report)


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
    data = data_words()
    for command in COMMANDS:
        command.add(commands, data)
    return parser


if __name__ == "__main__":
    sys.exit(main())
