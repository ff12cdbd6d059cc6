"""Plates that look like signs and are none: adverts, shop logos, direction boards, the backs of signs."""

from functools import cache

import numpy as np

from detaug.outline import Outline
from detaug.readers.drawn.pictograms import BLACK, BLUE, RED, WHITE, YELLOW, arrow, blank, inset
from detaug.readers.drawn.sheet import Colour, Image, Sheet

DECOYS = 64
_GREEN: Colour = (16, 112, 62)
_GREY: Colour = (138, 140, 142)
_ORANGE: Colour = (236, 118, 22)
_COLOURS = (RED, BLUE, YELLOW, _GREEN, WHITE, _ORANGE, BLACK, (124, 42, 120), (40, 150, 170))
_WORDS = ("CAFE", "24h", "BAR", "GO", "M", "XL", "OPEN", "K7", "AB", "TAXI", "SALE", "e", "H", "PIZZA")


@cache
def decoy(number: int) -> tuple[int, Image]:
    """One of `DECOYS` fixed plates: its outline and its face, (h, w, 3) uint8, RGB."""
    rng = np.random.default_rng(number)
    kinds = (_logo, _advert, _direction, _back, _bare, _chevrons)
    outline, sheet = kinds[number % len(kinds)](rng)
    face = sheet.face()
    face.setflags(write=False)
    return int(outline), face


def _two(rng: np.random.Generator) -> tuple[Colour, Colour]:
    first, second = rng.choice(len(_COLOURS), 2, replace=False)
    return _COLOURS[int(first)], _COLOURS[int(second)]


def _word(rng: np.random.Generator) -> str:
    return _WORDS[int(rng.integers(len(_WORDS)))]


def _logo(rng: np.random.Generator) -> tuple[Outline, Sheet]:
    ground, ink = _two(rng)
    sheet = blank(Outline.ELLIPSE, ink if rng.random() < 0.5 else ground)
    sheet.disc(0.5, 0.5, rng.uniform(0.36, 0.46), ground)
    if rng.random() < 0.6:
        sheet.text(_word(rng), (0.22, 0.36, 0.78, 0.64), ink)
    else:
        sheet.disc(rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.25), ink)
    return Outline.ELLIPSE, sheet


def _advert(rng: np.random.Generator) -> tuple[Outline, Sheet]:
    ground, ink = _two(rng)
    sheet = blank(Outline.RECTANGLE, ground)
    split = rng.uniform(0.3, 0.6)
    sheet.polygon(np.array([[0, split], [1, split + rng.uniform(-0.2, 0.2)], [1, 1], [0, 1]]), _two(rng)[0])
    sheet.disc(rng.uniform(0.2, 0.8), rng.uniform(0.5, 0.8), rng.uniform(0.1, 0.2), _two(rng)[1])
    sheet.text(_word(rng), (0.1, 0.08, 0.9, split - 0.06), ink)
    return Outline.RECTANGLE, sheet


def _direction(rng: np.random.Generator) -> tuple[Outline, Sheet]:
    ground = (_GREEN, BLUE, YELLOW, WHITE)[int(rng.integers(4))]
    ink = BLACK if ground in (YELLOW, WHITE) else WHITE
    sheet = blank(Outline.RECTANGLE, ink)
    sheet.polygon(inset(Outline.RECTANGLE, 0.94), ground)
    for row in range(2):
        sheet.text(_word(rng), (0.12, 0.14 + 0.4 * row, 0.55, 0.42 + 0.4 * row), ink)
    tip = np.array([[0.7, 0.85], [0.7, 0.5], [0.7, 0.15]]) if rng.random() < 0.5 else np.array([[0.6, 0.5], [0.9, 0.5]])
    arrow(sheet, tip, 0.07, ink)
    return Outline.RECTANGLE, sheet


def _back(rng: np.random.Generator) -> tuple[Outline, Sheet]:
    outline = list(Outline)[int(rng.integers(len(Outline)))]
    sheet = blank(outline, _GREY)
    for row in (0.35, 0.65):
        y = row * sheet.aspect
        sheet.stroke(np.array([[0.15, y], [0.85, y]]), 0.05, (104, 106, 108))
    return outline, sheet


def _bare(rng: np.random.Generator) -> tuple[Outline, Sheet]:
    shapes = (Outline.TRIANGLE_UP, Outline.TRIANGLE_DOWN, Outline.DIAMOND, Outline.OCTAGON)
    outline = shapes[int(rng.integers(len(shapes)))]
    rim, inner = _two(rng)
    while (rim, inner) == (RED, WHITE):  # a red triangle with a white field means something
        rim, inner = _two(rng)
    sheet = blank(outline, rim)
    sheet.polygon(inset(outline, rng.uniform(0.4, 0.8)), inner)
    return outline, sheet


def _chevrons(rng: np.random.Generator) -> tuple[Outline, Sheet]:
    ground, ink = ((WHITE, RED), (BLACK, YELLOW), (BLUE, WHITE))[int(rng.integers(3))]
    sheet = blank(Outline.RECTANGLE, ground)
    slant = rng.choice([-0.3, 0.3])
    for left in np.arange(-0.4, 1.2, 0.4):
        sheet.polygon(np.array([[left, 0], [left + 0.2, 0], [left + 0.2 + slant, 1], [left + slant, 1]]), ink)
    return Outline.RECTANGLE, sheet
