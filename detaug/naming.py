"""What a class table's file says about names: rows, patterns for naming schemes, words that pair left and right.

A file maps each class name to its row (`outline`, `mirror`, `turn`). Two more keys, each with a list, serve datasets
whose classes are open-ended:

- `patterns`: rows with `names`, a text in which `*` stands for anything and `#` for a number such as 4 or 2.5. A
  class's own row wins over patterns, and the first pattern that matches counts.
- `pairs`: two texts each, such as `[-left, -right]`. A class whose row names no mirror rule is the partner of the
  class whose name has one text for the other, where there is one; letters beside the text keep it from matching.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from detaug.errors import InputError
from detaug.outline import Outline

Row = Mapping[str, Any]
KEYS = frozenset(("outline", "mirror", "turn"))
_NUMBER = r"\d+(?:\.\d+)?"
_LETTER = r"[^\W\d_]"
_MERGE_ONLY = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}


class _Texts(yaml.SafeLoader):
    """Plain words are texts: `yes`, `null`, `010` and `12:30` are class names like any other."""

    yaml_implicit_resolvers = _MERGE_ONLY


class _OwnTexts(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same in C, ten times as fast, for the package's own files alone: deep nesting overflows its stack."""

    yaml_implicit_resolvers = _MERGE_ONLY


@dataclass(frozen=True, slots=True, eq=False)
class Naming:
    """A class table's file.

    Attributes:
        source: what errors call it.
        rows: the rows of names, in the file's order.
        patterns: expressions with their rows; the first that matches a whole name counts.
        pairs: each text with the one that replaces it in a partner's name, both ways round.
    """

    source: str
    rows: Mapping[str, Row]
    patterns: tuple[tuple[re.Pattern[str], Row], ...]
    pairs: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, source: str, *, own: bool = False) -> "Naming":
        """Read a file's text; `own` for the package's own files.

        Raises:
            InputError: it is not YAML, or no table of classes.
        """
        try:
            content = (_OwnTexts if own else _Texts)(text).get_single_data()
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise InputError(f"{source}: the class table is not valid YAML.") from error
        if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
            raise InputError(f"{source}: a class table maps each class name to its outline, mirror and turn.")
        rules = {key: content[key] for key in ("patterns", "pairs") if isinstance(content.get(key), list)}
        rows = {name: row for name, row in content.items() if name not in rules}
        if not all(isinstance(row, dict) for row in rows.values()):
            raise InputError(f"{source}: a class table maps each class name to its outline, mirror and turn.")
        for name, row in rows.items():
            check_row(name, row, source)
        patterns = tuple(_pattern(row, source) for row in rules.get("patterns", []))
        return cls(source, rows, patterns, _pairs(rules.get("pairs", []), source))

    def row(self, name: str) -> Row | None:
        """What the file says of a name; None where it says nothing."""
        if name in self.rows:
            return self.rows[name]
        return next((row for pattern, row in self.patterns if pattern.fullmatch(name)), None)

    def resolved(self, names: Iterable[str]) -> dict[str, Row]:
        """The rows of those names that the file knows, partners by name filled in, and the file's other rows."""
        known = {name: row for name in names if (row := self.row(name)) is not None}
        rows = {**self.rows, **known}
        if not self.pairs:
            return rows
        words = re.compile("|".join(_bounded(text) for text in sorted(self.pairs, key=len, reverse=True)))
        partners = {name: words.sub(lambda match: self.pairs[match[0]], name) for name in known}
        for name, partner in partners.items():
            row, other = known[name], known.get(partner)
            if other is None or partner == name or partners[partner] != name or "mirror" in {*row, *other}:
                continue
            if row.get("outline") == other.get("outline"):
                rows[name] = {**row, "mirror": partner}
        return rows


def check_row(name: str, row: Row, source: str) -> None:
    """Check a row's keys, outline and turning limit.

    Raises:
        InputError: one of them is not known or no number of degrees.
    """
    if unknown := set(row) - KEYS:
        raise InputError(f"{source}: class {name!r} has the unknown key {min(map(str, unknown))!r}.")
    shape = row.get("outline", "rectangle")
    if str(shape).upper() not in Outline.__members__:
        raise InputError(f"{source}: class {name!r} has the unknown outline {str(shape)!r}.")
    turn = row.get("turn", 180)
    try:
        right = 0 <= float(turn) <= 180
    except (TypeError, ValueError):
        right = False
    if not right:
        raise InputError(
            f"{source}: class {name!r} has the turn {str(turn)!r}, which is not between 0 and 180 degrees."
        )


def _pattern(row: object, source: str) -> tuple[re.Pattern[str], Row]:
    names = row.get("names") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(names, str) or not names:
        raise InputError(f"{source}: a pattern needs 'names', a text with * or #, and this is {row!r}.")
    rest = {key: value for key, value in row.items() if key != "names"}
    check_row(names, rest, source)
    if rest.get("mirror", "never") not in ("never", "self"):
        raise InputError(f"{source}: the pattern {names!r} has the mirror rule {rest['mirror']!r}, not never or self.")
    parts = (
        ".*" if part == "*" else _NUMBER if part == "#" else re.escape(part) for part in re.split(r"([*#])", names)
    )
    return re.compile("".join(parts), re.DOTALL), rest


def _pairs(pairs: list[Any], source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        texts = pair if isinstance(pair, list) else []
        if len(texts) != 2 or not all(isinstance(text, str) and text for text in texts) or texts[0] == texts[1]:
            raise InputError(f"{source}: a pair is two different texts, and this is {pair!r}.")
        one, other = texts
        if one in found or other in found:
            raise InputError(f"{source}: {one if one in found else other!r} is in two pairs.")
        found |= {one: other, other: one}
    return found


def _bounded(text: str) -> str:
    """An expression for the text where no letter goes on at an end that is a letter."""
    before = f"(?<!{_LETTER})" if text[0].isalpha() else ""
    after = f"(?!{_LETTER})" if text[-1].isalpha() else ""
    return before + re.escape(text) + after
