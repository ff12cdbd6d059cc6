"""The verdict in words that a person can follow, with its numbers."""

import numpy as np

from detaug.learning.diagnosis.evidence import Evidence
from detaug.learning.diagnosis.history import History
from detaug.learning.diagnosis.measured import window
from detaug.learning.diagnosis.verdict import State, Thresholds


def broken(epoch: int) -> str:
    """What is said when a loss is no number."""
    return f"At epoch {epoch} the loss is no longer a number: the training has diverged."


def blown_up(history: History, row: int) -> str:
    """What is said of a loss far above that of knowing nothing."""
    losses = history.val_loss[row:]
    times = float(np.nanmin(losses)) / history.chance_loss
    since = int(history.epoch[row])
    return (
        f"Since epoch {since} validation loss is at least {times:.0f} times what knowing only the class frequencies "
        "gives: the training has diverged."
    )


def short(count: int, enough: int) -> str:
    """What is said of too few validations."""
    seen = "no validation" if count == 0 else "1 validation" if count == 1 else f"{count} validations"
    return f"Too short to tell: {seen} so far, and {enough} are needed to say where the training goes."


def sentence(state: State, evidence: Evidence, history: History, settings: Thresholds) -> str:
    """The verdict in one sentence."""
    return {
        "diverging": _diverging,
        "overfitting": _overfitting,
        "too_short": _loud,
        "suspicious": _suspicious,
        "underfitting": _underfitting,
        "still_learning": _learning,
        "healthy": _healthy,
    }[state](evidence, history, settings)


def percent(share: float) -> str:
    """A share as 3 % or 31 %; small ones with a decimal."""
    size = 100 * abs(share)
    return f"{size:.1f} %" if size < 9.95 else f"{size:.0f} %"


def moved(share: float, error: float, sigmas: float) -> str:
    """What a curve did, beside its noise."""
    if abs(share) <= sigmas * error:
        return f"stayed as it was (changed by {percent(share)}, not more than its noise of {percent(sigmas * error)})"
    verb = "fell" if share < 0 else "rose"
    return f"{verb} by {percent(share)} (more than its noise of {percent(sigmas * error)})"


def training(evidence: Evidence) -> str:
    """What the training curve was measured on."""
    return "clean training images" if evidence.curves.probed else "augmented training images"


def _window(evidence: Evidence, settings: Thresholds) -> str:
    count = window(len(evidence.curves.epoch), settings)
    return f"Over the last {count} validations (epochs {evidence.curves.epoch[-count]:.0f} to {_last(evidence)})"


def _last(evidence: Evidence) -> str:
    return f"{evidence.curves.epoch[-1]:.0f}"


def _diverging(evidence: Evidence, _: History, settings: Thresholds) -> str:
    found = evidence.rise
    return (
        f"Since epoch {found.epoch} the loss on {training(evidence)} rose by "
        f"{percent(max(found.share, found.sudden - 1))} (its noise is {percent(settings.sigmas * found.error)}): "
        "the training diverges."
    )


def _overfitting(evidence: Evidence, _: History, settings: Thresholds) -> str:
    apart, lately = evidence.parting, _lately(evidence, settings)
    start, clean, val, error = f"Since epoch {apart.epoch}", apart.clean, apart.val, apart.val_error
    if lately:
        start, clean, val = _window(evidence, settings), evidence.clean.change, evidence.val.change
        error = evidence.val.error
    elif evidence.curves.probed and apart.gap < settings.parting:
        return (
            f"Validation loss is {percent(evidence.gap)} of itself above that of clean training images and no longer "
            "falls: it knows its training images by heart."
        )
    return (
        f"{start} the loss on {training(evidence)} {'fell' if clean < 0 else 'rose'} by {percent(clean)} while "
        f"validation {moved(val, error, settings.sigmas)}: it learns its training images by heart."
    )


def _lately(evidence: Evidence, settings: Thresholds) -> bool:
    """Whether training and validation part over the last validations alone."""
    rises = evidence.val.change > max(settings.material, settings.sigmas * evidence.val.error)
    return evidence.parting.gap < settings.parting and (rises or evidence.parting_lately > settings.parting)


def _loud(evidence: Evidence, _: History, settings: Thresholds) -> str:
    reach = percent(settings.sigmas * evidence.val.error)
    return (
        f"{_window(evidence, settings)} validation loss changed by {percent(evidence.val.change)}, give or take "
        f"{reach}: the noise is too large to say where the training goes."
    )


def _suspicious(evidence: Evidence, _: History, settings: Thresholds) -> str:
    return (
        f"Validation loss is {percent(evidence.gap)} lower than that of clean training images (more than the noise of "
        f"{percent(settings.sigmas * evidence.gap_error)}): either validation images are in training or easier than "
        "it, or the augmentation is so strong that plain training images look foreign."
    )


def _underfitting(evidence: Evidence, history: History, settings: Thresholds) -> str:
    falls = -evidence.clean.change > max(settings.material, settings.sigmas * evidence.clean.error)
    pace = (
        f"falls too slowly (by {percent(evidence.clean.change)} over the last validations)"
        if falls
        else f"no longer falls (change over the last validations {percent(evidence.clean.change)})"
    )
    return f"The loss on {training(evidence)} {pace} and is high: {_high(evidence, history, settings)}."


def _high(evidence: Evidence, history: History, settings: Thresholds) -> str:
    level, chance = evidence.curves.clean_level, history.chance_loss
    said = []
    if level > settings.high_loss * chance:
        said.append(f"{level:.3g} is {level / chance:.2f} of what knowing only the class frequencies gives")
    if evidence.ap50 < settings.high_ap50:
        said.append(f"AP50 there is {evidence.ap50:.2f}, under {settings.high_ap50:g}")
    return " and ".join(said)


def _learning(evidence: Evidence, history: History, settings: Thresholds) -> str:
    if -evidence.val.change > max(settings.material, settings.sigmas * evidence.val.error):
        return (
            f"{_window(evidence, settings)} validation loss fell by {percent(evidence.val.change)} (more than its "
            f"noise of {percent(settings.sigmas * evidence.val.error)}): it still learns."
        )
    return (
        f"The loss on {training(evidence)} still falls ({percent(evidence.clean.change)} over the last validations) "
        f"and is high: {_high(evidence, history, settings)}."
    )


def _healthy(evidence: Evidence, _: History, settings: Thresholds) -> str:
    gap = (
        f", and validation is {percent(evidence.gap)} {'above' if evidence.gap >= 0 else 'below'} clean training"
        if evidence.curves.probed
        else ""
    )
    change = evidence.val.change
    sure = abs(change) > settings.sigmas * evidence.val.error
    settled = f"{'fell' if change < 0 else 'rose'} by only {percent(change)}" if sure else "stayed as it was"
    return (
        f"{_window(evidence, settings)} validation loss {settled}{gap}: it has learnt what it can with these settings."
    )


def reasons(state: State, evidence: Evidence, history: History, settings: Thresholds) -> list[str]:
    """Further observations that a person should know."""
    said = []
    if not evidence.curves.probed:
        said.append("There is no loss on clean training images, so the gap to validation cannot be judged.")
    elif state not in ("suspicious", "diverging"):
        word = "beyond" if abs(evidence.gap) > settings.sigmas * evidence.gap_error else "within"
        side = "above" if evidence.gap >= 0 else "below"
        said.append(f"Validation loss is {percent(evidence.gap)} {side} clean training loss, {word} noise.")
    if state == "overfitting" and (rise := _ap_rise(evidence, history)) is not None:
        said.append(rise)
    if state == "overfitting":
        said.append("What no setting replaces is more labelled images of the classes that are weak on validation.")
    if state == "underfitting" and not history.chance_loss > 0:
        said.append("The chance loss is not known; high is judged by AP50 alone.")
    if history.closing_epoch is not None and history.closing_epoch <= history.epoch[-1]:
        said.append(f"Nothing is mixed from epoch {history.closing_epoch} on; a jump there is not counted as a trend.")
    return said


def _ap_rise(evidence: Evidence, history: History) -> str | None:
    """Whether AP went on rising after the loss had turned, which is common: sure mistakes cost loss, not AP."""
    rows = np.flatnonzero(np.isfinite(history.val_ap))
    if not len(rows):
        return None
    best = rows[history.val_ap[rows].argmax()]
    turn = rows[np.abs(history.epoch[rows] - evidence.parting.epoch).argmin()]
    if history.epoch[best] <= evidence.parting.epoch or history.val_ap[best] - history.val_ap[turn] < 0.01:
        return None
    return (
        f"AP on validation rose from {history.val_ap[turn]:.3f} to {history.val_ap[best]:.3f} at epoch "
        f"{history.epoch[best]} all the same: the mistakes have become surer, not more."
    )
