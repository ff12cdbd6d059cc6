"""A catalog as a file's header and arrays, and back; what comes back is checked as if anyone had written it."""

import json
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from detaug.classes import NEVER, ClassTable
from detaug.errors import Finding
from detaug.outline import Outline
from detaug.readers.arrays import Arrays, Content
from detaug.readers.catalog import Catalog, Split

_BLOCK = 1 << 16  # rows that are checked at once


def content_of(catalog: Catalog) -> Content:
    """Header and arrays of a file that holds the catalog; not its root, since a dataset may be reached by several."""
    arrays = {name: getattr(catalog, name) for name in _arrays(Catalog)}
    arrays |= {f"classes.{name}": getattr(catalog.classes, name) for name in _arrays(ClassTable)}
    found = [[f.kind, f.file, f.value, f.boxes_lost, f.images_lost] for f in catalog.findings]
    arrays["findings"] = np.frombuffer(json.dumps(found).encode(), np.uint8)
    values = {name: kind(getattr(catalog, name)) for name, kind in _values().items()}
    return {"values": values, "names": list(catalog.classes.names)}, arrays


def catalog_from(content: Content, root: Path) -> Catalog | None:
    """The catalog that `content_of` took apart; None where it is not one, or leads out of `root` or its own arrays."""
    header, arrays = content
    try:
        held = _checked(arrays, "", _arrays(Catalog))
        table = _checked(arrays, "classes.", _arrays(ClassTable))
        classes = ClassTable(tuple(str(name) for name in header["names"]), **table)
        findings = tuple(_finding(*entry) for entry in json.loads(bytes(arrays["findings"])))
        values: dict[str, Any] = {name: kind(header["values"][name]) for name, kind in _values().items()}
        catalog = Catalog(root=root, classes=classes, findings=findings, **(held | values))
        return catalog if _is_sound(catalog) else None
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
        return None


def _arrays(of: type) -> dict[str, np.dtype[Any]]:
    """Name and dtype of a class's array fields."""
    hints = get_type_hints(of)
    return {name: np.dtype(get_args(get_args(h)[1])[0]) for name, h in hints.items() if get_origin(h) is np.ndarray}


def _values() -> dict[str, type]:
    """Name and type of the catalog's fields that are plain numbers or truth values."""
    return {name: hint for name, hint in get_type_hints(Catalog).items() if hint in (bool, int)}


def _checked(arrays: Arrays, prefix: str, dtypes: dict[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    found = {name: arrays[prefix + name] for name in dtypes}
    for name, array in found.items():
        if array.dtype != dtypes[name]:
            raise ValueError(f"{name}: expected {dtypes[name]}, got {array.dtype}")
    return found


def _finding(kind: Any, file: Any, value: Any, boxes: Any, images: Any) -> Finding:
    return Finding(str(kind), str(file), str(value), int(boxes), int(images))


def _is_sound(catalog: Catalog) -> bool:
    """Whether every index points into what it indexes and every name stays below the root."""
    table = catalog.classes
    return bool(
        _climbs(catalog.starts, 0, len(catalog.boxes))
        and _climbs(np.concatenate([[0], catalog.ends]), 0, len(catalog.text))
        and (catalog.sizes > 0).all()
        and (catalog.splits <= max(Split)).all()
        and np.isfinite(catalog.boxes).all()
        and len(table.outline) == len(table.mirror) == len(table.turn) == len(table)
        and (table.outline <= max(Outline)).all()
        and (table.mirror >= NEVER).all()
        and (table.mirror < len(table)).all()
        and all(_are_inside(catalog, first) for first in range(0, len(catalog), _BLOCK))
    )


def _climbs(offsets: NDArray[np.int64], first: int, last: int) -> bool:
    return bool(offsets[0] == first and offsets[-1] == last and (offsets[1:] >= offsets[:-1]).all())


def _are_inside(catalog: Catalog, first: int) -> bool:
    """Whether a block of names is UTF-8, each by itself, and none is absolute or climbs."""
    ends = catalog.ends[first : first + _BLOCK]
    begin = int(catalog.ends[first - 1]) if first else 0
    text = bytes(catalog.text[begin : int(ends[-1])])
    begins = np.concatenate([[begin], ends[:-1]])
    heads = catalog.text[begins[begins < ends]]
    if ((heads & 0xC0) == 0x80).any() or (heads == ord("/")).any() or b"\0" in text:
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    rows = range(first, first + len(ends)) if b".." in text else ()
    return not any(".." in catalog.name(row).split("/") for row in rows)
