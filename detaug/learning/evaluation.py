"""What a detector does under Lightning that does not learn: validate, test, predict."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule
from torch import Tensor

from detaug.batches.batch import Batch
from detaug.detectors.protocol import Detections, Forward
from detaug.detectors.torchvision import Fcos
from detaug.errors import InputError
from detaug.learning.names import relabelled
from detaug.learning.scoring import Scoring, evaluation_data, validated
from detaug.measures.gather import share_buffers
from detaug.measures.names import class_map

SUSPECTS = "suspects"  # training images in which labels are looked for that may be wrong
COMMAND = {"validate": "validate", "test": "test", "predict": "predict with"}


class EvaluatedModule(LightningModule):
    """A detector that can be scored, once it has learnt something.

    Attributes:
        detector: the network; None until the class names are known.
        class_names: in label order.
        class_rows: the class table as plain values.
        learned: whether the weights are worth an evaluation.
        loss_weights: of the loss parts that do not have 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.detector: Fcos | None = None
        self.class_names: list[str] = []
        self.class_rows: dict[str, dict[str, Any]] = {}
        self.learned = False
        self.loss_weights: dict[str, float] = {}

    def configure_callbacks(self) -> list[Callback]:
        """The callback that scores what is found."""
        return [Scoring()]

    def forward(self, batch: Batch) -> Detections:
        """What is found in B images."""
        assert self.detector is not None
        found: Detections = self.detector(batch, losses=False, detections=True).detections
        return found

    def weighted(self, parts: dict[str, Tensor]) -> Tensor:
        """The loss from its parts by name, (), or of each image from its images' parts, (B,)."""
        return torch.stack([value * self.loss_weights.get(name, 1.0) for name, value in parts.items()]).sum(0)

    def _evaluate(self, batch: Batch, losses: bool) -> dict[str, Forward]:
        assert self.detector is not None
        if len(batch) == 0:  # a process that has no share
            return {"forward": Forward({}, torch.zeros((), device=self.device), Detections.empty(0, self.device))}
        if losses:
            batch = relabelled(batch, self._to_model)
        return {"forward": self.detector(batch, losses=losses, detections=True)}

    def validation_step(self, batch: Batch, batch_idx: int = 0, dataloader_idx: int = 0) -> dict[str, Any]:  # noqa: ARG002
        """One pass gives the loss and the detections; of suspects, how badly each box is found."""
        if validated(self.trainer)[dataloader_idx] != SUSPECTS:
            return self._evaluate(batch, losses=True)
        assert self.detector is not None
        return {SUSPECTS: self.detector.box_losses(batch) if len(batch) else batch.boxes[:, 0]}

    def test_step(self, batch: Batch) -> dict[str, Forward]:
        """One pass gives the loss and the detections."""
        return self._evaluate(batch, losses=True)

    def predict_step(self, batch: Batch) -> dict[str, Tensor]:
        """Detections alone, as plain tensors: Lightning takes what predict returns apart."""
        found = self._evaluate(batch, losses=False)["forward"].detections
        assert found is not None
        return {"boxes": found.boxes, "scores": found.scores, "labels": found.labels, "starts": found.starts}

    def on_fit_start(self) -> None:
        """From here on there is something to evaluate."""
        self.learned = True

    def _before_evaluation(self, stage: str) -> None:
        if self.detector is None or not self.learned:
            raise InputError(f"There is nothing to {COMMAND[stage]}: give --ckpt_path.")
        names = evaluation_data(self.trainer).class_names
        self._to_model = torch.from_numpy(class_map(self.class_names, names).to_model)
        share_buffers(self)

    def on_validation_epoch_start(self) -> None:
        """Refuse a model without weights; give all processes the same batch statistics."""
        self._before_evaluation("validate")

    def on_test_epoch_start(self) -> None:
        """Refuse a model without weights."""
        self._before_evaluation("test")

    def on_predict_epoch_start(self) -> None:
        """Refuse a model without weights."""
        self._before_evaluation("predict")
