"""How training and validation part, and how training rises again."""

import math
from dataclasses import dataclass

import numpy as np

from detaug.learning.diagnosis.curves import Trend, noise, smoothed, trend
from detaug.learning.diagnosis.measured import Curves, nonzero
from detaug.learning.diagnosis.verdict import Thresholds


@dataclass(frozen=True, slots=True)
class Parting:
    """How training and validation have gone since validation stopped falling.

    Attributes:
        epoch: since when.
        points: validations since then.
        clean: change of the clean loss since then, as a share of what it was.
        val: change of the validation loss, as a share of what it was.
        gap: growth of validation minus clean, as a share of the validation loss.
        gap_error: its standard error.
        val_error: the standard error of `val`.
    """

    epoch: int
    points: int
    clean: float
    val: float
    gap: float
    gap_error: float
    val_error: float


def parting(curves: Curves, settings: Thresholds) -> Parting:
    """How training and validation have gone since validation came near its lowest.

    Near is half of what is no change, or all of it where they do not part from there; the noise, where that is more.
    """
    level = smoothed(curves.val)
    near = (max(curves.val_noise, share * settings.material * curves.level) for share in (0.5, 1.0))
    turns = dict.fromkeys(int(np.flatnonzero(level <= level.min() + reach)[0]) for reach in near)
    found = [_since(curves, turn) for turn in turns]
    return next((f for f in found if f.points >= 4 and f.gap > max(settings.parting, 2 * f.gap_error)), found[-1])


def _since(curves: Curves, turn: int) -> Parting:
    val, clean = curves.val, curves.clean
    x, gap = curves.epoch[turn:], curves.gap[turn:]
    few = max(1, min(len(x) // 2, max(3, len(x) // 4)))
    before, after = (
        np.array([np.median(c[part]) for c in (val[turn:], clean[turn:])])
        for part in (slice(None, few), slice(-few, None))
    )
    scale = nonzero(float(before[0]), val)
    grown = trend(x, gap, noise(curves.epoch, curves.gap), curves.late[turn:]) if len(x) > 1 else Trend(0.0, 0.0)
    apart = Trend(
        float(after[0] - after[1] - before[0] + before[1]),
        1.25 * math.sqrt(2 / few) * math.hypot(curves.val_noise, curves.clean_noise),
    )
    surest = max(grown, apart, key=lambda found: found.change - 2 * found.error)  # a trend is small where it saturates
    return Parting(
        epoch=int(x[0]),
        points=len(x),
        clean=float((after[1] - before[1]) / nonzero(float(before[1]), clean)),
        val=float((after[0] - before[0]) / scale),
        gap=surest.change / scale,
        gap_error=surest.error / scale,
        val_error=1.25 * math.sqrt(2 / few) * curves.val_noise / scale,
    )


@dataclass(frozen=True, slots=True)
class Rise:
    """How far the training loss stands above its lowest.

    Attributes:
        epoch: where it was lowest.
        share: of that lowest.
        error: standard error of `share`.
        sudden: the last value over the lowest before it, as a ratio.
    """

    epoch: int
    share: float
    error: float
    sudden: float


def rise(curves: Curves) -> Rise:
    """The rise of the training loss from its lowest to its latest."""
    level = smoothed(curves.clean)
    lowest = int(level.argmin())
    floor = nonzero(float(level[lowest]), level)
    latest = min(float(np.median(curves.clean[-count:])) for count in (2, 3))  # of three alone it lags in a steep fall
    until = slice(None, lowest + 1)  # the rise itself may look like noise
    sigma = noise(curves.epoch[until], curves.clean[until]) if lowest >= 4 else curves.clean_noise
    error = 1.25 * min(sigma, curves.clean_noise) / floor
    return Rise(int(curves.epoch[lowest]), (latest - floor) / floor, error, float(curves.clean[-1]) / floor)
