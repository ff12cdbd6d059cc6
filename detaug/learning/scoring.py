"""Turns what is found in evaluated images into numbers, in original pixels."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pytorch_lightning import Callback, LightningModule, Trainer

from detaug.detectors.protocol import Detections
from detaug.errors import InputError
from detaug.learning.tally import Loss, Share, Tally, in_original, loss_of
from detaug.measures.gather import everyone
from detaug.measures.names import ClassMap, class_map
from detaug.measures.precision import Metrics, score
from detaug.measures.truth import Found, GroundTruth
from detaug.readers.catalog import Catalog

CLEAN = "clean"  # the probe: training images, evaluated as validation is
PREFIX = {"validate": "val", "test": "test", CLEAN: "clean"}
NOTHING = Loss(float("nan"), float("nan"), {})


class EvaluationData(Protocol):
    """What a data module must have for its images to be scored."""

    @property
    def class_names(self) -> list[str]:
        """The data's class names, in label order."""

    @property
    def rare_names(self) -> list[str]:
        """Those that are rare in training."""

    def eval_catalog(self, stage: str) -> Catalog:
        """The catalog whose rows the batches of `validate`, `test` or `predict` name."""


def evaluation_data(trainer: Trainer) -> EvaluationData:
    """The trainer's data module.

    Raises:
        InputError: there is none, or it cannot be scored.
    """
    data = getattr(trainer, "datamodule", None)
    if data is None or not hasattr(data, "eval_catalog"):
        raise InputError("Scoring needs a datamodule with class_names, rare_names and eval_catalog, and there is none.")
    return cast("EvaluationData", data)


def validated(trainer: Trainer) -> tuple[str, ...]:
    """What the loaders of a validation show, one after the other; `validate` is the first."""
    return tuple(getattr(trainer.datamodule, "validated", ("validate",)))  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What came out of one set of images.

    Attributes:
        metrics: average precision; None for predict.
        loss: NaN for predict.
        found: what was found, sorted by row, labels into the data's class names.
        detections: the same as COCO results with the dataset's image ids.
        dropped: detections left out because the data has no such class.
    """

    metrics: Metrics | None
    loss: Loss
    found: Found
    detections: list[dict[str, Any]]
    dropped: int


class Scoring(Callback):
    """Loss and average precision of validation and test, detections of these and of predict.

    The parts of all processes are brought together once, at the end, so the numbers are the same for any number of
    processes and each process has them; shares may be uneven. Where the data has a probe, clean training images, it is
    scored in the same way, and logged as `clean/...`.

    Attributes:
        scored: what came out of the last evaluation, by stage: `validate`, `clean`, `test` or `predict`.
        classes: how the model's classes and the data's met.
    """

    def __init__(self) -> None:
        self.scored: dict[str, Scored] = {}
        self.classes: ClassMap = class_map([], [])
        self._tallies: dict[str, Tally] = {}
        self._last = ""

    @classmethod
    def of(cls, trainer: Trainer) -> "Scoring":
        """The trainer's scoring."""
        return next(c for c in trainer.callbacks if isinstance(c, cls))  # type: ignore[attr-defined]

    @property
    def metrics(self) -> Metrics | None:
        """Of the last evaluation, the probe left aside; None before it, and after predict."""
        return self.scored[self._last].metrics if self.scored else None

    @property
    def loss(self) -> float:
        """The last evaluation's; NaN before it, and after predict."""
        return self.scored[self._last].loss.value if self.scored else NOTHING.value

    @property
    def found(self) -> Found:
        """What the last evaluation found."""
        return self.scored[self._last].found if self.scored else Found.joined([])

    @property
    def detections(self) -> list[dict[str, Any]]:
        """The same as COCO results."""
        return self.scored[self._last].detections if self.scored else []

    @property
    def dropped(self) -> int:
        """Detections left out because the data has no such class."""
        return self.scored[self._last].dropped if self.scored else 0

    def _finish(self, trainer: Trainer, pl_module: LightningModule, stages: Sequence[str]) -> None:
        shares = everyone({stage: self._tallies.get(stage, Tally()).share() for stage in stages})
        self._tallies = {}
        if trainer.sanity_checking:
            return
        data = evaluation_data(trainer)
        known = cast("list[str]", pl_module.class_names)
        self.classes = class_map(known, data.class_names or known)  # a folder of images alone has no classes
        self.scored, self._last = {}, stages[0]
        for stage in stages:
            self.scored[stage] = self._score(data, stage, [s[stage] for s in shares], pl_module)
            if stage in PREFIX:
                self._log(pl_module, PREFIX[stage], self.scored[stage])

    def _score(self, data: EvaluationData, stage: str, shares: list[Share], pl_module: LightningModule) -> Scored:
        catalog = data.eval_catalog(stage)
        found, dropped = Found.joined([s.found for s in shares]).renamed(self.classes.to_data)
        detections = found.coco(catalog.ids)
        if stage == "predict":
            return Scored(None, NOTHING, found, detections, dropped)
        metrics = score(GroundTruth.of(catalog), found, data.class_names, data.rare_names)
        loss = loss_of(shares, pl_module.weighted)  # type: ignore[arg-type]
        return Scored(metrics, loss, found, detections, dropped)

    def _log(self, pl_module: LightningModule, prefix: str, scored: Scored) -> None:
        metrics, loss = scored.metrics, scored.loss
        assert metrics is not None
        named = {"loss": loss.value, "AP": metrics.ap, "AP50": metrics.ap50}
        named |= {"AP_rare": metrics.rare, "AP_common": metrics.common}
        named |= {f"loss/{name}": value for name, value in sorted(loss.parts.items())}
        named |= {f"AP/{name}": c.ap for name, c in metrics.classes.items() if c.boxes}
        for name, value in named.items():
            shown = name in ("loss", "AP50") and prefix != PREFIX[CLEAN]
            pl_module.log(f"{prefix}/{name}", value, prog_bar=shown, batch_size=1)

    def setup(self, *_: Any, **__: Any) -> None:
        """Silence Lightning's advice to average over processes what is the same in all of them."""
        warnings.filterwarnings("ignore", message=r".*'(val|test|clean)/.*sync_dist=True.*")

    def on_validation_epoch_start(self, *_: Any, **__: Any) -> None:
        """Begin anew."""
        self._tallies = {}

    on_test_epoch_start = on_predict_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(self, *hook: Any, **_: Any) -> None:
        """Keep what was found in a batch."""
        trainer, pl_module, outputs, batch = hook[:4]
        if outputs is not None and "forward" in outputs:
            stage = validated(trainer)[hook[5] if len(hook) > 5 else 0]
            self._tallies.setdefault(stage, Tally()).add(outputs["forward"], batch, pl_module.weighted)

    def on_test_batch_end(self, *hook: Any, **_: Any) -> None:
        """Keep what was found in a batch."""
        self._tallies.setdefault("test", Tally()).add(hook[2]["forward"], hook[3], hook[1].weighted)

    def on_predict_batch_end(self, *hook: Any, **_: Any) -> None:
        """Keep what was found in a batch."""
        self._tallies.setdefault("predict", Tally()).found.append(in_original(Detections(**hook[2]), batch=hook[3]))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the processes' parts together; log `val/...` and `clean/...`."""
        self._finish(trainer, pl_module, [s for s in validated(trainer) if s in PREFIX])

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the processes' parts together; log `test/...`."""
        self._finish(trainer, pl_module, ["test"])

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the processes' parts together."""
        self._finish(trainer, pl_module, ["predict"])
