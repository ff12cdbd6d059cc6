"""Constructed trainings of other shapes and other noise than the exponentials: the family the verdict is judged on.

Power laws, S-curves and broken lines; noise that is larger at first, lasts from one validation to the next and has
heavy tails; a rise during the warm-up; losses of any scale. A draw counts as a state only where its curves without
noise are that state by a definition (`is_so`), with a margin: what lies between two states is nobody's example.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detaug.learning.diagnosis import History, State

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
Shape = Callable[[Floats], Floats]
CHANCE = 0.95  # of a loss that begins at 1


def power_law(rng: np.random.Generator, over: float) -> Shape:
    """From 1 to 0 as a power of time."""
    power = rng.uniform(1.0, 3.0)
    return lambda t: (1 + t / over) ** -power


def s_curve(rng: np.random.Generator, over: float) -> Shape:
    """From 1 to 0 after a plateau, as a logistic function of time."""
    middle, width = over * rng.uniform(0.8, 1.5), over * rng.uniform(0.15, 0.4)
    start = 1 / (1 + math.exp(-middle / width))
    return lambda t: 1 / (1 + np.exp(np.minimum(50, (t - middle) / width))) / start


def broken_line(rng: np.random.Generator, over: float) -> Shape:
    """From 1 to 0 along straight pieces, each flatter than the one before."""
    at = np.array([0, 0.3, 1.0, 2.5]) * over * rng.uniform(0.8, 1.2)
    return lambda t: np.interp(t, at, [1.0, 0.45, 0.12, 0.0])


def shape(rng: np.random.Generator, low: float, high: float) -> Shape:
    """Any of these, most of its way done in a time between `low` and `high`."""
    kinds = (power_law, s_curve, broken_line)
    return kinds[int(rng.integers(3))](rng, rng.uniform(low, high))


def draw(state: State, t: Floats, rng: np.random.Generator) -> Pair:
    """A candidate for a state: the clean training loss and that of validation."""
    floor, above = rng.uniform(0.15, 0.5), rng.uniform(1.0, 1.3)
    if state == "still_learning":
        way = shape(rng, 0.3, 1.5)(t)
        return floor + (1 - floor) * way, floor * above + (1 - floor * above) * way
    way = shape(rng, 0.02, 0.2)(t)
    if state == "overfitting":
        highest = rng.uniform(0.4, 0.7)
        val = highest + (1 - highest) * way + rng.choice([0, 1]) * np.maximum(0, t - rng.uniform(0.2, 0.5)) * 0.2
        low = rng.uniform(0.05, 0.3)
        return low + (1 - low) * shape(rng, 0.1, 0.5)(t), val
    if state == "underfitting":
        floor, above = rng.uniform(0.75, 0.97) * CHANCE, rng.uniform(0.98, 1.05)
    if state == "suspicious":
        above = rng.uniform(0.65, 0.85)
    clean, val = floor + (1 - floor) * way, floor * above + (1 - floor * above) * way
    if state == "diverging":
        bump = np.interp(t, [0, begin := rng.uniform(0.3, 0.8), begin + 0.15], [0, 0, rng.uniform(0.4, 5)])
        return clean * (1 + bump), val * (1 + bump)
    return clean, val


def is_so(state: State, clean: Floats, val: Floats) -> bool:
    """Whether curves without noise are that state beyond doubt.

    What falls within the last third, of at least five validations, is what a trend is.
    """
    recent = max(5, math.ceil(len(val) / 3))
    fall, fit = 1 - val[-1] / val[-recent], 1 - clean[-1] / clean[-recent]
    turn = int((val <= val.min() * 1.005).argmax())
    parted = ((val - clean)[-1] - (val - clean)[turn]) / val[turn]
    so = {
        "healthy": abs(fall) < 0.015 and abs(fit) < 0.03 and parted < 0.03 and clean[-1] < 0.6 * CHANCE,
        "still_learning": fall > 0.08 and clean[-1] < 0.6 * CHANCE,
        "overfitting": fall < 0.015 and parted > 0.16 and len(val) - turn >= 5,
        "underfitting": abs(fall) < 0.015 and abs(fit) < 0.015 and clean[-1] > 0.74 * CHANCE,
        "diverging": clean[-1] > 1.35 * clean.min(),
        "suspicious": val[-1] < 0.87 * clean[-1] and abs(fall) < 0.015 and clean[-1] < 0.6 * CHANCE,
    }
    return bool(so[state])


def unquiet(count: int, sigma: float, rng: np.random.Generator) -> Floats:
    """Factors of noise: heavy tails, larger at first, lasting or not."""
    lasts = rng.choice([0.0, 0.5])
    steps = rng.standard_t(5, count) / math.sqrt(5 / 3)
    noise = np.zeros(count)
    for i in range(count):
        noise[i] = (lasts * noise[i - 1] if i else 0.0) + math.sqrt(1 - lasts**2) * steps[i]
    return np.exp(sigma * noise * np.linspace(1.5, 0.8, count))


def made(state: State, rng: np.random.Generator) -> History:
    """A noisy history of that state; many validations may be noisier than few."""
    count = int(rng.choice([8, 10, 14, 20, 30, 50, 75, 100]))
    sigma = math.exp(rng.uniform(math.log(0.001), math.log(0.03 if count > 40 else 0.01)))
    if state == "too_short":
        count, sigma = (int(rng.integers(0, 5)), 0.01) if rng.random() < 0.5 else (int(rng.integers(8, 16)), 0.5)
    every = int(rng.integers(1, 6))
    epoch = every * np.arange(1, count + 1) - 1
    t = (epoch + 1) / max(1, every * count)
    pair = draw("healthy" if state == "too_short" else state, t, rng)
    while state != "too_short" and not is_so(state, *pair):
        pair = draw(state, t, rng)
    warm = 1 + rng.uniform(0, 0.5) * (t < 0.04)
    closing = round(rng.uniform(0.75, 0.95) * every * count) if rng.random() < 0.5 else None
    ends = np.where(epoch >= closing, 1 - rng.uniform(0, 0.08), 1.0) if closing is not None else np.ones(count)
    scale = 10 ** rng.uniform(-1, 1)
    kept = (rng.random(count) > 0.1) | (count < 14)
    clean, val = (np.where(kept, scale * c * warm * ends * unquiet(count, sigma, rng), np.nan) for c in pair)
    se = 0.02 * val if rng.random() < 0.5 else None
    ap50 = np.where(kept, 0.3 if state == "underfitting" else 0.8, np.nan) if rng.random() < 0.5 else None
    chance = CHANCE * scale if ap50 is None or rng.random() < 0.5 else None
    return History.of(
        epoch, val, clean, clean_ap50=ap50, chance_loss=chance, closing_epoch=closing, val_loss_se=se, clean_loss_se=se
    )
