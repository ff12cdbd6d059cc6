"""Which classes are known by heart: found on training images, missed on others."""

import math
from dataclasses import dataclass

import numpy as np

from detaug.learning.diagnosis.history import Floats, PerClass
from detaug.learning.diagnosis.verdict import DEFAULTS, Thresholds


@dataclass(frozen=True, slots=True)
class Memorised:
    """A class that is known by heart.

    Attributes:
        name: of the class.
        clean_ap: AP on clean training images.
        val_ap: AP on validation.
        train_boxes: its boxes in training.
        sentence: the same in words.
    """

    name: str
    clean_ap: float
    val_ap: float
    train_boxes: int
    sentence: str


def memorised(classes: PerClass, settings: Thresholds = DEFAULTS) -> list[Memorised]:
    """The classes whose AP on training images is high, and on validation lower beyond its uncertainty; rare first.

    The uncertainty is that of a share of so many boxes (Wilson, 1927; for the difference Newcombe, 1998). AP is no
    share, but it is no surer than one: with one validation box nothing is said.

    >>> classes = PerClass.of(["stop", "yield"], [0.9, 0.9], [0.2, 0.2], [30, 30], [20, 1])
    >>> [known.name for known in memorised(classes)]
    ['stop']
    """
    high = classes.clean_ap, *wilson(classes.clean_ap, classes.clean_boxes, settings.sigmas)
    low = classes.val_ap, *wilson(classes.val_ap, classes.val_boxes, settings.sigmas)
    least = high[0] - low[0] - np.hypot(high[0] - high[1], low[2] - low[0])
    known = (classes.clean_ap >= settings.memorised_ap) & (least > settings.memorised_gap)  # NaN is neither
    order = np.lexsort((-least, classes.train_boxes))
    return [_memorised(classes, int(i)) for i in order if known[i]]


def wilson(share: Floats, count: Floats, sigmas: float) -> tuple[Floats, Floats]:
    """The interval of a share of `count` cases; 0 to 1 for none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = sigmas**2 / count
        middle = (share + z / 2) / (1 + z)
        half = np.sqrt(z * share * (1 - share) + z**2 / 4) / (1 + z)
    none = ~(count > 0)
    return np.where(none, 0.0, middle - half), np.where(none, 1.0, middle + half)


def _memorised(classes: PerClass, i: int) -> Memorised:
    name, boxes = classes.names[i], classes.train_boxes[i]
    clean, val = float(classes.clean_ap[i]), float(classes.val_ap[i])
    count = 0 if math.isnan(boxes) else int(boxes)
    sentence = (
        f"{name} is known by heart: AP {clean:.2f} on clean training images, {val:.2f} on validation "
        f"({count} boxes to learn from, {int(classes.val_boxes[i])} to be found)."
    )
    return Memorised(name, clean, val, count, sentence)
