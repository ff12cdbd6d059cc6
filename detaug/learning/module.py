"""The detector as Lightning trains it: its network, the step, the optimiser, and what travels with the weights."""

from typing import Any, Literal

from pytorch_lightning.utilities import rank_zero_info
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from detaug.batches.batch import Batch
from detaug.classes import ClassTable
from detaug.detectors.norms import Norm, refuse_on_cpus
from detaug.detectors.protocol import Forward
from detaug.detectors.torchvision import build_fcos
from detaug.errors import InputError
from detaug.learning.evaluation import EvaluatedModule
from detaug.learning.freezing import Freezing
from detaug.learning.names import checkpoint_file, checkpoint_names, table_rows
from detaug.learning.optimiser import decay_groups, split_by_decay, warmup_cosine
from detaug.learning.penalties import penalties
from detaug.learning.transfer import begin_with
from detaug.measures.gather import processes, total


class SignDetector(EvaluatedModule):
    """FCOS on a backbone by name.

    The head is built when the class names are known: in `fit` from the data module's `class_names`, otherwise from
    the checkpoint, which carries them. Data with other classes is scored by name.

    Args:
        backbone: `resnet50`, or a timm name such as `mobilenetv3_small_100`, `resnet18`, `vit_tiny_patch16_224`.
        channels: width of the feature pyramid and the head, a multiple of 32.
        head_convs: convolutions in each branch of the head.
        dropout: rate in the head; 0 for none.
        dropout_kind: `channel` drops whole feature maps, `element` single values.
        label_smoothing: how far the classification's targets are from 0 and 1 in training.
        norm: `batch`, `frozen` (no statistics or scales are learnt), `group` (GroupNorm) or `sync` (statistics over all
            GPUs); null is the backbone's own, frozen for a pretrained `resnet50`.
        pretrained: begin with trained weights, which are fetched.
        init_from: begin with the weights of a file: a checkpoint, torchvision's FCOS, or a backbone alone.
        freeze: `none`, `backbone`, or how many of the backbone's stages do not learn; the stem is the first.
        unfreeze_epochs: the epochs from which, part by part, the frozen stages learn too, the last stages first.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's, decoupled from the gradient, of weights; norms and biases have none.
        l1: this times the sum of the decayed weights' absolute values is added to the loss.
        l2: half of this times the sum of their squares is added to the loss; not the same as `weight_decay` under Adam.
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
        label_smoothing: float = 0.0,
        norm: Norm | None = None,
        pretrained: bool = False,
        init_from: str | None = None,
        freeze: int | Literal["none", "backbone"] = "none",
        unfreeze_epochs: list[int] | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        l1: float = 0.0,
        l2: float = 0.0,
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
            "label_smoothing": label_smoothing,
            "norm": norm,
            "pretrained": pretrained,
        }
        self.init_from, self.freeze_stages, self.unfreeze_epochs = init_from, freeze, unfreeze_epochs or []
        self.learning_rate, self.warmup_share, self.final_share = learning_rate, warmup_share, final_share
        self.weight_decay, self.l1, self.l2 = weight_decay, l1, l2
        self.loss_weights |= {"box": box_weight, "centerness": centerness_weight}
        self.freezing: Freezing | None = None
        if classes:
            self._build(classes)

    def _build(self, names: list[str], download: bool = True) -> None:
        self.detector = build_fcos(classes=len(names), download=download and not self.init_from, **self.network)
        self.class_names = list(names)
        if download and self.init_from:
            rank_zero_info(begin_with(self, names, self.init_from).sentence)

    def setup(self, stage: str) -> None:
        """Build the head for the data's classes before `fit`; may be called twice."""
        if stage != "fit":
            return
        data = getattr(self.trainer, "datamodule", None)
        names = list(getattr(data, "class_names", self.class_names))
        if self.detector is None:
            if not names:
                raise InputError("The classes are not known: give a datamodule with class_names, or classes.")
            self._build(names, download=not self.trainer.ckpt_path)
        elif names != self.class_names:
            raise InputError(f"The model was built for the classes {self.class_names}, but the data has {names}.")
        table = getattr(getattr(data, "catalog", None), "classes", None)
        if isinstance(table, ClassTable):
            self.class_rows = table_rows(table)
        assert self.detector is not None
        refuse_on_cpus(self.network["norm"], self.trainer.strategy.root_device)
        self.freezing = Freezing(self.detector.network.backbone.body, self.freeze_stages, self.unfreeze_epochs)
        self.freezing.begin(0)

    def train(self, mode: bool = True) -> "SignDetector":
        """Training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.freezing is not None:
            self.freezing.hold()
        return self

    def on_train_epoch_start(self) -> None:
        """Unfreeze what learns from this epoch on."""
        assert self.freezing is not None
        if self.freezing.begin(self.current_epoch):
            rank_zero_info(f"epoch {self.current_epoch}: {self.freezing.words}")

    def on_after_backward(self) -> None:
        """Share the gradients that DDP does not know of."""
        if self.freezing is not None:
            self.freezing.share_gradients()

    def training_step(self, batch: Batch) -> Tensor:
        """The batch's loss over the mean normaliser of all processes, so that N learn what one would learn."""
        assert self.detector is not None
        out: Forward = self.detector(batch, losses=True, detections=False)
        share = processes() / total(out.normaliser).clamp(min=1)
        parts = {name: value * share for name, value in out.losses.items()}
        loss = self.weighted(parts)
        logged = {"train/loss": loss, **{f"train/loss/{name}": value for name, value in parts.items()}}
        if self.l1 or self.l2:
            weights = [w for w in split_by_decay(self.detector)[0] if w.requires_grad]
            for name, penalty in penalties(weights, self.l1, self.l2).items():
                loss = loss + penalty
                logged[f"train/{name}"] = penalty
        detached = {name: value.detach() for name, value in logged.items()}
        self.log_dict(detached, on_step=False, on_epoch=True, batch_size=len(batch), sync_dist=processes() > 1)
        return loss

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
        names, self.class_rows = checkpoint_names(checkpoint)
        fitting = self._trainer is not None and self._trainer.training
        if self.detector is None or (names != self.class_names and not fitting):
            self._build(names, download=False)
        elif names != self.class_names:
            raise InputError(f"The checkpoint knows the classes {names}, but the data has {self.class_names}.")
        self.learned = True

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> "SignDetector":
        """A model from a checkpoint file, only weights and plain values being read from it.

        Raises:
            InputError: no such file, or an address.
        """
        checkpoint_file(checkpoint_path)
        kwargs |= {"weights_only": True, "init_from": None}  # the checkpoint's weights follow
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
