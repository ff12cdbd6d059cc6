import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from detaug.detectors.protocol import Detections
from detaug.learning.ema import Ema
from detaug.learning.module import SignDetector
from detaug.learning.scoring import Scoring
from detaug.learning.tally import in_original
from tests.learning.rectangles import SIDE, Rectangles, trainer, two_devices, two_processes


def net(seed: int = 0) -> SignDetector:
    torch.manual_seed(seed)
    model = SignDetector(channels=32, head_convs=1, dropout=0.0, classes=["red", "green", "blue"], final_share=1.0)
    model.learned = True
    return model


def test_the_truth_on_the_canvas_is_the_truth_in_the_catalog() -> None:
    data = Rectangles()
    batch = data.of([2, 0, 3])
    found = in_original(Detections(batch.boxes, torch.ones(len(batch.boxes)), batch.labels, batch.starts), batch)
    assert np.array_equal(found.boxes[:3], data.catalog.boxes[data.catalog.objects(2)])
    assert found.rows.tolist() == [2, 0, 3]


def test_shift_is_undone_and_the_border_cuts() -> None:
    batch = Rectangles().of([0])
    batch.fits[0] = torch.tensor([0.5, 0.25, 8.0, 4.0])
    boxes = torch.tensor([[10.0, 5.0, 20.0, 9.0], [0.0, 0.0, 500.0, 500.0]])
    found = in_original(Detections(boxes, torch.ones(2), torch.zeros(2).long(), torch.tensor([0, 2])), batch)
    assert found.boxes.tolist() == [[4, 4, 24, 20], [0, 0, 2 * SIDE, 2 * SIDE]]


def test_nothing_is_logged_in_the_sanity_check(tmp_path: Path) -> None:
    runner = trainer(tmp_path, num_sanity_val_steps=1, limit_train_batches=0)
    runner.fit(net(), datamodule=Rectangles())
    assert "val/AP" not in runner.callback_metrics
    assert Scoring.of(runner).metrics is None


def test_names_that_are_logged(tmp_path: Path) -> None:
    runner = trainer(tmp_path)
    runner.fit(net(), datamodule=Rectangles())
    logged = set(runner.callback_metrics)
    assert {"train/loss", "train/loss/box", "val/loss", "val/loss/box", "val/AP", "val/AP50"} <= logged
    assert {"val/AP_rare", "val/AP_common", "val/AP/red", "val/AP/green", "val/AP/blue"} <= logged


def test_predict_keeps_detections_and_no_numbers(tmp_path: Path) -> None:
    runner = trainer(tmp_path)
    runner.predict(net(), datamodule=Rectangles())
    scoring = Scoring.of(runner)
    assert scoring.metrics is None
    assert {d["image_id"] for d in scoring.detections} <= set(range(100, 106))
    assert len(scoring.found) == 6


def test_scored_detections_are_only_of_images_seen(tmp_path: Path) -> None:
    runner = trainer(tmp_path, limit_val_batches=1)
    runner.validate(net(), datamodule=Rectangles(), verbose=False)
    metrics = Scoring.of(runner).metrics
    assert metrics is not None
    assert metrics.images == 1


def _score(rank: int, folder: Path, world: int) -> None:
    for images in (1, 5):
        devices = two_devices() if world == 2 else {}
        runner = trainer(folder, **devices)
        runner.validate(net(), datamodule=Rectangles(images=images, rank=rank, world=world), verbose=False)
        scoring = Scoring.of(runner)
        assert scoring.metrics is not None
        result = {"metrics": scoring.metrics.plain(), "loss": scoring.loss, "detections": scoring.detections}
        result["logged"] = {k: v.item() for k, v in runner.callback_metrics.items() if not torch.isnan(v)}
        (folder / f"{images}-{world}-{rank}.json").write_text(json.dumps(result))


@pytest.mark.slow
def test_two_processes_score_what_one_scores(tmp_path: Path) -> None:
    _score(0, tmp_path, 1)
    two_processes(_score, tmp_path, 2)
    for images in (1, 5):
        one, left, right = (json.loads((tmp_path / f"{images}-{n}.json").read_text()) for n in ("1-0", "2-0", "2-1"))
        assert left == right
        assert left["metrics"] == one["metrics"]
        assert left["detections"] == one["detections"]
        assert left["loss"] == pytest.approx(one["loss"], rel=1e-5)


class Gradients(Callback):
    """What the optimiser is given in the last step."""

    def __init__(self) -> None:
        self.last: dict[str, torch.Tensor] = {}

    def on_before_optimizer_step(self, _: Trainer, pl_module: LightningModule, *__: Any) -> None:
        self.last = {n: p.grad.clone() for n, p in pl_module.named_parameters() if p.grad is not None}


def freeze_statistics(model: nn.Module) -> None:
    """BatchNorm as in evaluation, also in training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda m, _: m.eval() and None)


def _fit(rank: int, folder: Path, world: int) -> None:
    """One epoch; batch statistics frozen, so that two processes can do what one does."""
    model = net()
    freeze_statistics(model)
    devices = two_devices() if world == 2 else {}
    gradients = Gradients()
    runner = trainer(folder, callbacks=[gradients], limit_val_batches=0, **devices)
    runner.fit(model, datamodule=Rectangles(images=4, batch=4 // world, rank=rank, world=world))
    torch.save(gradients.last, folder / f"{world}-{rank}.pt")


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    _fit(0, tmp_path, 1)
    two_processes(_fit, tmp_path, 2)
    one, left, right = (torch.load(tmp_path / f"{n}.pt") for n in ("1-0", "2-0", "2-1"))
    assert one.keys() == {name for name, _ in net().named_parameters()}
    largest = max(gradient.abs().max() for gradient in one.values())
    for name, gradient in one.items():
        assert torch.equal(left[name], right[name])
        assert torch.allclose(left[name], gradient, rtol=1e-4, atol=1e-6 * float(largest)), name


def _uneven(rank: int, folder: Path) -> None:
    """Fit with EMA; the second process has no box to learn, none to validate, and batch statistics of its own."""
    data = Rectangles(images=4, batch=1, rank=rank, world=2)
    if rank:
        data.images, data.boxes, data.labels = data.images[3:].repeat(4, 1, 1, 1), [[]] * 4, [[]] * 4
    data.val_dataloader = lambda: data._loader([] if rank else [0, 1, 2, 3], 1)  # type: ignore[method-assign]
    model = net()
    devices = two_devices(broadcast_buffers=False)
    runner = trainer(folder, max_epochs=2, callbacks=[Ema(decay=0.5)], num_sanity_val_steps=2, **devices)
    runner.fit(model, datamodule=data)
    scoring = Scoring.of(runner)
    assert scoring.metrics is not None
    assert scoring.metrics.images == 4
    torch.save(model.state_dict(), folder / f"{rank}.pt")
    (folder / f"{rank}.json").write_text(json.dumps([scoring.metrics.plain(), scoring.loss]))


@pytest.mark.slow
def test_an_empty_share_and_batches_without_boxes_do_not_hang(tmp_path: Path) -> None:
    two_processes(_uneven, tmp_path)
    assert (tmp_path / "0.json").read_text() == (tmp_path / "1.json").read_text()
    left, right = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(left[k], right[k]) for k in left)
