"""Writes which training labels may be wrong."""

import json
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from detaug.batches.datamodule import SignData
from detaug.learning.evaluation import SUSPECTS
from detaug.learning.scoring import validated
from detaug.learning.suspects import BoxLosses, suspects
from detaug.measures.gather import everyone
from detaug.writing import write_whole


class SuspectsFile(Callback):
    """Writes `suspects.json` when the best weights are scored after a training."""

    def __init__(self) -> None:
        self._parts: list[BoxLosses] = []

    def on_validation_batch_end(self, *hook: Any, **_: Any) -> None:
        """Keep how badly the boxes of a batch are found."""
        outputs, batch = hook[2], hook[3]
        if outputs is not None and SUSPECTS in outputs:
            self._parts.append(BoxLosses.of(batch, outputs[SUSPECTS]))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Bring the processes' boxes together and write the worst. A collective call: on all ranks."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, SignData) or SUSPECTS not in validated(trainer):
            return
        parts = [part for share in everyone(self._parts) for part in share]
        self._parts = []
        folder = trainer.log_dir
        if trainer.is_global_zero and folder is not None:
            catalog = data.eval_catalog(SUSPECTS)
            found = {"images": len(catalog), "suspects": suspects(parts, catalog)}
            write_whole(Path(folder) / "suspects.json", json.dumps(found, indent=1).encode())
