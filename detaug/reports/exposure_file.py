"""Writes how often each epoch of a training has really shown each class."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer

from detaug.batches.datamodule import SignData
from detaug.measures.gather import everyone
from detaug.scenes.exposure import BUCKETS, Came
from detaug.writing import write_whole


class ExposureFile(Callback):
    """Writes `exposure.json` into the run's folder after each epoch, over all processes.

    A line for each class: its training boxes, then how many instances each epoch showed, in all, by where they came
    from and by the shorter side of their box in canvas pixels.
    """

    def __init__(self) -> None:
        self._epochs: list[int] = []
        self._images: list[int] = []
        self._counts: list[NDArray[np.int64]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Begin to count."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, SignData):
            data.shown.take()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Bring the counts together and write them. A collective call: on all ranks."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, SignData):
            return
        taken = everyone(data.shown.take())
        folder = trainer.log_dir
        counts = [c for _, c in taken if c is not None]
        if not counts or folder is None or not trainer.is_global_zero:
            return
        self._epochs.append(trainer.current_epoch)
        self._images.append(sum(images for images, _ in taken))
        self._counts.append(np.sum(counts, axis=0))
        write_whole(Path(folder) / "exposure.json", self._text(data).encode())

    def _text(self, data: SignData) -> str:
        shown = np.stack(self._counts)
        lines = [
            f"{json.dumps(name)}: {json.dumps(_row(shown[:, c], data.training_boxes[name]))}"
            for c, name in enumerate(data.class_names)
        ]
        head = f'"epochs": {self._epochs},\n"images": {self._images}'
        return f'{{{head},\n"classes": {{\n' + ",\n".join(lines) + "\n}}\n"


def _row(shown: NDArray[np.int64], boxes: int) -> dict[str, Any]:
    """One class's (E, 4, 6) counts as lists over the epochs."""
    return {
        "boxes": boxes,
        "shown": shown.sum((1, 2)).tolist(),
        **{kind.name.lower(): shown[:, kind].sum(1).tolist() for kind in Came},
        "sides": {bucket: shown[:, :, i].sum(1).tolist() for i, bucket in enumerate(BUCKETS)},
    }
