"""What to turn next, as settings of the command line, going from those of the run."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detaug.learning.diagnosis.current import Current
from detaug.learning.diagnosis.evidence import Evidence
from detaug.learning.diagnosis.history import History
from detaug.learning.diagnosis.verdict import Knob, State

_MOST = 5
_STRENGTHS = {"mosaic": 0.5, "affine": 0.8, "colour": 0.8, "paste": 0.5}  # what the shipped recipes use
_STOPPING = "detaug.learning.stopping.ClosingEarlyStopping"
_EMA = "detaug.learning.ema.Ema"
_FASTEST = 2e-3  # the shipped configurations' learning rate from random weights


def knobs(
    state: State, evidence: Evidence | None, current: Mapping[str, Any] | None, history: History
) -> tuple[Knob, ...]:
    """At most five knobs for a state, the most promising first; none repeats what is already set.

    Args:
        state: the verdict's. A list of callbacks can be added to on the command line but not changed there, so what is
            to change in one is given as the line of the configuration file.
        evidence: what it was made from; None where there was too little for any.
        current: the run's settings, nested as in `config.yaml`; None is the program's usual ones.
        history: the training's.
    """
    turn: dict[State, Callable[[Current, Evidence | None, History], list[Knob]]] = {
        "overfitting": _against_memory,
        "underfitting": _for_fit,
        "still_learning": _longer,
        "healthy": _further,
        "diverging": _calmer,
        "suspicious": _cleaner,
        "too_short": _clearer,
    }
    return tuple(turn[state](Current(current), evidence, history)[:_MOST])


def _against_memory(now: Current, _: Evidence | None, __: History) -> list[Knob]:
    found = augmentation(now)
    found += _pretrained(now, "trained weights need fewer images than random ones")
    dropout = now.number("model.dropout")
    if now.callback("EarlyStopping") is None:
        found += [Knob(f"--trainer.callbacks+ {_STOPPING}", "ends the training when validation no longer gains")]
    if dropout < 0.5:
        found += now.raised("model.dropout", min(0.5, max(0.2, 2 * dropout)), "the head cannot lean on single features")
    decay = now.number("model.weight_decay")
    found += now.raised("model.weight_decay", min(0.3, max(0.1, 2 * decay)), "smaller weights, smoother answers")
    if (smaller := now.backbone(-1)) is not None:
        found += [Knob(f"--model.backbone {smaller}", "less room to learn images by heart")]
    if now.get("model.pretrained") and now.get("model.freeze") == "none":
        found += [Knob("--model.freeze backbone", "keeps the trained features and learns the head alone")]
    return found + now.raised("model.l1", 1e-6, "pulls weights that are not needed to zero")


def augmentation(now: Current) -> list[Knob]:
    """Stronger augmentation: what is off or weak, in one knob; what is on everywhere, a little more often."""
    weak = {name: p for name, p in _STRENGTHS.items() if now.chance_of(name) < 0.99 * p}
    if weak:
        flags = " ".join(f"--data.recipe.{name}.p {p:g}" for name, p in weak.items())
        return [Knob(flags, "no image is shown twice alike")]
    return now.raised("data.recipe.mosaic.p", 0.8, "more images in new company and size")


def _pretrained(now: Current, why: str) -> list[Knob]:
    return [] if now.get("model.pretrained") else [Knob("--model.pretrained true", why)]


def _for_fit(now: Current, evidence: Evidence | None, _: History) -> list[Knob]:
    rate = now.number("model.learning_rate")
    found: list[Knob] = []
    if evidence is not None and evidence.slow and rate < _FASTEST:
        found += now.raised("model.learning_rate", min(_FASTEST, 10 * rate), "it hardly moves at the present one")
    if (larger := now.backbone(1)) is not None:
        found += [Knob(f"--model.backbone {larger}", "more capacity")]
    found += _pretrained(now, "features need not be learnt from nothing")
    found += now.lowered("model.dropout", 0.0, "less regularisation: training itself does not fit")
    found += now.lowered("model.l1", 0.0, "the penalty keeps weights from growing")
    found += now.lowered("model.weight_decay", 0.01, "the same for weights")
    found += _epochs(now, 2.0, "time to fit")
    found += now.lowered("data.recipe.mosaic.p", 0.3, "easier training images")
    return found + now.raised("model.channels", 2 * now.number("model.channels"), "a wider head")


def _epochs(now: Current, factor: float, why: str) -> list[Knob]:
    planned = now.number("trainer.max_epochs")
    return [Knob(f"--trainer.max_epochs {round(factor * planned)}", why)] if planned > 0 else []


def _longer(now: Current, evidence: Evidence | None, history: History) -> list[Knob]:
    planned, run = now.number("trainer.max_epochs"), float(history.epoch[-1]) + 1
    found: list[Knob] = []
    stopping = now.callback("EarlyStopping")
    known = np.flatnonzero(np.isfinite(history.val_ap))
    if stopping is not None and len(known) and run < planned:
        patience = int(stopping.get("patience", 10))
        if len(known) - 1 - int(history.val_ap[known].argmax()) >= patience:
            found.append(Knob(f"patience: {2 * patience}", "of early stopping: it ran out while the loss still fell"))
    if run >= 0.9 * planned:
        found += _epochs(now, 1.6, "the loss had not settled when the training ended")
    rate = now.number("model.learning_rate")
    if evidence is not None and evidence.high and rate < _FASTEST / 2:
        found += now.raised("model.learning_rate", min(_FASTEST, 3 * rate), "larger steps at the same length")
    if found:
        found += _pretrained(now, "gets there sooner")
    return found


def _further(now: Current, evidence: Evidence | None, _: History) -> list[Knob]:
    """Nothing is wrong: where more may be had depends on the gap."""
    gap = 0.0 if evidence is None else evidence.gap
    better = _pretrained(now, "better features from more images than these")
    if gap > 0.15:
        return augmentation(now) + better
    larger = now.backbone(1)
    return ([] if larger is None else [Knob(f"--model.backbone {larger}", "the small gap leaves room")]) + better


def _calmer(now: Current, _: Evidence | None, __: History) -> list[Knob]:
    found = now.lowered("model.learning_rate", now.number("model.learning_rate") / 5, "the steps are too large")
    clip = now.number("trainer.gradient_clip_val")
    if clip == 0 or clip > 10:
        found.append(Knob("--trainer.gradient_clip_val 10", "one bad batch cannot throw the weights off"))
    found += now.raised("model.warmup_share", 0.1, "a slower start")
    if str(now.get("trainer.precision")) in ("16", "16-mixed", "16-true"):
        found.append(Knob("--trainer.precision 32-true", "half precision may overflow"))
    return found


def _cleaner(now: Current, _: Evidence | None, __: History) -> list[Knob]:
    found: list[Knob] = []
    if now.get("data.splits") is None:
        found.append(Knob("--data.splits splits.csv", "copies kept on one side; `detaug split` writes that file"))
    found += now.raised("data.closing_share", 0.3, "more epochs on plain images, if the augmentation is too strong")
    found += now.lowered("data.recipe.affine.p", 0.4, "training images that look more like plain ones")
    return found + now.lowered("data.recipe.mosaic.p", 0.3, "the same")


def _clearer(now: Current, evidence: Evidence | None, _: History) -> list[Knob]:
    found = now.lowered("trainer.check_val_every_n_epoch", 1, "more points on the curve")
    if evidence is not None and now.callback("Ema") is None:
        found.append(Knob(f"--trainer.callbacks+ {_EMA}", "averaged weights are validated more evenly"))
    if evidence is not None:
        found += now.lowered("model.learning_rate", now.number("model.learning_rate") / 2, "calmer curves")
    return found
