"""The class table: what each sign's name means for geometry. The meaning of a sign is data, never code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.naming import Naming, check_row
from detaug.outline import Outline

NEVER = -1


@dataclass(frozen=True, slots=True, eq=False)
class ClassTable:
    """Names with their outline, mirror rule and turning limit; C classes.

    Attributes:
        names: class names, in label order.
        outline: (C,) uint8 `Outline` codes.
        mirror: (C,) int32; a class's own index (looks the same mirrored), its partner's index, or `NEVER`.
        turn: (C,) float32, degrees that a sign may be turned either way before it means something else.
    """

    names: tuple[str, ...]
    outline: NDArray[np.uint8]
    mirror: NDArray[np.int32]
    turn: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def plain(cls, names: Sequence[str]) -> "ClassTable":
        """A table that knows nothing but names: rectangles that are never mirrored."""
        return cls.build(names, {}, "the dataset")

    @classmethod
    def build(cls, names: Sequence[str], rows: Mapping[str, Mapping[str, Any]], source: str) -> "ClassTable":
        """A table for `names` from rows by name (`outline`, `mirror`, `turn`).

        Names without a row are rectangles that are never mirrored and may turn by 180 degrees.

        Raises:
            InputError: an outline, mirror rule or turn that is not known, or a partner that is no class or disagrees.
        """
        index = {name: i for i, name in enumerate(names)}
        if len(index) != len(names):
            doubled = next(n for n in names if list(names).count(n) > 1)
            raise InputError(f"{source}: the class name {doubled!r} occurs twice.")
        outline = np.zeros(len(names), np.uint8)
        mirror = np.full(len(names), NEVER, np.int32)
        turn = np.full(len(names), 180, np.float32)
        for name, row in rows.items():
            check_row(name, row, source)
            if name not in index:
                continue
            i = index[name]
            outline[i] = Outline[str(row.get("outline", "rectangle")).upper()]
            turn[i] = float(row.get("turn", 180))
            mirror[i] = _mirror(name, str(row.get("mirror", "never")), index, rows, source)
        return cls(tuple(names), outline, mirror, turn)

    @classmethod
    def from_yaml(cls, path: str | Path, names: Sequence[str] | None = None) -> "ClassTable":
        """Read a table; with `names` it is brought to that order, classes it lacks being plain.

        Raises:
            InputError: the file is missing or is not a table of classes.
        """
        return cls._named(_read(path), names)

    @classmethod
    def builtin(cls, name: str, names: Sequence[str] | None = None) -> "ClassTable":
        """A table that comes with the package, such as `road_signs`; without `names` those that have their own row."""
        return cls._named(_builtin(name), names)

    @classmethod
    def known(cls, names: Sequence[str]) -> "ClassTable":
        """The table of the package that knows most of these names, each in its spelling; plain where none does.

        A table must know more than half of them, and a closed list must have a third of its own among them: a few
        words that many datasets use, such as `stop` and `one_way`, do not mean the same signs everywhere. Between
        equals the table counts that names more of them itself, and then the one with fewer rows.
        """
        best, most = None, (len(names) // 2, 0, 0)
        folder = resources.files("detaug") / "tables"
        for table in sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml")):
            naming = _builtin(table.removesuffix(".yaml"))
            own = sum(name in naming.rows for name in names)
            shared = sum(naming.row(name) is not None for name in names) if naming.patterns else own
            typical = bool(naming.patterns) or 3 * own >= len(naming.rows)
            if typical and shared > len(names) // 2 and (shared, own, -len(naming.rows)) > most:
                best, most = naming, (shared, own, -len(naming.rows))
        return cls.plain(names) if best is None else cls._named(best, names)

    @classmethod
    def _named(cls, naming: Naming, names: Sequence[str] | None) -> "ClassTable":
        names = list(naming.rows) if names is None else names
        return cls.build(names, naming.resolved(names), naming.source)


def names_in_table(path: str | Path, names: Sequence[str]) -> list[str]:
    """Those of `names` that a table's file knows, by a row or by a pattern.

    Raises:
        InputError: the file is missing or is not a table of classes.
    """
    naming = _read(path)
    return [name for name in names if naming.row(name) is not None]


def _read(path: str | Path) -> Naming:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: the class table cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise InputError(f"{path}: the class table is not UTF-8 text.") from error
    return Naming.parse(text, str(path))


def _builtin(name: str) -> Naming:
    file = resources.files("detaug") / "tables" / f"{name}.yaml"
    return Naming.parse(file.read_text(encoding="utf-8"), f"tables/{name}.yaml", own=True)


def _mirror(name: str, rule: str, index: Mapping[str, int], rows: Mapping[str, Mapping[str, Any]], source: str) -> int:
    if rule == "never":
        return NEVER
    if rule == "self":
        return index[name]
    if rule not in index:
        if rule in rows:
            return NEVER  # the partner is no class of this dataset: a mirrored sign would have no label
        raise InputError(f"{source}: class {name!r} names the mirror partner {rule!r}, which is not a class.")
    if rows.get(rule, {}).get("mirror") != name:
        raise InputError(f"{source}: {name!r} mirrors to {rule!r}, but {rule!r} does not mirror back.")
    return index[rule]
