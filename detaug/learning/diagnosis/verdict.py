"""What a diagnosis says, and the bounds it goes by."""

from dataclasses import dataclass
from typing import Any, Literal

from detaug.errors import InputError

State = Literal["underfitting", "still_learning", "healthy", "overfitting", "diverging", "suspicious", "too_short"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """What counts as much. Shares are of the loss that is spoken of, unless said otherwise.

    Attributes:
        high_loss: clean training loss above this share of the chance loss is high.
        high_ap50: clean training AP50 under this is as bad as a high loss.
        enough: validations from which trends are judged.
        window: share of the validations, the last ones, that the trends are taken from; never under `enough`.
        warmup: share of the epochs run, the first ones, that are left out where enough validations remain.
        material: a smaller change within the window is no change.
        loudest: a trend that is not beyond noise, and whose noise is above this, says nothing.
        parting: overfitting needs training and validation to part by this much since validation stopped falling.
        wide: validation this much above clean training, and no longer falling, is overfitting whenever they parted; a
            share of validation loss.
        rise: training loss this much above its lowest, beyond noise, is diverging.
        blown: validation loss over so many times the chance loss, at two validations in a row, is diverging.
        drop: a larger drop of the loss where mixing ends does not come from that.
        better: validation this much better than clean training, beyond noise, is suspicious.
        sigmas: standard errors that count as beyond noise.
        copies: histories with the noise drawn once more, for the confidence.
        memorised_ap: a class's AP on clean training images from which it can be memorised.
        memorised_gap: and the least difference to validation, beyond its uncertainty.
    """

    high_loss: float = 0.7
    high_ap50: float = 0.5
    enough: int = 5
    window: float = 1 / 3
    warmup: float = 0.05
    material: float = 0.03
    loudest: float = 0.15
    parting: float = 0.08
    wide: float = 0.4
    rise: float = 0.2
    blown: float = 3.0
    drop: float = 0.2
    better: float = 0.08
    sigmas: float = 2.0
    copies: int = 30
    memorised_ap: float = 0.6
    memorised_gap: float = 0.1

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value > 0:
                raise InputError(f"diagnosis: {name} is above 0, not {value}.")
        if self.enough < 4:
            raise InputError(f"diagnosis: a trend needs at least 4 validations, enough is {self.enough}.")


DEFAULTS = Thresholds()


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting to turn next.

    Attributes:
        setting: as it is written on the command line, such as `--model.dropout 0.2`, or in the configuration file.
        why: half a sentence.
    """

    setting: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the curves say.

    Attributes:
        state: in one word.
        sentence: in one sentence, with numbers.
        reasons: further observations, each a sentence.
        knobs: what to turn, the most promising first, at most five.
        confidence: share of the histories with the same noise drawn once more that get the same state, 0 to 1.
        best_epoch: where validation loss was lowest; None where there is none.
        since_epoch: from when validation no longer fell, or the loss rose; None where that is not said.
        memorised: names of classes that are known by heart, rare ones first.
    """

    state: State
    sentence: str
    reasons: tuple[str, ...] = ()
    knobs: tuple[Knob, ...] = ()
    confidence: float = 1.0
    best_epoch: int | None = None
    since_epoch: int | None = None
    memorised: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `diagnosis.json` holds them."""
        return {
            "state": self.state,
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "knobs": [{"setting": knob.setting, "why": knob.why} for knob in self.knobs],
            "confidence": round(self.confidence, 3),
            "best_epoch": self.best_epoch,
            "since_epoch": self.since_epoch,
            "memorised": list(self.memorised),
        }
