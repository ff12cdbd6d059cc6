"""Line and bar figures as small SVG that takes its colours from the page, which may be light or dark.

Each is about as wide as a phone: a wide page puts several side by side instead of shrinking their letters.
"""

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 4.9, 3.2  # inches of 72 points
# Colours that no figure means: each stands for a variable of the page's style sheet.
_STANDS = {
    "ink": "#010203",
    "muted": "#010205",
    "line": "#010207",
    "ground": "#010209",
    **{f"c{i}": f"#0102{16 + i:02x}" for i in range(8)},
}
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "detaug",
    "font.family": "sans-serif",
    "font.size": 12.0,
    "text.parse_math": False,
    "axes.unicode_minus": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _STANDS["muted"],
    "axes.labelcolor": _STANDS["ink"],
    "text.color": _STANDS["ink"],
    "xtick.color": _STANDS["muted"],
    "ytick.color": _STANDS["muted"],
    "xtick.labelcolor": _STANDS["ink"],
    "ytick.labelcolor": _STANDS["ink"],
    "grid.color": _STANDS["line"],
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
}
_LEFT_OUT = (r"<metadata>.*?</metadata>", r"<style.*?</style>", r'(?<=<g) id="[^"]*"', r" font-family: [^;\"]*;?")
DASHES = ("solid", "dashed", "dotted", "dashdot")


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a figure.

    Attributes:
        name: what it is called in the key.
        x: (P,) float64.
        y: (P,) float64; what is not finite leaves a gap.
        colour: 0 to 7, one of the page's colours.
        dash: 0 to 3; a whole line, dashes, dots, or both, for those who do not see the colours.
        faint: a thinner line.
    """

    name: str
    x: Floats
    y: Floats
    colour: int
    dash: int = 0
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One entry below a figure: a name and how its line, or its `dot` or `diamond`, looks; colour -1 is grey."""

    name: str
    colour: int
    dash: int = 0
    shape: str = "line"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of the page.

    Attributes:
        svg: the drawing.
        title: a line above.
        alt: what is to be seen, for those who do not.
        keys: its lines.
        note: a line below.
    """

    svg: Markup
    title: str
    alt: str
    keys: tuple[Key, ...] = ()
    note: str = ""


def curves(
    title: str,
    alt: str,
    lines: Sequence[Line],
    *,
    best: float | None = None,
    closing: tuple[float, float] | None = None,
    share: bool = False,
    note: str = "",
) -> Drawing:
    """Lines over the epochs.

    Args:
        title: a line above.
        alt: what is to be seen.
        lines: at least one.
        best: an epoch to be marked.
        closing: a stretch of epochs to be shaded.
        share: whether the values are shares, 0 to 1.
        note: a line below.
    """
    with _axes() as (axes, done):
        if closing is not None:
            axes.axvspan(*closing, color=_STANDS["line"], alpha=0.6, linewidth=0)
        for line in lines:
            _plot(axes, line, marker="." if len(line.x) < 40 else "")
        if best is not None:
            axes.axvline(best, color=_STANDS["ink"], linewidth=1.0, linestyle=(0, (1, 2)))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _heights(axes, [line.y for line in lines], share)
        if best is not None:  # above the axes, where no line can cross it
            axes.annotate(f"kept: {best:g}", (best, 1), (0, 3), ("data", "axes fraction"), "offset points", ha="center")
    return Drawing(done[0], title, alt, tuple(Key(l.name, l.colour, l.dash) for l in lines), note)  # noqa: E741


def precision_recall(title: str, alt: str, lines: Sequence[Line], note: str = "") -> Drawing:
    """Precision over recall."""
    with _axes() as (axes, done):
        for line in lines:
            _plot(axes, line)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
    keys = tuple(Key(line.name, line.colour, line.dash) for line in lines)
    return Drawing(done[0], title, alt, keys, note)


def bars(title: str, alt: str, names: Sequence[str], values: Sequence[float], shown: Sequence[str]) -> Drawing:
    """A bar for each name, with its value as text; the names are the program's own words, never the data's."""
    with _axes(height=0.62 + 0.36 * len(names)) as (axes, done):
        places = np.arange(len(names))[::-1]
        axes.barh(places, np.nan_to_num(np.array(values, np.float64)), height=0.62, color=_STANDS["c0"])
        most = max([v for v in values if np.isfinite(v)], default=1.0) or 1.0
        for place, value, text in zip(places, values, shown, strict=True):
            axes.text((value if np.isfinite(value) else 0) + most * 0.02, place, text, va="center")
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, most * 1.25)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.grid(False)
    return Drawing(done[0], title, alt)


def before_and_after(title: str, alt: str, boxes: Floats, shown: Floats, rare: NDArray[np.bool_]) -> Drawing:
    """Each class as a point: how many boxes training has of it, and how often an epoch shows it."""
    with _axes() as (axes, done):
        low = max(0.5, float(min(boxes.min(), shown.min())) / 1.5)
        high = float(max(boxes.max(), shown.max())) * 1.5
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.plot([low, high], [low, high], color=_STANDS["muted"], linewidth=1.0, linestyle="dashed")
        for chosen, colour, marker in ((~rare, "c0", "o"), (rare, "c1", "D")):
            at = np.maximum(boxes[chosen], low), np.maximum(shown[chosen], low)
            axes.plot(*at, marker, color=_STANDS[colour], markersize=6, alpha=0.85)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_xlabel("training boxes")
        axes.set_ylabel("shown in an epoch")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_locator(NullLocator())
    keys = Key("common", 0, shape="dot"), Key("rare", 1, shape="diamond"), Key("as often as in the data", -1, 1)
    return Drawing(done[0], title, alt, keys)


def _plot(axes: Axes, line: Line, marker: str = "") -> None:
    good = np.where(np.isfinite(line.y), line.y, np.nan)
    axes.plot(
        line.x, good, color=_STANDS[f"c{line.colour}"], linestyle=DASHES[line.dash], marker=marker,
        linewidth=1.1 if line.faint else 1.9,
    )  # fmt: skip


def _heights(axes: Axes, values: Sequence[Floats], share: bool) -> None:
    """Limits that show the course: a few huge first losses would flatten all the rest."""
    if share:
        axes.set_ylim(0, max(0.05, min(1.0, 1.08 * max((np.nanmax(v) for v in _finite(values)), default=1.0))))
        return
    finite = _finite(values)
    if not finite:
        return
    high = max(float(np.nanmax(v)) for v in finite)
    usual = max(float(np.quantile(v, 0.9)) for v in finite)
    low = min(float(v.min()) for v in finite)
    top = high if high <= 3 * usual else 2 * usual
    room = 0.06 * max(top - low, 1e-9)
    axes.set_ylim(low - room, top + room)


def _finite(values: Sequence[Floats]) -> list[Floats]:
    kept = [v[np.isfinite(v)] for v in values]
    return [v for v in kept if len(v)]


@contextmanager
def _axes(height: float = HEIGHT) -> Iterator[tuple[Axes, list[Markup]]]:
    """Axes to draw into; when all is drawn, the list holds the SVG."""
    done: list[Markup] = []
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        axes.grid(True)
        axes.set_axisbelow(True)
        yield axes, done
        done.append(_svg(figure))


def _svg(figure: Figure) -> Markup:
    """The drawing without prolog, metadata and fonts of its own, with the page's variables for colours."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(file, metadata=nothing)  # type: ignore[no-untyped-call]
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for pattern in _LEFT_OUT:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    head = re.search(r'viewBox="[^"]*"', text)
    assert head is not None
    text = f'<svg aria-hidden="true" {head[0]}>{text[text.index(">") + 1 :]}'
    # Ids are the page's, not the drawing's: equal ones of two drawings would take each other's parts.
    own = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>f{own}", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), text)
    for name, colour in _STANDS.items():
        text = text.replace(colour, f"var(--{name})")
    return Markup(re.sub(r"\s*\n\s*", "\n", text))  # drawn here: no word of the data is in it
