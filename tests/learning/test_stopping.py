"""Early stopping lets the closing epochs run first."""

import hashlib
import json
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
from tests.running import NET, QUICK, program

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
    """A model that never changes."""
    torch.manual_seed(0)
    sources = Sources()
    usual: dict[str, Any] = {"max_epochs": 20, "enable_checkpointing": True}
    runner = trainer(folder, callbacks=[*callbacks, sources], **{**usual, **settings})
    model = SignDetector(channels=32, head_convs=1, learning_rate=0.0, norm="frozen")
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


def test_the_monitor_says_which_way_is_better() -> None:
    assert [ClosingEarlyStopping(monitor=m).mode for m in ("val/AP", "val/AP_rare", "val/loss")] == [
        "max",
        "max",
        "min",
    ]


def test_rare_classes_can_be_watched_where_there_are_some(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=9"]
    still = ["--model.learning_rate=0", "--model.norm=frozen", "--data.closing_share=0"]
    stop = ["--trainer.callbacks+=detaug.learning.stopping.ClosingEarlyStopping", "--trainer.callbacks.patience=2"]
    watch = [*still, *stop, "--trainer.callbacks.monitor=val/AP_rare"]
    done = program("fit", *NET, *QUICK, *flags, *watch, "--data.rare=[red]")
    assert done.code == 0, done.err
    curves = json.loads((tmp_path / "runs/run/0/diagnosis.json").read_text())["curves"]
    assert curves["epoch"] == [0, 1, 2]
    done = program("fit", *NET, *QUICK, *flags, *watch)
    assert done.code == 2
    assert "val/AP_rare cannot be watched" in done.err.splitlines()[-1]


@pytest.mark.slow
def test_a_run_that_overfits_ends_and_its_best_weights_are_scored(tmp_path: Path) -> None:
    """Three images by heart at a high rate: validation loss rises. What is kept and scored is the best epoch's."""
    root = painted(tmp_path / "data", {"train": 3, "val": 6}, size=(64, 96))
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=60", "--data.epoch_length=24"]
    flags += ["--data.closing_share=0", "--data.suspects=0"]
    watch = [
        "--trainer.callbacks+=detaug.learning.stopping.ClosingEarlyStopping",
        "--trainer.callbacks.monitor=val/loss",
        "--trainer.callbacks.patience=3",
        "--trainer.callbacks+=pytorch_lightning.callbacks.ModelCheckpoint",
        "--trainer.callbacks.monitor=val/loss",
        "--trainer.callbacks.filename=best",
        "--trainer.callbacks+=tests.recording.Recorder",
        f"--trainer.callbacks.folder={tmp_path}/seen",
    ]
    rates = ["--model.learning_rate=5e-3", "--model.dropout=0", "--model.weight_decay=0", "--model.warmup_share=0"]
    done = program("fit", *NET, *QUICK, *flags, *watch, *rates)
    assert done.code == 0, done.err
    folder = tmp_path / "runs/run/0"
    curves = json.loads((folder / "diagnosis.json").read_text())["curves"]
    best = min(range(len(curves["val_loss"])), key=lambda i: curves["val_loss"][i])
    assert len(curves["epoch"]) < 60
    assert best == len(curves["epoch"]) - 1 - 3
    kept = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)
    assert kept["epoch"] == best
    weights = json.loads((tmp_path / "seen/0.json").read_text())["weights"]
    assert _digest(kept["state_dict"]) == weights[best]
    assert weights[best] != weights[-1]
    assert json.loads((folder / "metrics.json").read_text())["loss"] == pytest.approx(min(curves["val_loss"]), rel=1e-6)


def _digest(state: dict[str, torch.Tensor]) -> str:
    """Of the parameters, as `Recorder` has it."""
    names = [n for n, _ in SignDetector(channels=32, head_convs=1, classes=["a", "b", "c"]).named_parameters()]
    return hashlib.blake2b(b"".join(state[n].numpy().tobytes() for n in names)).hexdigest()
