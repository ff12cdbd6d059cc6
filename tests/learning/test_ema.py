from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from detaug.learning.ema import Ema, ramp
from detaug.learning.module import SignDetector
from detaug.learning.scoring import Scoring
from tests.learning.rectangles import Rectangles, trainer


def model(**settings: Any) -> SignDetector:
    torch.manual_seed(0)
    return SignDetector(channels=32, head_convs=1, dropout=0.0, warmup_share=0.0, **settings)


class Trace(Callback):
    """The raw weights and statistics after each step, and what the validation sees."""

    def __init__(self) -> None:
        self.raw: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, _: Trainer, pl_module: LightningModule, *__: Any) -> None:
        self.raw.append({k: v.detach().clone() for k, v in pl_module.state_dict().items()})

    def on_validation_batch_end(self, _: Trainer, pl_module: LightningModule, *__: Any) -> None:
        self.validated.append({k: v.detach().clone() for k, v in pl_module.state_dict().items()})


def plain_mean(raw: list[dict[str, Tensor]], decay: float) -> dict[str, Tensor]:
    """The same average, the slow way: the first weights, then one blend per step."""
    mean = {k: v.double() for k, v in raw[0].items()}
    for step, values in enumerate(raw[1:], start=1):
        share = min(decay, (1 + step) / (10 + step))
        for k, v in values.items():
            mean[k] = share * mean[k] + (1 - share) * v.double() if v.is_floating_point() else v.double()
    return mean


def close(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[k].double(), b[k].double(), rtol=1e-4, atol=1e-6) for k in a)


def test_equals_a_plain_average_and_is_what_validation_sees_and_the_model_keeps(tmp_path: Path) -> None:
    trace, net = Trace(), model()
    trainer(tmp_path, max_epochs=4, callbacks=[trace, Ema(decay=0.4)]).fit(net, datamodule=Rectangles())
    assert len(trace.raw) == 8
    expected = plain_mean(trace.raw, 0.4)
    assert close(net.state_dict(), expected)
    assert close(trace.validated[-1], expected)
    assert close(trace.validated[0], plain_mean(trace.raw[:2], 0.4))
    assert not close(trace.raw[-1], expected)


def test_ramp_starts_with_the_present() -> None:
    assert ramp(0.998, 1) < 0.2
    assert ramp(0.998, 10**6) == 0.998
    with pytest.raises(ValueError, match="decay"):
        Ema(decay=1.0)


def test_the_best_checkpoint_scores_what_it_scored(tmp_path: Path) -> None:
    best = ModelCheckpoint(tmp_path / "saved", monitor="val/loss", save_last=True)
    first = trainer(tmp_path, max_epochs=3, callbacks=[Ema(decay=0.5), best], enable_checkpointing=True)
    net, data = model(learning_rate=1e-3), Rectangles()
    first.fit(net, datamodule=data)
    assert best.best_model_score is not None
    again = trainer(tmp_path)
    again.validate(model(), datamodule=data, ckpt_path=best.best_model_path)
    assert Scoring.of(again).loss == pytest.approx(best.best_model_score.item(), rel=1e-6)
    last = SignDetector.load_from_checkpoint(best.last_model_path)
    assert close(last.state_dict(), net.state_dict())


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    def fit(epochs: int, name: str, start: Path | None = None) -> dict[str, Tensor]:
        saved = ModelCheckpoint(tmp_path / name, save_last=True)
        net = model(final_share=1.0)
        runner = trainer(tmp_path, max_epochs=epochs, callbacks=[Ema(decay=0.5), saved], enable_checkpointing=True)
        runner.fit(net, datamodule=Rectangles(), ckpt_path=start, weights_only=True)
        return net.state_dict()

    whole = fit(3, "whole")
    fit(1, "half")
    assert close(fit(3, "rest", tmp_path / "half" / "last.ckpt"), whole)
