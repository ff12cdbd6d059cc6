"""A sheet to draw sign faces on: shapes in shares of the sheet's width, drawn large and averaged down."""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Image = NDArray[np.uint8]
Points = NDArray[np.float64]

FACE_WIDTH = 192
_FINER = 4


class Sheet:
    """A painted rectangle of width 1 and height `aspect`; x runs right, y down, in shares of the width.

    Attributes:
        aspect: height over width.
        pixels: (4 · H, 4 · W, 3) uint8, RGB, four times the face's resolution.
    """

    def __init__(self, aspect: float, ground: Colour) -> None:
        self.aspect = aspect
        shape = (round(FACE_WIDTH * aspect) * _FINER, FACE_WIDTH * _FINER, 3)
        self.pixels: Image = np.full(shape, ground, np.uint8)

    def face(self) -> Image:
        """The finished face, (H, W, 3) uint8, RGB."""
        height, width = self.pixels.shape[0] // _FINER, self.pixels.shape[1] // _FINER
        return np.asarray(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def polygon(self, points: Points, colour: Colour) -> None:
        """Fill the polygon (K, 2)."""
        cv2.fillPoly(self.pixels, [self._fine(points)], colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        self.polygon(np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1), colour)

    def stroke(self, points: Points, width: float, colour: Colour) -> None:
        """A line of even width through the points (K, 2), with round joints and flat ends."""
        for a, b in pairwise(points):
            along = (b - a) / max(float(np.hypot(*(b - a))), 1e-9)
            side = np.array([-along[1], along[0]]) * width / 2
            self.polygon(np.array([a + side, b + side, b - side, a - side]), colour)
        for x, y in points[1:-1]:
            self.disc(float(x), float(y), width / 2, colour)

    def text(self, words: str, box: tuple[float, float, float, float], colour: Colour) -> None:
        """Bold letters stretched to fill `box` (x1, y1, x2, y2)."""
        (x1, y1), (x2, y2) = self._fine(np.array([box[:2], box[2:]])).tolist()
        mask = cv2.resize(_letters(words), (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)[..., None] / 255.0
        here = self.pixels[y1:y2, x1:x2]
        here[:] = np.rint(here * (1 - mask) + np.array(colour) * mask)

    def _fine(self, points: Points) -> NDArray[np.int32]:
        return np.asarray(np.rint(points * self.pixels.shape[1] - 0.5), np.int32)


def _letters(words: str) -> Image:
    """White letters on black, cut to their extent; a zero is drawn as the letter O, for OpenCV's zero is slashed."""
    canvas = np.zeros((500, 400 * len(words), 3), np.uint8)
    font = cv2.FontFace("sans")
    cv2.putText(canvas, words.replace("0", "O"), (50, 380), (255, 255, 255), font, 300, 700)
    rows, columns = np.flatnonzero(canvas.any((1, 2))), np.flatnonzero(canvas.any((0, 2)))
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, 0].copy()
