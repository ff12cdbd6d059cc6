"""Early stopping that runs the closing epochs, without mixing, before it lets go."""

from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks.early_stopping import EarlyStopping, EarlyStoppingReason
from pytorch_lightning.utilities import rank_zero_info

from detaug.batches.datamodule import SignData
from detaug.errors import InputError


class ClosingEarlyStopping(EarlyStopping):
    """Stop when a metric no longer gets better, after the closing epochs.

    While mosaic, mixup and paste are on, validation is judged by weights that have never seen plain pictures last, so
    running out of patience then only switches mixing off; the training ends when the closing epochs are done.

    Args:
        monitor: the metric, such as `val/AP`, `val/AP_rare` (of the rare classes) or `val/loss`.
        min_delta: what counts as better.
        patience: validations without anything better.
        mode: `max` or `min`; null is `min` for a loss and `max` for all else.
        closing_epochs: epochs without mixing after patience ran out; null is the data's share of the planned ones.
    """

    def __init__(
        self,
        monitor: str = "val/AP",
        min_delta: float = 0.0,
        patience: int = 10,
        mode: str | None = None,
        closing_epochs: int | None = None,
    ) -> None:
        super().__init__(
            monitor=monitor,
            min_delta=min_delta,
            patience=patience,
            mode=mode or ("min" if "loss" in monitor else "max"),
            check_finite=True,
            check_on_train_epoch_end=False,  # else the check comes after `on_validation_end`, and nothing holds it back
        )
        self.closing_epochs = closing_epochs
        self.closes_at: int | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the metric; hold a stop back until the closing epochs have run.

        Raises:
            InputError: validation has no box that the metric could be measured on.
        """
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._refuse_unmeasured(trainer)
        super().on_validation_end(trainer, pl_module)
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._hold_back(trainer)

    def _refuse_unmeasured(self, trainer: Trainer) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        if "loss" not in self.monitor and value is not None and bool(torch.isnan(value)):
            boxes = "no box of a rare class" if self.monitor.endswith("rare") else "no such box"
            raise InputError(f"{self.monitor} cannot be watched, validation has {boxes}: monitor val/AP or val/loss.")

    def _hold_back(self, trainer: Trainer) -> None:
        data = getattr(trainer, "datamodule", None)
        epoch = trainer.current_epoch
        if self.stopping_reason is EarlyStoppingReason.NON_FINITE_METRIC:
            return  # plain pictures will not mend that
        if self.closes_at is not None:
            trainer.should_stop = epoch + 1 >= self.closes_at
            return
        if not (trainer.should_stop and isinstance(data, SignData) and epoch + 1 < (data.mix_until_epoch or 0)):
            return
        planned = trainer.max_epochs or 0
        closing = (
            self.closing_epochs if self.closing_epochs is not None else round(data.closing_share * max(planned, 0))
        )
        if closing < 1:
            return
        data.close_mixing(epoch + 1)
        self.closes_at = epoch + 1 + closing
        trainer.should_stop = False
        rank_zero_info(f"{self.monitor} no longer improves: {closing} closing epochs without mixing, then the end.")

    def state_dict(self) -> dict[str, Any]:
        """Also when the closing epochs end."""
        return {**super().state_dict(), "closes_at": self.closes_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the saved run was."""
        super().load_state_dict(state_dict)
        self.closes_at = state_dict.get("closes_at")
