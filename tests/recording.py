"""A callback that writes down what each process saw and ended with."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from detaug.batches.batch import Batch
from detaug.learning.scoring import Scoring


class Recorder(Callback):
    """Writes `FOLDER/RANK.json`: digests of the samples of each training step, validated rows, weights after each epoch
    and at the end, numbers.

    Args:
        folder: where to.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.steps: list[list[str]] = []
        self.rows: list[list[int]] = []
        self.weights: list[str] = []

    def on_train_batch_start(self, _: Trainer, __: LightningModule, batch: Batch, *___: Any) -> None:
        pictures = [
            picture.numpy().tobytes() + batch.boxes[batch.starts[i] : batch.starts[i + 1]].numpy().tobytes()
            for i, picture in enumerate(batch.images)
        ]
        self.steps.append([hashlib.blake2b(p, digest_size=8).hexdigest() for p in pictures])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        values = b"".join(p.detach().numpy().tobytes() for p in pl_module.parameters())
        self.weights.append(hashlib.blake2b(values).hexdigest())

    on_fit_end = on_train_epoch_end

    def on_validation_epoch_start(self, *_: Any) -> None:
        self.rows.append([])

    def on_validation_batch_start(
        self, _: Trainer, __: LightningModule, batch: Batch, ___: int, dataloader_idx: int = 0
    ) -> None:
        if dataloader_idx == 0:
            self.rows[-1] += batch.rows.tolist()

    def on_validation_end(self, trainer: Trainer, _: LightningModule) -> None:
        metrics = Scoring.of(trainer).metrics
        record = {
            "steps": self.steps,
            "rows": self.rows,
            "weights": self.weights,
            "metrics": None if metrics is None else metrics.plain(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{trainer.global_rank}.json").write_text(json.dumps(record))
