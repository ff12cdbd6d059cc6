"""The detector as Lightning trains it: steps, optimiser, and the class names that travel with the weights."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from detaug.batches.batch import Batch
from detaug.classes import ClassTable
from detaug.detectors.protocol import Detections, Detector, Forward
from detaug.detectors.torchvision import build_fcos
from detaug.errors import InputError
from detaug.learning.names import relabelled, table_rows
from detaug.learning.optimiser import decay_groups, split_by_decay, warmup_cosine
from detaug.learning.scoring import Scoring, evaluation_data
from detaug.measures.gather import processes, share_buffers, total
from detaug.measures.names import class_map

COMMAND = {"validate": "validate", "test": "test", "predict": "predict with"}


class SignDetector(LightningModule):
    """FCOS on a backbone by name.

    The head is built when the class names are known: in `fit` from the data module's `class_names`, otherwise from
    the checkpoint, which carries them. Data with other classes is scored by name.

    Args:
        backbone: `resnet50`, or a timm name such as `mobilenetv3_small_100`, `resnet18`, `vit_tiny_patch16_224`.
        channels: width of the feature pyramid and the head, a multiple of 32.
        head_convs: convolutions in each branch of the head.
        dropout: rate in the head; 0 for none.
        dropout_kind: `channel` drops whole feature maps, `element` single values.
        pretrained: begin with trained weights, which are fetched.
        learning_rate: AdamW's, at its highest.
        weight_decay: of weights; norms and biases have none.
        l1: this times the sum of the decayed weights' absolute values is added to the loss.
        warmup_share: share of all steps in which the learning rate rises.
        final_share: share of the learning rate that is left at the end.
        box_weight: of the GIoU loss; the classification loss has 1.
        centerness_weight: of the centerness loss.
        classes: class names, where neither data nor checkpoint shall give them.
    """

    def __init__(
        self,
        backbone: str = "mobilenetv3_small_100",
        channels: int = 64,
        head_convs: int = 2,
        dropout: float = 0.1,
        dropout_kind: str = "channel",
        pretrained: bool = False,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        l1: float = 0.0,
        warmup_share: float = 0.05,
        final_share: float = 0.01,
        box_weight: float = 1.0,
        centerness_weight: float = 1.0,
        classes: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network: dict[str, Any] = {
            "backbone": backbone,
            "channels": channels,
            "head_convs": head_convs,
            "dropout": dropout,
            "dropout_kind": dropout_kind,
            "pretrained": pretrained,
        }
        self.learning_rate, self.warmup_share, self.final_share = learning_rate, warmup_share, final_share
        self.weight_decay, self.l1 = weight_decay, l1
        self.loss_weights = {"box": box_weight, "centerness": centerness_weight}
        self.detector: Detector | None = None
        self.class_names: list[str] = []
        self.class_rows: dict[str, dict[str, Any]] = {}
        self.learned = False
        if classes:
            self._build(classes)

    def _build(self, names: list[str], download: bool = True) -> None:
        self.detector = build_fcos(classes=len(names), download=download, **self.network)
        self.class_names = list(names)

    def setup(self, stage: str) -> None:
        """Build the head for the data's classes before `fit`; may be called twice."""
        if stage != "fit":
            return
        data = getattr(self.trainer, "datamodule", None)
        names = list(getattr(data, "class_names", self.class_names))
        if self.detector is None:
            if not names:
                raise InputError("The classes are not known: give a datamodule with class_names, or classes.")
            self._build(names)
        elif names != self.class_names:
            raise InputError(f"The model was built for the classes {self.class_names}, but the data has {names}.")
        table = getattr(getattr(data, "catalog", None), "classes", None)
        if isinstance(table, ClassTable):
            self.class_rows = table_rows(table)

    def configure_callbacks(self) -> list[Callback]:
        """The callback that scores what is found."""
        return [Scoring()]

    def forward(self, batch: Batch) -> Detections:
        """What is found in B images."""
        assert self.detector is not None
        found: Detections = self.detector(batch, losses=False, detections=True).detections
        return found

    def weighted(self, parts: dict[str, Tensor]) -> Tensor:
        """The loss from its parts by name."""
        return torch.stack([value * self.loss_weights.get(name, 1.0) for name, value in parts.items()]).sum()

    def training_step(self, batch: Batch) -> Tensor:
        """The batch's loss over the mean normaliser of all processes, so that N learn what one would learn."""
        assert self.detector is not None
        out: Forward = self.detector(batch, losses=True, detections=False)
        share = processes() / total(out.normaliser).clamp(min=1)
        parts = {name: value * share for name, value in out.losses.items()}
        loss = self.weighted(parts)
        logged = {"train/loss": loss, **{f"train/loss/{name}": value for name, value in parts.items()}}
        if self.l1:
            penalty = self.l1 * torch.stack([w.abs().sum() for w in split_by_decay(self.detector)[0]]).sum()
            loss = loss + penalty
            logged["train/l1"] = penalty
        detached = {name: value.detach() for name, value in logged.items()}
        self.log_dict(detached, on_step=False, on_epoch=True, batch_size=len(batch), sync_dist=processes() > 1)
        return loss

    def _evaluate(self, batch: Batch, losses: bool) -> dict[str, Forward]:
        assert self.detector is not None
        if len(batch) == 0:  # a process that has no share
            return {"forward": Forward({}, torch.zeros((), device=self.device), Detections.empty(0, self.device))}
        if losses:
            batch = relabelled(batch, self._to_model)
        return {"forward": self.detector(batch, losses=losses, detections=True)}

    def validation_step(self, batch: Batch) -> dict[str, Forward]:
        """One pass gives the loss and the detections."""
        return self._evaluate(batch, losses=True)

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

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a learning rate that rises, then falls, set anew at every step."""
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = round(self.warmup_share * steps)
        optimiser = AdamW(decay_groups(self, self.weight_decay), lr=self.learning_rate)
        curve = LambdaLR(optimiser, lambda step: warmup_cosine(step, steps, warmup, self.final_share))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": curve, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Names and class table travel with the weights, as plain values."""
        checkpoint["classes"] = {"names": list(self.class_names), "table": self.class_rows}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the head that the weights belong to.

        Raises:
            InputError: the checkpoint has no class names, or other ones than the data it shall be trained on.
        """
        classes = checkpoint.get("classes")
        if not isinstance(classes, dict) or not classes.get("names"):
            raise InputError("The checkpoint holds no class names; it was not written by detaug.")
        names = list(classes["names"])
        fitting = self._trainer is not None and self._trainer.training
        if self.detector is None or (names != self.class_names and not fitting):
            self._build(names, download=False)
        elif names != self.class_names:
            raise InputError(f"The checkpoint knows the classes {names}, but the data has {self.class_names}.")
        self.class_rows = dict(classes.get("table") or {})
        self.learned = True

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> "SignDetector":
        """A model from a checkpoint file, only weights and plain values being read from it.

        Raises:
            InputError: a URL; Lightning would run code from it.
        """
        if "://" in str(checkpoint_path):
            raise InputError(f"{checkpoint_path}: checkpoints are read from files only, not from addresses.")
        if not Path(checkpoint_path).is_file():
            raise InputError(f"{checkpoint_path}: there is no such checkpoint.")
        kwargs["weights_only"] = True
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
