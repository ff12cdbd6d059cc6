"""The classes of COCO files: their categories' ids, names and parents."""

from collections.abc import Sequence
from typing import Any

from detaug.readers.builder import Builder
from detaug.readers.keys import Key, key_of

File = tuple[str, list[Any], list[Any]]  # its name, its categories and its annotations


def class_names(builder: Builder, files: Sequence[File]) -> list[str]:
    """Names by the smallest id that any of the files gives them, without dummies; what is odd is noted."""
    ids: dict[str, Key] = {}
    above: set[str] = set()
    used: set[str | None] = set()
    for file, categories, annotations in files:
        _note_faults(builder, file, categories, annotations)
        names = names_by_id(categories, annotations)
        for number, name in names.items():
            ids[name] = min(number, ids.get(name, number), key=_order)
        above |= {str(entry.get("supercategory")) for entry in _usable(categories) if _stands_below(entry)}
        used |= {names.get(key) for a in annotations if (key := key_of(a, "category_id")) is not None}
    for name in sorted((above & set(ids)) - used):
        builder.note("dummy-class", files[0][0], f"category {name!r} has no boxes and only stands above others")
        del ids[name]
    return sorted(ids, key=lambda name: (_order(ids[name]), name))


def names_by_id(categories: list[Any], annotations: list[Any]) -> dict[Key, str]:
    """Class name by id, the first that has the id; without categories, the numbers that the annotations use."""
    names: dict[Key, str] = {}
    for entry in _usable(categories):
        key = key_of(entry, "id")
        if key is not None:
            names.setdefault(key, str(entry["name"]))
    if not categories:
        keys = {key_of(annotation, "category_id") for annotation in annotations}
        return {key: str(key) for key in sorted((key for key in keys if key is not None), key=_order)}
    return names


def _usable(categories: list[Any]) -> list[dict[str, Any]]:
    """Those with an id and a name."""
    return [entry for entry in categories if key_of(entry, "id") is not None and _is_name(entry.get("name"))]


def _is_name(name: object) -> bool:
    return isinstance(name, str | int) and not isinstance(name, bool) and name != ""


def _stands_below(entry: dict[str, Any]) -> bool:
    return str(entry.get("supercategory")) != str(entry["name"])


def _order(key: Key) -> tuple[bool, int, str]:
    """Numbers before texts."""
    return (False, key, "") if isinstance(key, int) else (True, 0, key)


def _note_faults(builder: Builder, file: str, categories: list[Any], annotations: list[Any]) -> None:
    if not categories and annotations:
        builder.note("unnamed-classes", file, "the list 'categories' is missing; classes are called by their numbers")
    usable = _usable(categories)
    if len(usable) < len(categories):
        value = f"{len(categories) - len(usable)} of {len(categories)} categories have no id or no name"
        builder.note("unreadable-category", file, value)
    numbers: dict[Key | None, str] = {}
    names: set[str] = set()
    for entry in usable:
        key, name = key_of(entry, "id"), str(entry["name"])
        if key in numbers:
            value = f"the category id {str(key)[:100]} is {numbers[key]!r} and {name!r}; the first counts"
            builder.note("doubled-class", file, value)
        elif name in names:
            builder.note("doubled-class", file, f"two categories are called {name!r}; they are one class")
        numbers.setdefault(key, name)
        names.add(name)
