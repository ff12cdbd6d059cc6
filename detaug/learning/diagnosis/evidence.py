"""What the curves show, in numbers, before anything is called by a name."""

import math
from dataclasses import dataclass

import numpy as np

from detaug.learning.diagnosis.curves import Trend
from detaug.learning.diagnosis.history import History
from detaug.learning.diagnosis.measured import Curves, curves_of, nonzero, recent, window
from detaug.learning.diagnosis.parting import Parting, Rise, parting, rise
from detaug.learning.diagnosis.verdict import Thresholds


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the verdict is made from.

    Attributes:
        curves: the validations that count.
        val: trend of validation over the last validations, as a share of where it stands.
        clean: the same of the clean loss.
        parting: since validation stopped falling.
        rise: of the training loss.
        gap: validation minus clean training over the last validations, as a share of validation.
        gap_error: its standard error.
        ap50: clean training AP50; NaN where unknown.
        high: whether training is bad in itself.
        slow: whether it would still be after as many epochs again at its present pace.
    """

    curves: Curves
    val: Trend
    clean: Trend
    parting: Parting
    rise: Rise
    gap: float
    gap_error: float
    ap50: float
    high: bool
    slow: bool

    @property
    def parting_lately(self) -> float:
        """Growth of validation minus clean over the last validations while clean falls, as a share of validation."""
        return self.val.change - self.clean.change * self._ratio if self.clean.change < 0 else 0.0

    @property
    def parting_lately_error(self) -> float:
        """Its standard error."""
        return math.hypot(self.val.error, self.clean.error * self._ratio)

    @property
    def _ratio(self) -> float:
        return self.curves.clean_level / nonzero(self.curves.level, self.curves.val)


def gather(history: History, settings: Thresholds) -> Evidence:
    """The evidence of at least `settings.enough` usable validations."""
    curves = curves_of(history, settings)
    clean = recent(curves, curves.clean, curves.clean_noise, settings)
    known = history.clean_ap50[np.isfinite(history.clean_ap50)]
    ap50 = float(np.median(known[-3:])) if len(known) else math.nan
    chance = settings.high_loss * history.chance_loss  # NaN where unknown: nothing is above it
    count = window(len(curves.epoch), settings)
    pace = clean.change / max(curves.epoch[-1] - curves.epoch[-count], 1.0) * (curves.epoch[-1] + 1)
    level = nonzero(curves.level, curves.val)
    apart = curves.gap[-count:]
    error = math.hypot(1.25 * math.hypot(curves.val_noise, curves.clean_noise) / math.sqrt(count), curves.gap_error)
    return Evidence(
        curves=curves,
        val=recent(curves, curves.val, curves.val_noise, settings),
        clean=clean,
        parting=parting(curves, settings),
        rise=rise(curves),
        gap=float(np.median(apart)) / level if curves.probed else 0.0,
        gap_error=error / level,
        ap50=ap50,
        high=curves.clean_level > chance or ap50 < settings.high_ap50,
        slow=curves.clean_level * (1 + min(0.0, pace)) > chance,
    )
