"""A class table for a dataset that no table knows, from names and box shapes, to be edited by its user."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import yaml

from detaug.classes import NEVER, ClassTable
from detaug.outline import Outline
from detaug.readers.catalog import Catalog

_HEAD = """\
# A proposed class table. Correct it, then read the dataset with --classes and this file's name.
#   outline  rectangle, ellipse, triangle_up, triangle_down, octagon or diamond; rectangle where it is not certain
#   mirror   never; self for a sign that is its own mirror image; or the class that it becomes in a mirror
#   turn     degrees that the sign may turn either way before it means something else
"""
_FEWEST = 3  # whole boxes that say something about a class's shape
_BORDER = 1.0  # pixels; a box that comes closer to the image's border may be cut
_SQUARE = (0.8, 1.25)  # width over height that a round, eight-sided or three-sided sign may have
_TURN = {"rectangle": 15}
_SAFE_TURN = 20

_SIDES = (
    ("left", "right"), ("links", "rechts"), ("linke", "rechte"), ("gauche", "droite"), ("izquierda", "derecha"),
    ("izquierdo", "derecho"), ("sinistra", "destra"), ("esquerda", "direita"), ("esquerdo", "direito"),
    ("sol", "sag"), ("sol", "sağ"), ("sola", "saga"), ("sola", "sağa"), ("stanga", "dreapta"), ("stânga", "dreapta"),
    ("trai", "phai"), ("trái", "phải"), ("lewo", "prawo"), ("lewy", "prawy"), ("vlevo", "vpravo"), ("levo", "desno"),
    ("vänster", "höger"), ("venstre", "høyre"), ("venstre", "højre"), ("vasen", "oikea"), ("bal", "jobb"),
    ("kiri", "kanan"), ("влево", "вправо"), ("налево", "направо"), ("左", "右"), ("왼쪽", "오른쪽"),
)  # fmt: skip
_FILLERS = frozenset(("sign", "signs", "traffic", "road", "regulatory", "warning", "class"))
_OUTLINES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    # The outline; texts, one of which must be the whole name but for fillers; the reason.
    ("octagon", ("stop", "dur", "pare", "alto"), "stop"),
    ("triangle_down", ("yield", "give way", "giveway", "yol ver", "ceda el paso", "cedez le passage",
                       "cedeaza trecerea", "vorfahrt gewähren", "vorfahrt gewaehren"), "yield"),
    ("diamond", ("priority", "priority road", "main road", "drum cu prioritate", "vorfahrtstraße"), "priority road"),
)  # fmt: skip
_DANGER = frozenset(("warning", "danger", "hazard", "caution", "gefahr", "tehlike", "peligro", "pericol", "pericole"))
_SPEED = (("speed", "limit"), ("speedlimit",), ("max", "speed"), ("maximum", "speed"), ("hiz",), ("tempo",))
_SYMMETRIC = frozenset(
    ("no entry", "noentry", "priority", "priority road", "main road", "traffic light", "trafficlight", "traffic lights")
)
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def propose(catalog: Catalog) -> str:
    """A class table for a catalog's classes, as YAML text that `ClassTable.from_yaml` reads.

    Each class has a line with the reason in a comment. What the table in use already knows is kept. Else the outline
    comes from the name where the boxes do not speak against it, and is the rectangle otherwise; classes whose names
    differ in left and right alone are partners; other classes are never mirrored unless their name is safe.
    """
    names = catalog.classes.names
    shapes = _shapes(catalog)
    partners = partners_by_name(names)
    lines = []
    for label, name in enumerate(names):
        known = _known(catalog.classes, label)
        if known is not None:
            (outline, mirror, turn), why = known, "as in the table in use"
        else:
            partner = partners.get(name)
            both = [shapes[i] for i in ([label] if partner is None else [label, names.index(partner)])]
            outline, why = _outline(name, both)
            if partner is not None:
                mirror, reason = quoted(partner), "partner by name"
            elif " ".join(_words(name)) in _SYMMETRIC:
                mirror, reason = "self", "its own mirror image by name"
            else:
                mirror, reason = "never", "mirror not known"
            why, turn = f"{why}; {reason}", f"{_TURN.get(outline, _SAFE_TURN)}"
        key = quoted(name)
        begin = key if len(key) < 1000 else f"? {key}\n"  # YAML's short keys end at 1024 characters
        lines.append(f"{begin}: {{outline: {outline}, mirror: {mirror}, turn: {turn}}}  # {why}\n")
    return _HEAD + ("".join(lines) or "{}\n")


def partners_by_name(names: Sequence[str]) -> dict[str, str]:
    """Names that differ in a word for left and right alone, each with the other; letters' case is kept.

    >>> partners_by_name(["turnLeft", "turnRight", "KEEP_LEFT", "right of way"])
    {'turnLeft': 'turnRight', 'turnRight': 'turnLeft'}
    """
    known = {name for name in names if name not in ("self", "never")}
    found: dict[str, str] = {}
    for name in names:
        for one, other in _SIDES:
            partner = _swapped(name, {one: other, other: one})
            if partner != name and {name, partner} <= known and name not in found and partner not in found:
                found |= {name: partner, partner: name}
    return {name: found[name] for name in names if name in found}


def quoted(name: str) -> str:
    r"""A name as YAML: plain where that is safe, else between quotes, with everything unprintable written in numbers.

    >>> quoted("turn_left"), quoted("yes"), quoted("a: 'b'")
    ('turn_left', '"yes"', '"a: \'b\'"')
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,99}", name) and yaml.safe_load(name) == name:
        return name
    return '"' + "".join(_escaped(letter) for letter in name) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _swapped(name: str, words: Mapping[str, str]) -> str:
    """The name with each word's counterpart in its place, whatever is between the words."""

    def swap(match: re.Match[str]) -> str:
        parts = _HUMP.split(match[0])
        return "".join(_like(part, words.get(part.lower(), part)) for part in parts)

    text = _WORD.sub(swap, name)
    if text == name and any(not word.isascii() and not _has_case(word) for word in words):
        expression = "|".join(re.escape(word) for word in words)
        return re.sub(expression, lambda match: words[match[0]], name)
    return text


def _has_case(word: str) -> bool:
    """Whether a script has capitals; the others often have no space between words either."""
    return word.lower() != word.upper()


def _like(word: str, other: str) -> str:
    if word == word.lower():
        return other
    return other.upper() if word == word.upper() and len(word) > 1 else other[:1].upper() + other[1:]


def _words(name: str) -> list[str]:
    return [part.lower() for run in _WORD.findall(name) for part in _HUMP.split(run)]


def _shapes(catalog: Catalog) -> list[float]:
    """The median width over height of each class's boxes that keep clear of the border; NaN for too few."""
    limits = catalog.sizes[catalog.images_of_boxes()][:, [1, 0]]
    boxes = catalog.boxes.astype(np.float64)
    whole = (boxes[:, :2] > _BORDER).all(1) & (boxes[:, 2:] < limits - _BORDER).all(1)
    sides = boxes[:, 2:] - boxes[:, :2]
    shapes = []
    for label in range(len(catalog.classes)):
        mine = sides[whole & (catalog.labels == label)]
        shapes.append(float(np.median(mine[:, 0] / mine[:, 1])) if len(mine) >= _FEWEST else float("nan"))
    return shapes


def _outline(name: str, shapes: Sequence[float]) -> tuple[str, str]:
    """The outline and why; `shapes` are width over height of the class and of its partner."""
    told, reason = _outline_by_name(name)
    low, high = _SQUARE
    for shape in shapes:
        if shape < low or shape > high:
            return "rectangle", f"outline by shape, {shape:.2f} times as wide as high"
    return (told, reason) if told else ("rectangle", "outline not known")


def _outline_by_name(name: str) -> tuple[str, str]:
    words = _words(name)
    whole = {" ".join(words), " ".join(word for word in words if word not in _FILLERS)}
    for outline, texts, reason in _OUTLINES:
        if whole & set(texts):
            return outline, f"outline by name ({reason})"
    if any(set(needed) <= set(words) for needed in _SPEED) and not {"end", "zone", "minimum"} & set(words):
        return "ellipse", "outline by name (speed limit)"
    if _DANGER & set(words):
        return "triangle_up", "outline by name (warning; a diamond in the Americas)"
    return "", ""


def _known(table: ClassTable, label: int) -> tuple[str, str, str] | None:
    """A row of the table in use, or None where it says nothing."""
    outline, mirror, turn = int(table.outline[label]), int(table.mirror[label]), float(table.turn[label])
    if (outline, mirror, turn) == (Outline.RECTANGLE, NEVER, 180):
        return None
    rule = "never" if mirror == NEVER else "self" if mirror == label else quoted(table.names[mirror])
    return Outline(outline).name.lower(), rule, f"{turn:g}"
