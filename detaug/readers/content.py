"""The content of annotation files: text, JSON, YAML and XML, of limited size, with errors that name the file."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import yaml
from defusedxml import ElementTree

from detaug.errors import InputError

LARGEST_JSON = 1 << 30  # bytes
LARGEST_TEXT = 10_000_000  # bytes, of one image's annotation or of a YAML file


def number(value: object) -> float:
    """A coordinate as a float; NaN for what is no number.

    >>> number(" 12.5"), number("a"), number(None), number(True)
    (12.5, nan, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """A file's text, a byte order mark left out.

    Raises:
        InputError: it cannot be read, is larger than `largest` bytes or is not UTF-8.
    """
    return _decoded(path, _read(path, largest))


def read_json(path: Path) -> Any:
    """A JSON file's content.

    Raises:
        InputError: it cannot be read or is not JSON.
    """
    text = read_text(path, LARGEST_JSON)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON, line {error.lineno}: {error.msg}.") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: not usable JSON ({error}).") from error


def read_yaml(path: Path) -> Any:
    """A YAML file's content: plain values only, never objects.

    Raises:
        InputError: it cannot be read or is not YAML.
    """
    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}: not valid YAML{line}: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: not usable YAML ({type(error).__name__}).") from error


def read_xml(path: Path) -> Element:
    """An XML file's root element; entities are refused.

    Raises:
        InputError: it cannot be read or is not XML.
    """
    data = _read(path, LARGEST_TEXT)
    try:
        element: Element = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not usable XML ({error}).") from error
    return element


def _read(path: Path, largest: int) -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file.")
        size = path.stat().st_size
        if size > largest:
            raise InputError(f"{path}: {size} bytes is more than the {largest} that are read.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}).") from error


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}).") from error
