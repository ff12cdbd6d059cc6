"""One line of a YOLO label: `class cx cy w h`, and the other forms that tools write."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from detaug.readers.builder import Builder
from detaug.readers.content import has_decimal_comma, number

MOST_CLASSES = 100_000  # an id beyond this is no class
Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Oddities:
    """Lines of an unusual form that were read nevertheless, reported once per file."""

    _lines: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def add(self, kind: str, file: str, place: int) -> None:
        """Take up one."""
        self._lines.setdefault((kind, file), []).append(place)

    def report(self, builder: Builder) -> None:
        """Make findings of them; polygons, which are a usual form, give one finding for the whole dataset."""
        polygons = [(file, places) for (kind, file), places in self._lines.items() if kind == "polygon-label"]
        for (kind, file), places in self._lines.items():
            if kind != "polygon-label":
                more = f" and {len(places) - 1} more" if len(places) > 1 else ""
                builder.note(kind, file, f"line {places[0]}{more}: {_MEANING[kind]}")
        if polygons:
            file, places = polygons[0]
            count = sum(len(lines) for _, lines in polygons)
            value = f"{count} lines in {len(polygons)} label files are polygons, the first is line {places[0]} here"
            builder.note("polygon-label", file, f"{value}; the boxes around them are used")


_MEANING = {
    "confidence-column": "six values, of which the last is taken for a confidence and left out",
    "comma-in-label": "commas are read as decimal points, or as separators where points are there too",
}


def parse(line: str, file: str, place: int, odd: Oddities) -> tuple[int | str, Box]:
    """Class id (or what stands there instead) and corners as shares of the image; NaN for what is no box.

    >>> parse("2 0.5 0.5 0.2 0.4", "a.txt", 1, Oddities())
    (2, (0.4, 0.3, 0.6, 0.7))
    """
    if "," in line:
        odd.add("comma-in-label", file, place)
        decimal = any(has_decimal_comma(word) for word in line.split()) and "." not in line
        line = line.replace(",", "." if decimal else " ")
    words = line.split()
    values = [number(word) for word in words]
    known = bool(values) and 0 <= values[0] < MOST_CLASSES and values[0].is_integer()
    index = int(values[0]) if known else repr("".join(words[:1])[:40])
    values = values[1:]
    if len(values) == 5 and 0 <= values[4] <= 1:
        odd.add("confidence-column", file, place)
        values = values[:4]
    if len(values) == 4:
        x, y, width, height = values
        return index, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if len(values) >= 6 and len(values) % 2 == 0 and all(value == value for value in values):
        odd.add("polygon-label", file, place)
        return index, around(values)
    return index, (float("nan"),) * 4


def around(values: Iterable[float]) -> Box:
    """The box around a polygon x y x y ...

    >>> around([1, 2, 5, 1, 3, 9])
    (1, 1, 5, 9)
    """
    corners = list(values)
    return min(corners[::2]), min(corners[1::2]), max(corners[::2]), max(corners[1::2])
