"""The faces of the sign classes, each drawn once and kept."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from detaug.classes import ClassTable
from detaug.outline import UNIT_POLYGONS, Outline
from detaug.readers.drawn.pictograms import (
    BLACK,
    BLUE,
    RED,
    WHITE,
    YELLOW,
    arrow,
    blank,
    bow,
    disc,
    inset,
    mirrored,
    ring,
    square,
    stripes,
    walker,
    warning,
)
from detaug.readers.drawn.sheet import Image, Points, Sheet

TABLE = ClassTable.builtin("drawn")
NAMES = TABLE.names


def _speed(digits: str) -> Sheet:
    sheet = ring(RED, WHITE)
    sheet.text(digits, (0.205, 0.3, 0.795, 0.7), BLACK)
    return sheet


def _stop() -> Sheet:
    sheet = blank(Outline.OCTAGON, WHITE)
    sheet.polygon(inset(Outline.OCTAGON, 0.94), RED)
    sheet.text("STOP", (0.11, 0.35, 0.89, 0.65), WHITE)
    return sheet


def _priority_road() -> Sheet:
    sheet = blank(Outline.DIAMOND, BLACK)
    sheet.polygon(inset(Outline.DIAMOND, 0.96), WHITE)
    sheet.polygon(inset(Outline.DIAMOND, 0.66), YELLOW)
    return sheet


def _no_entry() -> Sheet:
    sheet = disc(RED)
    sheet.polygon(np.array([[0.15, 0.41], [0.85, 0.41], [0.85, 0.59], [0.15, 0.59]]), WHITE)
    return sheet


def _no_stopping() -> Sheet:
    sheet = ring(RED, BLUE)
    for slope in (-1.0, 1.0):
        ends = np.array([[-0.29, -0.29 * slope], [0.29, 0.29 * slope]]) + 0.5
        sheet.stroke(ends, 0.1, RED)
    return sheet


def _turn(right: bool) -> Sheet:
    sheet = disc(BLUE)
    path = np.vstack([[0.68, 0.8], bow(0.53, 0.56, 0.15, 0, -90), [0.16, 0.41]])
    arrow(sheet, mirrored(path) if right else path, 0.13, WHITE)
    return sheet


def _roundabout() -> Sheet:
    sheet = disc(BLUE)
    for start in (-60, 60, 180):
        path = np.vstack([bow(0.5, 0.5, 0.28, start, start - 55), bow(0.5, 0.5, 0.27, start - 98, start - 98)[:1]])
        arrow(sheet, path, 0.105, WHITE)
    return sheet


def _bend(right: bool) -> Sheet:
    sheet = warning()
    path = np.vstack([[[0.575, 0.765]], bow(0.485, 0.6, 0.09, 0, -70), [[0.4, 0.445]]])
    arrow(sheet, mirrored(path) if right else path, 0.085, BLACK)
    return sheet


def _crossroads() -> Sheet:
    sheet = warning()
    for slope in (-1.0, 1.0):
        ends = np.array([[-0.125, -0.135 * slope], [0.125, 0.135 * slope]]) + np.array([0.5, 0.6])
        sheet.stroke(ends, 0.075, BLACK)
    return sheet


def _warning_pedestrian() -> Sheet:
    sheet = warning()
    walker(sheet, 0.5, 0.56, 0.36, BLACK)
    stripes(sheet, 0.27, 0.73, 0.725, 0.765, BLACK)
    return sheet


def _crosswalk() -> Sheet:
    sheet = square(BLUE)
    sheet.polygon(np.array([[0.5, 0.08], [0.92, 0.88], [0.08, 0.88]]), WHITE)
    walker(sheet, 0.5, 0.58, 0.42, BLACK)
    stripes(sheet, 0.2, 0.8, 0.79, 0.85, BLACK)
    return sheet


def _parking() -> Sheet:
    sheet = square(BLUE)
    sheet.text("P", (0.27, 0.17, 0.75, 0.83), WHITE)
    return sheet


def _one_way() -> Sheet:
    sheet = square(BLUE)
    arrow(sheet, np.array([[0.5, 0.88], [0.5, 0.6], [0.5, 0.1]]), 0.19, WHITE)
    return sheet


_DRAWINGS: dict[str, Callable[[], Sheet]] = {
    "speed_30": lambda: _speed("30"),
    "speed_50": lambda: _speed("50"),
    "speed_80": lambda: _speed("80"),
    "yield": lambda: warning(Outline.TRIANGLE_DOWN),
    "priority_road": _priority_road,
    "crosswalk": _crosswalk,
    "no_entry": _no_entry,
    "turn_right": lambda: _turn(right=True),
    "turn_left": lambda: _turn(right=False),
    "parking": _parking,
    "warning_pedestrian": _warning_pedestrian,
    "stop": _stop,
    "warning_bend_left": lambda: _bend(right=False),
    "warning_bend_right": lambda: _bend(right=True),
    "no_stopping": _no_stopping,
    "one_way": _one_way,
    "roundabout": _roundabout,
    "warning_crossroads": _crossroads,
}


@cache
def paint(name: str) -> Image:
    """The face with the outline's surroundings painted over too, (H, W, 3) uint8, RGB.

    Colour beyond the outline is wanted: a resampled sign then has no dark fringe, and its edge is the outline's alone.
    """
    face = _DRAWINGS[name]().face()
    face.setflags(write=False)
    return face


def face(name: str) -> Image:
    """The face of a class, (H, W, 4) uint8, RGB and the outline's coverage."""
    colours = paint(name)
    height, width = colours.shape[:2]
    fine = np.zeros((height * 4, width * 4), np.uint8)
    corners = (silhouette(int(TABLE.outline[NAMES.index(name)])) + 1) / 2 * np.array([width * 4, height * 4])
    cv2.fillPoly(fine, [np.rint(corners - 0.5).astype(np.int32)], (255,))
    cover = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return np.dstack([colours, cover]).astype(np.uint8)


def silhouette(outline: int) -> Points:
    """The outline in the unit square [-1, 1], (K, 2); round ones as a 96-gon, which is exact to 1/40 of a pixel."""
    if outline != Outline.ELLIPSE:
        return UNIT_POLYGONS[outline]
    turn = np.arange(96) * (2 * np.pi / 96)
    return np.stack([np.cos(turn), np.sin(turn)], 1)
