"""The class table: what each sign's name means for geometry. The meaning of a sign is data, never code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from detaug.errors import InputError
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
            InputError: an outline or mirror rule that is not known, or a partner that is not a class or does not agree.
        """
        index = {name: i for i, name in enumerate(names)}
        if len(index) != len(names):
            doubled = next(n for n in names if list(names).count(n) > 1)
            raise InputError(f"{source}: the class name {doubled!r} occurs twice.")
        outline = np.zeros(len(names), np.uint8)
        mirror = np.full(len(names), NEVER, np.int32)
        turn = np.full(len(names), 180, np.float32)
        for name, row in rows.items():
            unknown = set(row) - {"outline", "mirror", "turn"}
            if unknown:
                raise InputError(f"{source}: class {name!r} has the unknown key {sorted(unknown)[0]!r}.")
            if name not in index:
                continue
            i = index[name]
            shape = str(row.get("outline", "rectangle"))
            if shape.upper() not in Outline.__members__:
                raise InputError(f"{source}: class {name!r} has the unknown outline {shape!r}.")
            outline[i] = Outline[shape.upper()]
            turn[i] = float(row.get("turn", 180))
            mirror[i] = _mirror(name, str(row.get("mirror", "never")), index, rows, source)
        return cls(tuple(names), outline, mirror, turn)

    @classmethod
    def from_yaml(cls, path: str | Path, names: Sequence[str] | None = None) -> "ClassTable":
        """Read a table; with `names` it is brought to that order, classes it lacks being plain.

        Raises:
            InputError: the file is missing or is not a table of classes.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: the class table cannot be read ({error.strerror}).") from error
        return cls._parse(text, str(path), names)

    @classmethod
    def builtin(cls, name: str, names: Sequence[str] | None = None) -> "ClassTable":
        """A table that comes with the package, such as `road_signs`."""
        file = resources.files("detaug") / "tables" / f"{name}.yaml"
        return cls._parse(file.read_text(encoding="utf-8"), f"tables/{name}.yaml", names)

    @classmethod
    def known(cls, names: Sequence[str]) -> "ClassTable":
        """The table of the package that knows most of these names, each in its spelling; plain where none does."""
        folder = resources.files("detaug") / "tables"
        tables = sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))
        best, most = None, 0
        for table in tables:
            shared = len(set(cls.builtin(table).names) & set(names))
            if 2 * shared > len(names) and shared > most:
                best, most = table, shared
        return cls.plain(names) if best is None else cls.builtin(best, names)

    @classmethod
    def _parse(cls, text: str, source: str, names: Sequence[str] | None) -> "ClassTable":
        try:
            rows = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"{source}: the class table is not valid YAML.") from error
        if not isinstance(rows, dict) or not all(isinstance(r, dict) for r in rows.values()):
            raise InputError(f"{source}: a class table maps each class name to its outline, mirror and turn.")
        rows = {str(name): row for name, row in rows.items()}
        return cls.build(list(rows) if names is None else names, rows, source)


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
