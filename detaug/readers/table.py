"""Delimited text: one record a line, told from each other by the number of the line."""

import codecs
import csv
import re
from collections.abc import Iterator
from pathlib import Path

from detaug.readers.content import read_text

DELIMITERS = (";", ",", "\t")
_LARGEST = 1 << 28  # bytes of a table
_HEAD = 1 << 16  # bytes that hold a table's first lines
_LINE = re.compile(r"\r\n|\r|\n")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that is not blank.

    Raises:
        InputError: the file cannot be read, is too large or is not UTF-8.
    """
    return numbered(read_text(path, _LARGEST))


def head_text(path: Path) -> str:
    """What a file begins with, of whatever content; empty where it is no file or cannot be read."""
    try:
        if not path.is_file():  # opening a named pipe would wait for ever
            return ""
        with path.open("rb") as file:
            data = file.read(_HEAD)
    except OSError:
        return ""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig", "replace")


def head_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank in what a file begins with."""
    return numbered(head_text(path))


def numbered(text: str) -> Iterator[tuple[int, str]]:
    r"""Number (from 1) and text of each line that is not blank, whatever ends the lines.

    >>> list(numbered("a;b\r\n\r\n1;2\n"))
    [(1, 'a;b'), (3, '1;2')]
    """
    return ((number, line) for number, line in enumerate(_LINE.split(text), 1) if line.strip())


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, quotes and outer spaces taken off.

    A line is a record: a quote that is not closed spoils its own line and none after it.

    >>> cells('"a ; b"; 2 ;', ";"), cells('a, "say ""no"" now"', ",")
    (['a ; b', '2', ''], ['a', 'say "no" now'])
    """
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:  # a cell of more than 128 KB
        return []


def columns(line: str) -> tuple[str, list[str]]:
    """The delimiter that divides a table's first line into the most cells, and the cells.

    >>> columns('Filename;Occluded,On another road;Origin file')
    (';', ['Filename', 'Occluded,On another road', 'Origin file'])
    >>> columns('"sample_id","split"')
    (',', ['sample_id', 'split'])
    """
    return max(((mark, cells(line, mark)) for mark in DELIMITERS), key=lambda found: len(found[1]))


def head_columns(path: Path) -> list[str]:
    """The column names of a table, from its first bytes; empty where there are none."""
    first = next(head_lines(path), None)
    return [] if first is None else columns(first[1])[1]
