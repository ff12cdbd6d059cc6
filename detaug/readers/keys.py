"""The ids in COCO files: numbers, or texts where a tool wrote them so."""

from typing import Any

Key = int | str
_LONGEST = 18  # digits that are taken for a number


def key_of(entry: Any, name: str) -> Key | None:
    """An entry's id, or None where it cannot be one; `"7"` and `7.0` are the number 7.

    >>> key_of({"id": "07"}, "id"), key_of({"id": 7.0}, "id"), key_of({"id": "a7"}, "id"), key_of({"id": True}, "id")
    (7, 7, 'a7', None)
    """
    value = entry.get(name) if isinstance(entry, dict) else None
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _LONGEST else value
    return None
