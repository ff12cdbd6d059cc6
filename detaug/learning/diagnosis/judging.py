"""From curves to a verdict."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.learning.diagnosis.evidence import Evidence, gather
from detaug.learning.diagnosis.history import History
from detaug.learning.diagnosis.knobs import knobs
from detaug.learning.diagnosis.measured import usable
from detaug.learning.diagnosis.per_class import memorised
from detaug.learning.diagnosis.verdict import DEFAULTS, State, Thresholds, Verdict
from detaug.learning.diagnosis.wording import blown_up, broken, reasons, sentence, short


def judge(history: History, settings: Thresholds = DEFAULTS, current: Mapping[str, Any] | None = None) -> Verdict:
    """Say what a training is doing, why, and what to turn next.

    Args:
        history: its validations so far.
        settings: the bounds.
        current: the run's settings, nested as in its `config.yaml`; knobs go from there.

    Returns:
        The same verdict for the same history.
    """
    lowest = _best(history)
    if (lost := not_a_number(history)) is not None:
        found = Verdict(state="diverging", sentence=broken(lost), best_epoch=lowest, since_epoch=lost)
        return replace(found, knobs=knobs("diverging", None, current, history))
    if (blown := _blown(history, settings)) is not None:
        found = Verdict(
            state="diverging",
            sentence=blown_up(history, blown),
            best_epoch=lowest,
            since_epoch=int(history.epoch[blown]),
        )
        return replace(found, knobs=knobs("diverging", None, current, history))
    count = len(usable(history, settings))
    if count < settings.enough:
        found = Verdict(state="too_short", sentence=short(count, settings.enough), best_epoch=lowest)
        return replace(found, knobs=knobs("too_short", None, current, history))
    evidence = gather(history, settings)
    state = decide(evidence, settings)
    heart = [] if history.classes is None else memorised(history.classes, settings)
    since = {"overfitting": evidence.parting.epoch, "diverging": evidence.rise.epoch}
    return Verdict(
        state=state,
        sentence=sentence(state, evidence, history, settings),
        reasons=(*reasons(state, evidence, history, settings), *(known.sentence for known in heart)),
        knobs=knobs(state, evidence, current, history),
        confidence=_confidence(state, history, evidence, settings),
        best_epoch=lowest,
        since_epoch=since.get(state),
        memorised=tuple(known.name for known in heart),
    )


def decide(evidence: Evidence, settings: Thresholds) -> State:
    """The state that the evidence speaks for; what spoils a training comes first."""
    if _diverges(evidence, settings):
        return "diverging"
    if _overfits(evidence, settings):
        return "overfitting"
    unsure = settings.sigmas * evidence.val.error
    if unsure > settings.loudest and -evidence.val.change < 1.5 * unsure:
        return "too_short"
    if -evidence.gap > max(settings.better, settings.sigmas * evidence.gap_error):
        return "suspicious"
    falling = _falls(evidence.val.change, evidence.val.error, settings)
    if evidence.high and evidence.slow:
        return "underfitting"
    if falling:
        return "still_learning"
    if evidence.high and not _falls(evidence.clean.change, evidence.clean.error, settings):
        return "underfitting"
    return "still_learning" if evidence.high else "healthy"


def _falls(change: float, error: float, settings: Thresholds) -> bool:
    return -change > max(settings.material, settings.sigmas * error)


def _diverges(evidence: Evidence, settings: Thresholds) -> bool:
    """The training loss stands above its lowest, or shot up at the end."""
    found = evidence.rise
    beyond = 2 * settings.sigmas * found.error  # twice, for the lowest of many values is low by chance
    return found.share > max(settings.rise, beyond) or found.sudden > max(2.0, 1 + 2 * beyond)


def _overfits(evidence: Evidence, settings: Thresholds) -> bool:
    """Training and validation part, and not because training rises.

    Either since validation stopped falling, or over the last validations alone, or long ago and far; or validation
    rises while training falls.
    """
    if _falls(evidence.val.change, evidence.val.error, settings):
        return False
    apart, sure = evidence.parting, 1.5 * settings.sigmas  # more, for the turn is where the curve itself was low
    long = apart.points >= 4 and apart.clean < settings.material
    rises = evidence.val.change > max(settings.material, sure * evidence.val.error)
    turned = rises and _falls(evidence.clean.change, evidence.clean.error, settings)
    if not evidence.curves.probed:  # a gap to augmented images says nothing: validation itself must rise
        return turned or (long and apart.val > max(settings.parting, sure * apart.val_error))
    since = long and apart.gap > max(settings.parting, sure * apart.gap_error)
    lately = evidence.parting_lately > max(settings.parting, sure * evidence.parting_lately_error)
    wide = evidence.gap > settings.wide and settings.sigmas * evidence.val.error < settings.loudest
    return (turned or since or lately or wide) and evidence.gap > sure * evidence.gap_error


def not_a_number(history: History) -> int | None:
    """The first epoch with an infinite loss, or with an AP but no loss: it was measured, and is not a number."""
    val = np.isnan(history.val_loss) & (np.isfinite(history.val_ap) | np.isfinite(history.val_ap50))
    clean = np.isnan(history.clean_loss) & np.isfinite(history.clean_ap50)
    endless = np.isinf(history.val_loss) | np.isinf(history.clean_loss) | np.isinf(history.train_loss)
    rows: NDArray[np.int64] = np.flatnonzero(val | clean | endless)
    return int(history.epoch[rows[0]]) if len(rows) else None


def _blown(history: History, settings: Thresholds) -> int | None:
    """From which row on the loss stays far above what knowing nothing costs; None if it does not."""
    if not history.chance_loss > 0:
        return None
    rows = np.flatnonzero(np.isfinite(history.val_loss))
    low = np.flatnonzero(~(history.val_loss[rows] > settings.blown * history.chance_loss))
    first = int(low[-1]) + 1 if len(low) else 0
    return int(rows[first]) if len(rows) - first >= 2 else None


def _best(history: History) -> int | None:
    rows = np.flatnonzero(np.isfinite(history.val_loss))
    return int(history.epoch[rows[history.val_loss[rows].argmin()]]) if len(rows) else None


def _confidence(state: State, history: History, evidence: Evidence, settings: Thresholds) -> float:
    """Share of copies with the same noise added once more that are judged alike; a fixed seed, so it is repeatable."""
    rng = np.random.default_rng(0)
    curves = evidence.curves
    alike = 0
    for _ in range(settings.copies):
        val = history.val_loss + rng.normal(0, curves.val_noise, len(history))
        clean = history.clean_loss + rng.normal(0, curves.clean_noise, len(history))
        copy = replace(history, val_loss=val, clean_loss=clean)
        alike += decide(gather(copy, settings), settings) == state
    return alike / settings.copies
