"""The running mean of the weights, which is what is validated, saved and kept."""

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


def ramp(decay: float, step: int) -> float:
    """The decay after so many updates: min(decay, (1 + t) / (10 + t)).

    As in TensorFlow's `ExponentialMovingAverage` with `num_updates`, so that a short training is not averaged with
    its random start.

    >>> [round(ramp(0.99, step), 3) for step in (1, 10, 100, 10000)]
    [0.182, 0.55, 0.918, 0.99]
    """
    return min(decay, (1 + step) / (10 + step))


class Ema(WeightAveraging):
    """Exponential moving average of weights and batch statistics, updated after every optimiser step.

    Validation sees the averaged weights, a checkpoint's `state_dict` holds them (the raw ones lie beside it for
    resuming), and after the training the model keeps them. Batch statistics are averaged with the same decay: they
    belong to the weights they were measured with. Whole numbers (the count of batches) are copied.

    Args:
        decay: the highest decay; 0.998 looks back on about 500 steps.
    """

    def __init__(self, decay: float = 0.998) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay: expected at least 0 and below 1, got {decay}")
        self.decay = decay
        super().__init__(use_buffers=True, multi_avg_fn=self._average)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let the module build its network first: Lightning copies it here, before the module's own `setup`."""
        if stage == "fit":
            pl_module.setup(stage)
        super().setup(trainer, pl_module, stage)

    @torch.no_grad()
    def _average(self, means: list[Tensor], values: list[Tensor], updates: Tensor | int) -> None:
        decay = ramp(self.decay, int(updates))
        if means[0].is_floating_point():
            torch._foreach_lerp_(means, values, 1 - decay)
        else:
            torch._foreach_copy_(means, values)
