"""Constructed trainings whose losses are sums of exponentials: the family that the verdict's bounds were tuned on.

Each function gives the loss of clean training images and of validation without noise, at moments from 0 to 1.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detaug.learning.diagnosis import History, State

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
START, CHANCE = 2.2, 2.1


def falling(t: Floats, to: float, over: float) -> Floats:
    """From START to `to`, by 1 - 1/e of the way in `over`."""
    return to + (START - to) * np.exp(-t / over)


def healthy(t: Floats, rng: np.random.Generator) -> Pair:
    """Both settle, validation a little higher."""
    floor, over = rng.uniform(0.5, 1.0), rng.uniform(0.05, 0.13)
    return falling(t, floor, over), falling(t, floor * rng.uniform(1.02, 1.25), over)


def still_learning(t: Floats, rng: np.random.Generator) -> Pair:
    """Both still fall at the end."""
    floor, over = rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.7)
    return falling(t, floor, over), falling(t, floor * rng.uniform(1.02, 1.25), over)


def overfitting(t: Floats, rng: np.random.Generator) -> Pair:
    """Training goes on falling after validation has settled, or has turned up."""
    over, turn = rng.uniform(0.05, 0.12), rng.uniform(0.2, 0.5)
    val = falling(t, rng.uniform(0.9, 1.3), over)
    val = val + rng.choice([0.0, 1.0]) * rng.uniform(0.2, 0.6) * np.maximum(0, t - turn)
    clean = falling(t, rng.uniform(0.2, 0.7), rng.uniform(0.12, 0.4))
    return np.minimum(clean, val * 0.97), val


def underfitting(t: Floats, rng: np.random.Generator) -> Pair:
    """Both stay near what chance gives."""
    floor, over = rng.uniform(0.78, 0.98) * CHANCE, rng.uniform(0.02, 0.13)
    return falling(t, floor, over), falling(t, floor * rng.uniform(1.0, 1.06), over)


def diverging(t: Floats, rng: np.random.Generator) -> Pair:
    """Both fall, then rise for good."""
    turn, floor = rng.uniform(0.3, 0.7), rng.uniform(0.6, 1.0)
    shot = rng.uniform(0.5, 3.0) * (1 - np.exp(-np.maximum(0, t - turn) / rng.uniform(0.02, 0.15)))
    return falling(t, floor, 0.1) + shot, falling(t, 1.1 * floor, 0.1) + shot


def suspicious(t: Floats, rng: np.random.Generator) -> Pair:
    """Validation lies below clean training."""
    floor, over = rng.uniform(0.6, 1.0), rng.uniform(0.05, 0.13)
    return falling(t, floor * rng.uniform(1.2, 1.5), over), falling(t, floor, over)


MAKERS: dict[State, Callable[[Floats, np.random.Generator], Pair]] = {
    "healthy": healthy,
    "still_learning": still_learning,
    "overfitting": overfitting,
    "underfitting": underfitting,
    "diverging": diverging,
    "suspicious": suspicious,
}


def made(state: State, rng: np.random.Generator) -> History:
    """A noisy history of that state; few validations have little noise, for else nothing could be said of them."""
    count = int(rng.integers(8, 101))
    sigma = rng.choice([0.002, 0.01, 0.02, 0.04]) if count > 40 else rng.choice([0.002, 0.01])
    if state == "too_short":
        count, sigma = (int(rng.integers(0, 5)), 0.01) if rng.random() < 0.5 else (int(rng.integers(8, 20)), 0.4)
    every = int(rng.integers(1, 6))
    epoch = every * np.arange(1, count + 1) - 1
    t = (epoch + 1) / max(1, every * count)
    maker = MAKERS["healthy" if state == "too_short" else state]
    clean, val = maker(t, rng)
    closing = None
    if rng.random() < 0.5 and state != "too_short":  # mixing ends: both fall by a few per cent at once
        closing = round(0.85 * every * count)
        drop = np.where(epoch >= closing, 1 - rng.uniform(0.0, 0.06), 1.0)
        clean, val = clean * drop, val * drop
    clean, val = (c * np.exp(sigma * rng.normal(size=count)) for c in (clean, val))
    kept = (rng.random(count) > 0.1) | (count < 10)  # a validation that did not run
    ap50 = np.full(count, 0.2 if state == "underfitting" else 0.85)
    return History.of(
        epoch,
        np.where(kept, val, np.nan),
        np.where(kept, clean, np.nan),
        clean_ap50=np.where(kept, ap50, np.nan),
        chance_loss=CHANCE,
        closing_epoch=closing,
    )
