"""One colour per class that people with any colour vision can tell apart."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

# Okabe and Ito, "Color Universal Design", 2008; without black.
_FIRST = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
# Linear RGB as seen without red and without green cones: Machado et al., "A physiologically-based model for simulation
# of color vision deficiency", 2009.
_CONES = (
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
)
_STEPS = 13  # candidates per channel
_DARKEST = 42.0  # of 100; a line must stand out from its dark halo


def class_colours(count: int) -> NDArray[np.uint8]:
    """(count, 3) RGB: Okabe and Ito's, then each as far as can be from all before it, for every kind of eye.

    Class i has the same colour however many classes there are. Beyond about 1,500 classes colours come again.

    >>> class_colours(2).tolist()
    [[230, 159, 0], [86, 180, 233]]
    """
    made = _sequence(min(max(1, 1 << (count - 1).bit_length()), _STEPS**3) if count else 1)
    return made[np.arange(count) % len(made)]


def ink(colour: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Black or white, whichever reads better on a colour.

    >>> ink(class_colours(4)[3]), ink(class_colours(5)[4])
    ((0, 0, 0), (255, 255, 255))
    """
    linear = _linear(colour[None])[0]
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    # WCAG 2.2's contrast ratio, against black and against white.
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)


@lru_cache
def _sequence(count: int) -> NDArray[np.uint8]:
    """The first colours of the sequence, at most as many as there are candidates."""
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    grid = grid[seen(grid)[0][:, 0] >= _DARKEST]
    colours = np.concatenate([np.array(_FIRST, np.uint8), grid])
    views = seen(colours)
    chosen: list[int] = []
    nearest = np.full(len(colours), np.inf)
    while len(chosen) < min(count, len(colours)):
        new = len(chosen) if len(chosen) < len(_FIRST) else int(nearest.argmax())
        chosen.append(new)
        nearest = np.minimum(nearest, np.linalg.norm(views - views[:, new, None], axis=2).min(0))
    made = colours[chosen]
    made.flags.writeable = False
    return made


def seen(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(3, N, 3) CIE L*a*b* of colours (N, 3), as seen with all cones, without red ones, without green ones."""
    linear = _linear(colours)
    views = [np.clip(linear @ cones.T, 0, 1).astype(np.float32) for cones in _CONES]
    return np.stack([cv2.cvtColor(view[None], cv2.COLOR_LRGB2LAB)[0] for view in views])


def _linear(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    share = colours / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
