"""The validations of a history that count, and their latest trend."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.learning.diagnosis.curves import Floats, Trend, noise, trend, without_drop
from detaug.learning.diagnosis.history import History
from detaug.learning.diagnosis.verdict import Thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The validations that count, V of them.

    Attributes:
        epoch: (V,) float.
        val: (V,) validation loss.
        clean: (V,) clean training loss; the augmented one where there is no other.
        gap: (V,) validation minus clean, with the drop where mixing ends; `val` and `clean` are without it.
        late: (V,) whether mixing has ended.
        probed: whether `clean` is clean.
        val_noise: standard deviation of a value of `val`.
        clean_noise: the same of `clean`.
        gap_error: standard error of validation minus clean training that no further validation makes smaller.
        level: the latest validation loss, a median.
        clean_level: the latest clean loss.
    """

    epoch: Floats
    val: Floats
    clean: Floats
    gap: Floats
    late: NDArray[np.bool_]
    probed: bool
    val_noise: float
    clean_noise: float
    gap_error: float
    level: float
    clean_level: float


def usable(history: History, settings: Thresholds) -> NDArray[np.int64]:
    """Which validations count: with a loss, after the warm-up, and the last no copy of an earlier one.

    After a training the best weights are validated once more; that is no further point of the curve.
    """
    clean = _training(history)[0]
    rows = np.flatnonzero(np.isfinite(history.val_loss) & np.isfinite(clean))
    if len(rows) > settings.enough and history.val_loss[rows[-1]] in history.val_loss[rows[:-1]]:
        rows = rows[:-1]
    begin = settings.warmup * (history.epoch[-1] + 1) if len(history) else 0.0
    late = rows[history.epoch[rows] + 1 > begin]
    return late if len(late) >= settings.enough else rows


def _training(history: History) -> tuple[Floats, bool]:
    """The curve that stands for training, and whether it is clean; validation itself where there is none."""
    if np.isfinite(history.clean_loss).any():
        return history.clean_loss, True
    if np.isfinite(history.train_loss).any():
        return history.train_loss, False
    return history.val_loss, False


def curves_of(history: History, settings: Thresholds) -> Curves:
    """The curves of at least three usable validations."""
    rows = usable(history, settings)
    clean, probed = _training(history)
    x, val, clean = history.epoch[rows].astype(np.float64), history.val_loss[rows], clean[rows]
    at = None if history.closing_epoch is None else float(history.closing_epoch)
    val_noise, clean_noise = noise(x, val), noise(x, clean)
    sampled = [_latest(se[rows]) for se in (history.clean_loss_se, history.val_loss_se)]
    return Curves(
        epoch=x,
        val=without_drop(x, val, val_noise, at, settings.sigmas, settings.drop),
        clean=without_drop(x, clean, clean_noise, at, settings.sigmas, settings.drop),
        gap=val - clean,
        late=np.zeros(len(x), bool) if at is None else x >= at,
        probed=probed,
        val_noise=val_noise,
        clean_noise=clean_noise,
        gap_error=math.hypot(*sampled),
        level=float(np.median(val[-3:])),
        clean_level=float(np.median(clean[-3:])),
    )


def _latest(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else 0.0


def nonzero(scale: float, curve: Floats) -> float:
    """What changes are measured by: a level of a curve, kept off 0 by a thousandth of the curve's largest value."""
    return max(scale, 1e-3 * float(np.abs(curve).max()), np.finfo(float).tiny)


def recent(curves: Curves, y: Floats, sigma: float, settings: Thresholds) -> Trend:
    """The trend of a curve over the last validations, as a share of where it stands.

    Where these are too noisy the trend is taken from more validations, up to two thirds of them, and the part of it is
    given that falls to the last ones.
    """
    least = window(len(y), settings)
    level = nonzero(float(np.median(y[-least:])), y)
    most = max(least, 2 * len(y) // 3)
    found = Trend(0.0, math.inf)
    for count in dict.fromkeys((least, (least + most) // 2, most)):
        x = curves.epoch[-count:]
        wide = trend(x, y[-count:], sigma, curves.late[-count:])
        part = float((x[-1] - x[-least]) / (x[-1] - x[0])) / level
        found = Trend(wide.change * part, wide.error * part)
        if settings.sigmas * found.error < settings.loudest / 2:
            break
    return found


def window(count: int, settings: Thresholds) -> int:
    """How many of the last validations trends are taken from."""
    return max(settings.enough, math.ceil(settings.window * count))
