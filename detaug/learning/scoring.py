"""Collects what is found in evaluated images and turns it into numbers, in original pixels."""

import warnings
from typing import Any, Protocol, cast

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from detaug.batches.batch import Batch
from detaug.detectors.protocol import Detections, Forward
from detaug.errors import InputError
from detaug.measures.gather import everyone
from detaug.measures.names import ClassMap, class_map
from detaug.measures.precision import Metrics, score
from detaug.measures.truth import Found, GroundTruth
from detaug.readers.catalog import Catalog

PREFIX = {"validate": "val", "test": "test", "predict": "predict"}


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


class Scoring(Callback):
    """Loss and average precision of validation and test, detections of these and of predict.

    The parts of all processes are brought together once, at the end, so the numbers are the same for any number of
    processes and each process has them; shares may be uneven.

    Attributes:
        metrics: of the last evaluation; None before it, and after predict.
        loss: the last evaluation's loss; NaN after predict.
        found: what was found, sorted by row, labels into the data's class names.
        detections: the same as COCO results with the dataset's image ids.
        classes: how the model's classes and the data's met.
        dropped: detections left out because the data has no such class.
    """

    def __init__(self) -> None:
        self.metrics: Metrics | None = None
        self.loss = float("nan")
        self.found: Found = Found.joined([])
        self.detections: list[dict[str, Any]] = []
        self.classes: ClassMap = class_map([], [])
        self.dropped = 0
        self._parts: list[Found] = []
        self._sums: dict[str, float] = {}

    @classmethod
    def of(cls, trainer: Trainer) -> "Scoring":
        """The trainer's scoring."""
        return next(c for c in trainer.callbacks if isinstance(c, cls))  # type: ignore[attr-defined]

    def _start(self) -> None:
        self._parts, self._sums = [], {}

    def _collect(self, outputs: Any, batch: Batch) -> None:
        forward: Forward = outputs["forward"]
        if forward.detections is not None:
            self._parts.append(in_original(forward.detections, batch))
        for name, value in {**forward.losses, "normaliser": forward.normaliser}.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)

    def _finish(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        shares = everyone((Found.joined(self._parts), self._sums))
        self._start()
        if trainer.sanity_checking:
            return
        data = evaluation_data(trainer)
        catalog = data.eval_catalog(stage)
        known = cast("list[str]", pl_module.class_names)
        self.classes = class_map(known, data.class_names or known)  # a folder of images alone has no classes
        self.found, self.dropped = Found.joined([f for f, _ in shares]).renamed(self.classes.to_data)
        self.detections = self.found.coco(catalog.ids)
        if stage == "predict":
            self.metrics, self.loss = None, float("nan")
            return
        names = sorted({name for _, sums in shares for name in sums})  # a fixed order: sums round alike everywhere
        sums = {name: sum(s.get(name, 0.0) for _, s in shares) for name in names}
        count = max(1.0, sums.pop("normaliser", 0.0))
        self.loss = float(pl_module.weighted({n: torch.tensor(v / count) for n, v in sums.items()}))  # type: ignore[operator]
        self.metrics = score(GroundTruth.of(catalog), self.found, data.class_names, data.rare_names)
        self._log(pl_module, PREFIX[stage], {name: value / count for name, value in sums.items()})

    def _log(self, pl_module: LightningModule, prefix: str, parts: dict[str, float]) -> None:
        assert self.metrics is not None
        named = {"loss": self.loss, "AP": self.metrics.ap, "AP50": self.metrics.ap50}
        named |= {"AP_rare": self.metrics.rare, "AP_common": self.metrics.common}
        named |= {f"loss/{name}": value for name, value in sorted(parts.items())}
        named |= {f"AP/{name}": c.ap for name, c in self.metrics.classes.items() if c.boxes}
        for name, value in named.items():
            pl_module.log(f"{prefix}/{name}", value, prog_bar=name in ("loss", "AP50"), batch_size=1)

    def setup(self, *_: Any, **__: Any) -> None:
        """Silence Lightning's advice to average over processes what is the same in all of them."""
        warnings.filterwarnings("ignore", message=r".*'(val|test)/.*sync_dist=True.*")

    def on_validation_epoch_start(self, *_: Any, **__: Any) -> None:
        """Begin anew."""
        self._start()

    def on_validation_batch_end(self, *hook: Any, **_: Any) -> None:
        """Keep what was found in a batch."""
        self._collect(outputs=hook[2], batch=hook[3])

    def on_predict_batch_end(self, *hook: Any, **_: Any) -> None:
        """Keep what was found in a batch."""
        self._parts.append(in_original(Detections(**hook[2]), batch=hook[3]))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the processes' parts together; log `val/...` or `test/...`, and nothing after predict."""
        self._finish(trainer, pl_module, "test" if trainer.testing else "predict" if trainer.predicting else "validate")

    on_test_epoch_start = on_predict_epoch_start = on_validation_epoch_start
    on_test_batch_end = on_validation_batch_end
    on_test_epoch_end = on_predict_epoch_end = on_validation_epoch_end


def in_original(detections: Detections, batch: Batch) -> Found:
    """Detections from canvas pixels to original pixels: (canvas - shift) / scale, cut at the image's border."""
    counts = detections.starts.diff().to(detections.boxes.device)
    fits = batch.fits.to(detections.boxes).repeat_interleave(counts, 0)
    limits = batch.sizes.flip(1).to(detections.boxes).repeat_interleave(counts, 0).repeat(1, 2)
    boxes = (detections.boxes - fits[:, 2:].repeat(1, 2)) / fits[:, :2].repeat(1, 2)
    boxes = torch.minimum(boxes.clamp(min=0), limits)
    return Found(
        rows=batch.rows.cpu().numpy().astype(np.int64),
        boxes=boxes.float().cpu().numpy(),
        scores=detections.scores.float().cpu().numpy(),
        labels=detections.labels.cpu().numpy(),
        starts=detections.starts.cpu().numpy(),
    )
