"""The content of annotation files: text, JSON, YAML and XML, of limited size, with errors that name the file."""

import codecs
import json
import mmap
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

import yaml
from defusedxml import DefusedXmlException, ElementTree

from detaug.errors import InputError

LARGEST_JSON = 4_000_000_000  # bytes
LARGEST_TEXT = 10_000_000  # bytes, of one image's annotation
LARGEST_YAML = 1_000_000  # bytes; YAML is read at about 100 kB per second
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


class BrokenYaml(InputError):
    """A YAML file with a slip of the pen, not one that asks for what is refused."""


def number(value: object) -> float:
    """A coordinate as a float; NaN for what is no number.

    >>> number(" 12.5"), number("a"), number(None), number(True), number("1_2")
    (12.5, nan, nan, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return float("nan")
    if isinstance(value, str) and "_" in value:
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")


def has_decimal_comma(text: str) -> bool:
    """Whether a text is a number with a comma for the decimal point.

    >>> has_decimal_comma(" 12,5"), has_decimal_comma("12.5"), has_decimal_comma("1,2,3")
    (True, False, False)
    """
    return _DECIMAL_COMMA.fullmatch(text.strip()) is not None


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """A file's text, a byte order mark left out.

    Raises:
        InputError: it cannot be read, is larger than `largest` bytes or is neither UTF-8 nor marked as UTF-16.
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
    """A YAML file's content: mappings and lists of texts, just as they stand there, never objects.

    A class called `no` or `010` keeps its name, since nothing is taken for a truth value or a number.

    Raises:
        BrokenYaml: it is not YAML.
        InputError: it cannot be read, or asks for an object or a merge.
    """
    text = read_text(path, LARGEST_YAML)
    try:
        return yaml.load(text, _Texts)  # noqa: S506 (a SafeLoader that does less)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        broken = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError)
        raise (BrokenYaml if broken else InputError)(f"{path}: not valid YAML{line}: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not usable YAML ({type(error).__name__}).") from error


class _Texts(yaml.SafeLoader):
    """Gives every plain scalar as its text, and refuses merges, which can grow a short file without bound."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own form)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "merges are not read", key.start_mark)


def mentions(path: Path, *words: bytes) -> bool:
    """Whether a file holds each of these words, without taking it into memory; True for UTF-16, which is not searched.

    Raises:
        InputError: it cannot be read.
    """
    with _opened(path, LARGEST_JSON) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _is_utf16(data[:2]) or all(data.find(word) >= 0 for word in words)


def read_xml(path: Path) -> Element:
    """An XML file's root element; entities are refused.

    Raises:
        InputError: it cannot be read or is not XML.
    """
    data = _read(path, LARGEST_TEXT)
    try:
        element: Element = ElementTree.fromstring(data)
    except DefusedXmlException as error:
        raise InputError(
            f"{path}: XML with entities or outside references is not read ({type(error).__name__})."
        ) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not usable XML ({error}).") from error
    return element


def _read(path: Path, largest: int) -> bytes:
    try:
        with _opened(path, largest) as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}).") from error
    if len(data) > largest:
        raise InputError(f"{path}: more than the {largest} bytes that are read.")
    return data


def _opened(path: Path, largest: int) -> BinaryIO:
    """A regular file of limited size; a named pipe or a device would block or never end, so it is not waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r}: the file cannot be read ({getattr(error, 'strerror', error)}).") from error
    status, fault = os.fstat(handle), ""
    if not stat.S_ISREG(status.st_mode):
        fault = "this is not a regular file"
    elif status.st_size > largest:
        fault = f"{status.st_size} bytes is more than the {largest} that are read"
    if fault:
        os.close(handle)
        raise InputError(f"{path}: {fault}.")
    return os.fdopen(handle, "rb")


def _is_utf16(data: bytes) -> bool:
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def _decoded(path: Path, data: bytes) -> str:
    encoding = "utf-16" if _is_utf16(data) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not {encoding.removesuffix('-sig').upper()} text (byte {error.start}).") from error
