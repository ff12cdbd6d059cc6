"""Samples in a grid under a legend."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detaug.reports.colours import class_colours
from detaug.reports.marks import TEXT, Origin, Picture, draw_box, draw_sample, shortened, text_width, write
from detaug.sample import Sample

_GROUND = (32, 34, 39)
_LIGHT, _PALE = (236, 238, 242), (158, 164, 174)
_GAP = 8
_ROW = 22  # height of a row of the legend
_CAPTION = 18
_LINES = {
    Origin.OWN: "own image",
    Origin.MOSAIC: "mosaic partner",
    Origin.MIXUP: "mixup partner",
    Origin.PASTE: "pasted",
}


def contact_sheet(
    samples: Sequence[Sample],
    names: Sequence[str],
    columns: int | None = None,
    *,
    side: int = 480,
    origins: Sequence[NDArray[np.int64]] | None = None,
    captions: Sequence[str] | None = None,
    title: str = "",
) -> Picture:
    """Samples in a grid under a legend of the classes that are seen.

    Args:
        samples: at least one.
        names: class names; each has its own colour, the same on every sheet.
        columns: samples in a row; None is about half as many again as there are rows.
        side: longest side of a sample on the sheet, pixels; none is enlarged.
        origins: per sample the (N,) `Origin` of its boxes; shown by the kind of line.
        captions: a line under each sample.
        title: a line at the top.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: there is no sample, or `columns` or `side` is too small.
    """
    if not samples or side < 32 or (columns is not None and columns < 1):
        raise ValueError(f"sheet: expected samples, side >= 32, columns >= 1; got {len(samples)}, {side}, {columns}")
    columns = min(columns or default_columns(len(samples)), len(samples))
    colours = class_colours(len(names))
    of_box = origins or [np.zeros(len(s.labels), np.int64) for s in samples]
    cells = [draw_sample(s, o, names, colours, side) for s, o in zip(samples, of_box, strict=True)]
    high, wide = max(c.shape[0] for c in cells), max(c.shape[1] for c in cells)
    below = _CAPTION if captions else 0
    rows = math.ceil(len(cells) / columns)
    width = columns * (wide + _GAP) + _GAP
    labels = np.concatenate([s.labels for s in samples])
    head = _head(title, labels, np.concatenate(of_box) if origins else None, names, colours, width)
    sheet = np.full((len(head) + rows * (high + below + _GAP), width, 3), _GROUND, np.uint8)
    sheet[: len(head)] = head
    for i, cell in enumerate(cells):
        x, y = _GAP + i % columns * (wide + _GAP), len(head) + i // columns * (high + below + _GAP)
        left, top = x + (wide - cell.shape[1]) // 2, y + (high - cell.shape[0]) // 2
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
        if captions:
            write(sheet, shortened(captions[i], wide), (x + 1, y + high + TEXT), _PALE)
    return sheet


def default_columns(count: int) -> int:
    """Columns for a number of samples: a sheet half as wide again as it is high.

    >>> [default_columns(n) for n in (1, 6, 12, 24)]
    [1, 3, 4, 6]
    """
    return max(1, round(math.sqrt(1.5 * count)))


def _head(
    title: str,
    labels: NDArray[np.int64],
    origins: NDArray[np.int64] | None,
    names: Sequence[str],
    colours: NDArray[np.uint8],
    width: int,
) -> Picture:
    """The title and the legend: the classes seen, the most frequent first, and what the lines mean."""
    counts = np.bincount(labels, minlength=len(names))
    seen = sorted(np.flatnonzero(counts).tolist(), key=lambda c: (-counts[c], c))
    room = width - 2 * _GAP
    items = [
        (shortened(f"{names[c]} \N{MULTIPLICATION SIGN}{counts[c]}", room - 22), colours[c], Origin.OWN) for c in seen
    ]
    if len(seen) < len(names):
        items.append((f"{len(names) - len(seen)} of {len(names)} classes not seen here", None, Origin.OWN))
    lines = (
        [] if origins is None else [(_LINES[o], np.array(_LIGHT, np.uint8), o) for o in Origin if (origins == o).any()]
    )
    rows: list[Picture] = [np.full((_GAP, width, 3), _GROUND, np.uint8)]
    if title:
        rows.append(_row(width))
        write(rows[-1], shortened(title, room, TEXT + 3), (_GAP, TEXT + 2), _LIGHT, TEXT + 3)
    for group in (items, lines):
        x = width
        for text, colour, origin in group:
            step = text_width(text) + (38 if colour is not None else 16)
            if x + step > width:
                rows.append(_row(width))
                x = _GAP
            _item(rows[-1], x, text, colour, origin)
            x += step
    return np.concatenate([*rows, np.full((_GAP // 2, width, 3), _GROUND, np.uint8)])


def _row(width: int) -> Picture:
    return np.full((_ROW, width, 3), _GROUND, np.uint8)


def _item(row: Picture, x: int, text: str, colour: NDArray[np.uint8] | None, origin: Origin) -> None:
    """One entry of the legend."""
    if colour is not None:
        draw_box(row, (x + 4, 8, x + 12, 15), colour, origin)
        x += 22
    write(row, text, (x, TEXT + 2), _LIGHT if colour is not None else _PALE)
