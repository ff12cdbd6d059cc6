"""The data.yaml of a YOLO dataset: class names, and where the images of each split may lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detaug.errors import InputError
from detaug.readers.catalog import Split
from detaug.readers.content import read_text, read_yaml
from detaug.readers.root import Root, suffix

_SPLIT_KEYS = {"train": Split.TRAIN, "val": Split.VAL, "valid": Split.VAL, "test": Split.TEST}


@dataclass(frozen=True, slots=True)
class Description:
    """What data.yaml says.

    Attributes:
        file: its name, relative to the root.
        names: class name by id.
        base: the value of `path`, or an empty string.
        entries: folders or lists of images, with their split.
    """

    file: str
    names: dict[int, str]
    base: str
    entries: list[tuple[Split, str]]


def describe(root: Root) -> Description | None:
    """What the dataset's YAML file says, or its list of class names; None where there is neither."""
    for file in sorted(root.listed("", {".yaml", ".yml"}), key=lambda name: (name != "data.yaml", name)):
        content = read_yaml(root.file(file))
        if isinstance(content, dict) and "names" in content:
            names = _names(root.path / file, content["names"])
            return Description(file, names, _word(content.get("path")), _entries(content))
    lists = [name for name in root.listed("", {".txt", ".names"}) if name == "classes.txt" or suffix(name) == ".names"]
    if not lists or not root.is_folder("images"):
        return None
    lines = [line.strip() for line in read_text(root.file(lists[0])).splitlines()]
    names = dict(enumerate(line for line in lines if line))
    return Description(lists[0], names, "", [(Split.NONE, "images")])


def _names(path: Path, value: object) -> dict[int, str]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    names: dict[int, str] = {}
    for key, name in pairs:
        if not isinstance(key, int) or not isinstance(name, str | int | float):
            kind = type(name).__name__  # never the value itself: a YAML bomb is small until it is printed
            raise InputError(f"{path}: `names` has the entry {key!r} of kind {kind}, not a number with a name.")
        names[key] = str(name)
    if not names:
        raise InputError(f"{path}: `names` is neither a list nor a mapping of class names.")
    return dict(sorted(names.items()))


def _entries(content: dict[Any, Any]) -> list[tuple[Split, str]]:
    entries = []
    for key, split in _SPLIT_KEYS.items():
        value = content.get(key)
        entries += [(split, _word(v)) for v in (value if isinstance(value, list) else [value]) if _word(v)]
    return entries


def _word(value: object) -> str:
    return value.replace("\\", "/") if isinstance(value, str) else ""


def places(base: str, entry: str) -> list[str]:
    """Where an entry may lie, the best first, all relative to the root.

    >>> places("", "../train/images"), places("D", "images/val")
    (['train/images'], ['D/images/val', 'images/val'])
    >>> places("", "/content/a/train/images")
    ['content/a/train/images', 'a/train/images', 'train/images']
    """
    foreign = entry.startswith("/") or entry[1:2] == ":"
    parts = [part for part in entry.split("/") if part not in ("", ".", "..") and not part.endswith(":")]
    ends = ["/".join(parts[i:]) for i in range(max(1, len(parts) - 1))] if foreign else ["/".join(parts)]
    if base in ("", ".") or foreign:
        return ends
    return [f"{base}/{entry}".replace("/./", "/"), *ends]
