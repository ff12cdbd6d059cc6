"""Early stopping lets the closing epochs run first."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from detaug.batches.batch import Batch
from detaug.batches.datamodule import SignData
from detaug.learning.module import SignDetector
from detaug.learning.stopping import ClosingEarlyStopping
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from tests.batches.painting import grounds_in, painted
from tests.learning.rectangles import trainer

pytestmark = pytest.mark.timeout(60)


class Sources(Callback):
    """The most images that any picture of each epoch shows, and a digest of all its pictures."""

    def __init__(self) -> None:
        self.most: dict[int, int] = {}
        self.digests: dict[int, str] = {}

    def on_train_batch_start(self, trainer: Trainer, _: LightningModule, batch: Batch, __: int) -> None:
        shown = max(grounds_in(p.permute(1, 2, 0).numpy(), 14) for p in batch.images)
        epoch, pixels = trainer.current_epoch, batch.images.numpy().tobytes()
        self.most[epoch] = max(self.most.get(epoch, 0), shown)
        self.digests[epoch] = hashlib.blake2b(self.digests.get(epoch, "").encode() + pixels).hexdigest()


def data(folder: Path, **settings: Any) -> SignData:
    root = folder / "data"
    if not root.exists():
        painted(root, {"train": 12, "val": 2})
    return SignData(str(root), recipe=Recipe(mosaic=Mosaic(p=1, focus=0)), size=64, batch_size=6, workers=1, **settings)


def fit(folder: Path, *callbacks: Callback, resume: Path | None = None, **settings: Any) -> tuple[Trainer, Sources]:
    """A model that never gets better."""
    torch.manual_seed(0)
    sources = Sources()
    usual: dict[str, Any] = {"max_epochs": 20, "enable_checkpointing": True}
    runner = trainer(folder, callbacks=[*callbacks, sources], **{**usual, **settings})
    model = SignDetector(channels=32, head_convs=1, learning_rate=0.0)
    runner.fit(model, datamodule=data(folder), ckpt_path=resume)
    return runner, sources


def stopping(patience: int = 1, **settings: Any) -> ClosingEarlyStopping:
    return ClosingEarlyStopping(monitor="val/AP", patience=patience, **settings)


@pytest.mark.parametrize(("every", "ended"), [(1, 4), (2, 6)])
def test_closing_epochs_run_without_mixing_and_then_it_stops(tmp_path: Path, every: int, ended: int) -> None:
    """Patience runs out after the second validation; two closing epochs follow."""
    runner, sources = fit(tmp_path, stopping(closing_epochs=2), check_val_every_n_epoch=every)
    assert runner.current_epoch == ended
    mixed = 2 * every
    assert {e: n > 1 for e, n in sources.most.items()} == {e: e < mixed for e in range(ended)}


def test_the_share_of_planned_epochs_closes_by_default(tmp_path: Path) -> None:
    runner, sources = fit(tmp_path, stopping())
    assert runner.current_epoch == 2 + 3  # 0.15 of 20
    assert [n > 1 for n in sources.most.values()] == [True, True, False, False, False]


def test_without_closing_epochs_it_stops_at_once(tmp_path: Path) -> None:
    runner, _ = fit(tmp_path, stopping(closing_epochs=0))
    assert runner.current_epoch == 2


def test_patience_that_runs_out_after_closing_stops_at_once(tmp_path: Path) -> None:
    runner, sources = fit(tmp_path, stopping(patience=3), max_epochs=6)
    assert runner.current_epoch == 5  # 5 of 6 mixed; the fourth validation brings the end nearer: one closing epoch
    assert [n > 1 for n in sources.most.values()] == [True] * 4 + [False]


@pytest.mark.parametrize(("every", "saved", "rest"), [(1, 2, [3, 4]), (2, 5, [6, 7])])
def test_a_run_that_goes_on_keeps_to_its_closing_epochs(
    tmp_path: Path, every: int, saved: int, rest: list[int]
) -> None:
    """Also where the checkpoint is written after validation, before the epoch's end."""
    keep = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1, monitor="val/AP", mode="max")
    settings: dict[str, Any] = {"check_val_every_n_epoch": every}
    _, whole = fit(tmp_path, stopping(closing_epochs=3), keep, **settings)
    resumed = tmp_path / f"epoch={saved}.ckpt"
    runner, sources = fit(tmp_path, stopping(closing_epochs=3), resume=resumed, **settings)
    assert runner.current_epoch == 2 * every + 3 + (every == 2)
    assert sources.most == dict.fromkeys(rest, 1)
    assert sources.digests == {epoch: whole.digests[epoch] for epoch in rest}
