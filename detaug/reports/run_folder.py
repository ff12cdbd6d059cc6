"""Writes what a run found into its folder, and prints the table."""

import json
import math
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table

from detaug.batches.datamodule import SignData
from detaug.learning.scoring import CLEAN, Scored, Scoring
from detaug.measures.gather import everyone
from detaug.measures.precision import Metrics
from detaug.readers.catalog import Split
from detaug.reports.environment import write_environment
from detaug.writing import write_whole

ENOUGH = 20  # training boxes from which a class's figure says something


class RunFolder(Callback):
    """Writes `metrics.json` and `detections.json` after validate and test, and `detections.json` after predict.

    After a training also `detections_clean.json`, what the best weights find in the clean training images.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Bring together which images the processes could not decode."""
        _join_broken(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write, unless this is a validation in the middle of a training."""
        if trainer.state.fn == "validate":
            self._write(trainer, "validate")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write."""
        self._write(trainer, "test")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write."""
        self._write(trainer, "predict")

    def _write(self, trainer: Trainer, stage: str) -> None:
        _join_broken(trainer)
        folder = trainer.log_dir  # a collective call: on all ranks
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.is_global_zero or folder is None or not isinstance(data, SignData):
            return
        scoring = Scoring.of(trainer)
        write_environment(Path(folder))
        write_whole(Path(folder) / "detections.json", json.dumps(scoring.detections).encode())
        clean = scoring.scored.get(CLEAN)
        if clean is not None:
            write_whole(Path(folder) / "detections_clean.json", json.dumps(clean.detections).encode())
        if scoring.metrics is not None:
            numbers = as_json(scoring, data, stage)
            if clean is not None:
                numbers["clean"] = clean_json(clean)
            numbers["checkpoint"] = str(trainer.ckpt_path) if trainer.ckpt_path else None
            write_whole(Path(folder) / "metrics.json", json.dumps(numbers, indent=2, allow_nan=False).encode())
            Console().print(table(scoring.metrics, numbers))


def as_json(scoring: Scoring, data: SignData, stage: str) -> dict[str, Any]:
    """The numbers of `metrics.json`: 0 to 1, all in original pixels; null where there is nothing to score."""
    metrics = scoring.metrics
    assert metrics is not None
    trained = data.training_boxes
    catalog = data.eval_catalog(stage)
    splits = {Split(int(s)).name.lower() for s in catalog.splits}
    enough = [c.ap50 for n, c in metrics.classes.items() if trained.get(n, 0) >= ENOUGH and not math.isnan(c.ap50)]
    return {
        "root": str(data.root),
        "split": "all" if len(splits) != 1 or splits == {"none"} else splits.pop(),
        "images": metrics.images,
        "loss": _plain(scoring.loss),
        "AP": _plain(metrics.ap),
        "AP50": _plain(metrics.ap50),
        "AP75": _plain(metrics.ap75),
        "AR100": _plain(metrics.ar100),
        "by_size": {"small": _plain(metrics.small), "medium": _plain(metrics.medium), "large": _plain(metrics.large)},
        "rare": _plain(metrics.rare),
        "common": _plain(metrics.common),
        "rare_classes": data.rare_names,
        "AP50_of_classes_with_20_training_boxes": _plain(sum(enough) / len(enough)) if enough else None,
        "per_class": {
            name: {"AP": _plain(c.ap), "AP50": _plain(c.ap50), "boxes": c.boxes, "training_boxes": trained.get(name)}
            for name, c in metrics.classes.items()
        },
        "images_not_read": sum(f.images_lost for f in data.catalog.findings),
        "images_not_decoded": sorted(data.broken.names),
        "detections_of_unknown_classes": scoring.dropped,
    }


def clean_json(scored: Scored) -> dict[str, Any]:
    """The numbers of clean training images, evaluated as validation is; their gap to it is what was only memorised."""
    metrics = scored.metrics
    assert metrics is not None
    return {
        "images": metrics.images,
        "loss": _plain(scored.loss.value),
        "AP": _plain(metrics.ap),
        "AP50": _plain(metrics.ap50),
        "per_class": {
            name: {"AP": _plain(c.ap), "AP50": _plain(c.ap50), "boxes": c.boxes} for name, c in metrics.classes.items()
        },
    }


def _join_broken(trainer: Trainer) -> None:
    """A collective call: on all ranks."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if isinstance(data, SignData):
        data.broken.join(set().union(*everyone(data.broken.names)), len(data.catalog))


def table(metrics: Metrics, numbers: dict[str, Any]) -> Table:
    """The numbers as people read them."""
    made = Table(title=f"{numbers['split']}: {metrics.images} images, original pixels")
    for column in ("class", "training boxes", "boxes", "AP", "AP50"):
        made.add_column(column, justify="left" if column == "class" else "right")
    for name, c in metrics.classes.items():
        trained = numbers["per_class"][name]["training_boxes"]
        note = " (rare)" if name in numbers["rare_classes"] else ""
        made.add_row(name + note, "" if trained is None else str(trained), str(c.boxes), _shown(c.ap), _shown(c.ap50))
    made.add_section()
    made.add_row("all", "", "", _shown(metrics.ap), _shown(metrics.ap50))
    made.add_row("rare / common", "", "", f"{_shown(metrics.rare)} / {_shown(metrics.common)}", "")
    enough = numbers["AP50_of_classes_with_20_training_boxes"]
    if enough is not None:
        made.add_row(f"classes with {ENOUGH}+ training boxes", "", "", "", _shown(enough))
    return made


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
