"""Which signs a scene shows: a long tail, of which no class is left out by bad luck."""

import zlib

import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.signs import NAMES

_COUNT_SHARES = (0.06, 0.32, 0.3, 0.21, 0.11)  # of scenes with 0, 1, 2, 3 and 4 signs
_SHIFT, _POWER = 1.5, 2.0
_DEALT_BELOW = 0.12
_EVAL_PERIOD = 33


def shares() -> NDArray[np.float64]:
    """(C,) the share of each class, most frequent first: Zipf's law as Mandelbrot shifted it, 1 / (rank + 1.5)².

    >>> float(shares()[0] / shares()[-1]) > 50
    True
    """
    weights = (np.arange(1, len(NAMES) + 1) + _SHIFT) ** -_POWER
    return np.asarray(weights / weights.sum())


def generator(seed: int, split: str, index: int, purpose: str) -> np.random.Generator:
    """The chance of one scene; it depends on nothing but these four."""
    return np.random.default_rng([seed, zlib.crc32(split.encode()), index, zlib.crc32(purpose.encode())])


def scene_labels(seed: int, split: str, index: int) -> list[int]:
    """The classes of one scene, the rare ones first, for the first sign always finds room.

    Rare classes are not drawn but dealt: a class that every n-th scene should show is shown by every n-th scene, from
    a start by chance. So its number is right without any scene knowing of the others. Outside `train` every class
    is dealt at least once in 33 scenes, or its precision there would hang on a single sign.
    """
    mean = float(np.dot(np.arange(len(_COUNT_SHARES)), _COUNT_SHARES))
    rates = mean * shares()
    rng = generator(seed, split, index, "labels")
    wanted = int(rng.choice(len(_COUNT_SHARES), p=_COUNT_SHARES))
    dealt = [int(c) for c in np.flatnonzero(rates < _DEALT_BELOW) if _is_dealt(seed, split, index, int(c), rates[c])]
    dealt = dealt[::-1]
    common = np.flatnonzero(rates >= _DEALT_BELOW)
    free = max(wanted - len(dealt), 0)
    drawn = rng.choice(common, free, p=rates[common] / rates[common].sum())
    return dealt + [int(c) for c in drawn]


def _is_dealt(seed: int, split: str, index: int, label: int, rate: float) -> bool:
    period = round(1 / rate) if split == "train" else min(round(1 / rate), _EVAL_PERIOD)
    start = int(generator(seed, split, label, "deal").integers(period))
    return index % period == start
