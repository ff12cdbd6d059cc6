"""The clean-train probe: training images, evaluated as validation is."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from detaug.batches.batch import Batch
from detaug.batches.datamodule import SignData
from detaug.batches.dataset import WholeImages, collate
from detaug.detectors.protocol import Forward
from detaug.learning.ema import Ema
from detaug.learning.module import SignDetector
from detaug.learning.probe import chance_loss, targets_alone
from detaug.learning.scoring import Scored, Scoring
from detaug.learning.tally import in_original, standard_error
from detaug.measures.precision import score
from detaug.measures.truth import Found, GroundTruth
from detaug.scenes.affine import Affine
from detaug.scenes.colour import Colour
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from tests.batches.painting import painted
from tests.learning.rectangles import trainer
from tests.running import NET, QUICK, launched, program

pytestmark = pytest.mark.timeout(90)
STRONG = Recipe(mosaic=Mosaic(p=1), affine=Affine(p=1, degrees_range=(-30, 30)), colour=Colour(p=1))


class Clean(Callback):
    """Keeps what each validation of a training gave, and the pictures of the probe."""

    def __init__(self) -> None:
        self.scored: list[dict[str, Scored]] = []
        self.pictures: list[dict[int, bytes]] = []

    def on_validation_epoch_start(self, *_: Any) -> None:
        self.pictures.append({})

    def on_validation_batch_start(
        self, _: Trainer, __: LightningModule, batch: Batch, ___: int, dataloader_idx: int = 0
    ) -> None:
        if dataloader_idx == 1:
            self.pictures[-1] |= {
                r: p.numpy().tobytes() for r, p in zip(batch.rows.tolist(), batch.images, strict=True)
            }

    def on_validation_end(self, trainer: Trainer, _: LightningModule) -> None:
        self.scored.append(dict(Scoring.of(trainer).scored))


def fitted(
    folder: Path, *callbacks: Callback, epochs: int = 2, **settings: Any
) -> tuple[SignDetector, SignData, Clean]:
    torch.manual_seed(0)
    root = painted(folder / "data", {"train": 12, "val": 5}, size=(64, 96))
    usual: dict[str, Any] = {"recipe": STRONG, "size": 64, "batch_size": 4, "workers": 0, "epoch_length": 48}
    data = SignData(str(root), **{**usual, **settings})
    model, kept = SignDetector(channels=32, head_convs=1, dropout=0.5, learning_rate=4e-3), Clean()
    trainer(folder, max_epochs=epochs, callbacks=[*callbacks, kept]).fit(model, datamodule=data)
    return model, data, kept


def by_hand(model: SignDetector, data: SignData) -> tuple[float, float]:
    """Loss and AP of the probe's images, one whole image at a time, by the model as it is now."""
    catalog = data.eval_catalog("clean")
    images = WholeImages(catalog, data.eval_size, None, "error")
    model.eval()
    found, loss, count = [], 0.0, 0.0
    for row in range(len(catalog)):
        batch = collate([images[row]])
        assert model.detector is not None
        with torch.no_grad():
            out: Forward = model.detector(batch, losses=True, detections=True)
        assert out.detections is not None
        found.append(in_original(out.detections, batch))
        loss += float(model.weighted(out.losses))
        count += float(out.normaliser)
    metrics = score(GroundTruth.of(catalog), Found.joined(found), data.class_names)
    return loss / count, metrics.ap


@pytest.mark.parametrize("averaged", [False, True])
def test_it_is_what_validating_those_images_gives(averaged: bool, tmp_path: Path) -> None:
    """No augmentation, no dropout, the weights that validation sees."""
    model, data, kept = fitted(tmp_path, *([Ema(decay=0.9)] if averaged else []))
    clean = kept.scored[-1]["clean"]
    assert clean.metrics is not None
    loss, ap = by_hand(model, data)
    assert clean.loss.value == pytest.approx(loss, rel=1e-4)
    assert clean.metrics.ap == pytest.approx(ap, abs=1e-6)
    assert clean.metrics.images == 5  # as many as validation


def test_it_shows_the_same_whole_training_images_each_time(tmp_path: Path) -> None:
    _, data, kept = fitted(tmp_path, epoch_length=12)
    assert kept.pictures[0].keys() == set(range(5))
    assert kept.pictures[0] == kept.pictures[1]
    images = WholeImages(data.eval_catalog("clean"), data.eval_size, None, "error")
    item = images[3]
    assert item is not None
    assert kept.pictures[0][3] == np.ascontiguousarray(item.sample.image.transpose(2, 0, 1)).tobytes()
    clean, train = data.eval_catalog("clean"), data.part("train")
    assert {clean.name(r) for r in range(5)} < {train.name(r) for r in range(len(train))}


def test_validation_is_the_same_with_and_without_it(tmp_path: Path) -> None:
    _, _, with_it = fitted(tmp_path / "a", epoch_length=12)
    _, _, without = fitted(tmp_path / "b", epoch_length=12, probe=None)
    assert [s["validate"].loss.value for s in with_it.scored] == [s["validate"].loss.value for s in without.scored]
    assert set(without.scored[-1]) == {"validate"}
    _, _, fewer = fitted(tmp_path / "c", epoch_length=12, probe=2, epochs=1)
    assert len(fewer.pictures[0]) == 2


def test_its_targets_without_pixels_are_those_with_pixels(tmp_path: Path) -> None:
    data = SignData(str(painted(tmp_path, {"train": 4, "val": 3}, size=(50, 90))), size=64)
    catalog = data.eval_catalog("clean")
    images = WholeImages(catalog, data.eval_size, None, "error")
    seen, planned = collate([images[r] for r in range(3)]), targets_alone(catalog, range(3), data.eval_size)
    assert torch.equal(seen.boxes, planned.boxes)
    assert torch.equal(seen.labels, planned.labels)
    assert torch.equal(seen.starts, planned.starts)


def test_chance_lies_between_the_untrained_and_the_trained(tmp_path: Path) -> None:
    model, data, kept = fitted(tmp_path, epochs=6)
    chance = chance_loss(model, data.eval_catalog("clean"), data.eval_size)
    torch.manual_seed(0)
    fresh = SignDetector(channels=32, head_convs=1, classes=data.class_names)
    assert kept.scored[-1]["clean"].loss.value < chance < by_hand(fresh, data)[0]


def test_the_standard_error_is_the_spread_over_draws_of_images() -> None:
    """Against the spread of the ratio itself over many sets of images."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, (4000, 60)).astype(float)
    losses = counts * rng.gamma(2.0, 0.5, counts.shape)
    ratios = losses.sum(1) / counts.sum(1)
    told = [standard_error(np.stack([losses[i], counts[i]], 1).tolist()) for i in range(50)]
    assert np.mean(told) == pytest.approx(ratios.std(), rel=0.05)
    assert math.isnan(standard_error([]))
    assert math.isnan(standard_error([(1.0, 0.0), (2.0, 0.0)]))


def logged(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_a_run_has_its_verdict_its_curves_and_its_suspects(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 10, "val": 4})
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=2", "--data.suspects=8"]
    done = program("fit", *NET, *QUICK, *flags)
    assert done.code == 0, done.err
    folder = tmp_path / "runs/run/0"
    verdict = json.loads((folder / "diagnosis.json").read_text())
    assert verdict["state"] == "too_short"
    assert verdict["sentence"].split()[0] in done.out
    assert done.err.count("epoch 0: ") + done.out.count("epoch 0: ") <= 1
    rows = logged(folder)
    assert verdict["curves"]["epoch"] == [0, 1]
    for name, column in {"clean_loss": "clean/loss", "val_ap": "val/AP", "train_loss": "train/loss"}.items():
        assert verdict["curves"][name] == pytest.approx([r[column] for r in rows if column in r][:2])
    chances = [r["clean/chance_loss"] for r in rows if "clean/chance_loss" in r]
    assert chances == pytest.approx([verdict["curves"]["chance_loss"]] * len(chances))
    numbers = json.loads((folder / "metrics.json").read_text())
    assert numbers["clean"]["images"] == 4
    assert set(numbers["clean"]["per_class"]) == {"red", "green", "yellow"}
    assert (folder / "detections_clean.json").is_file()
    found = json.loads((folder / "suspects.json").read_text())
    assert found["images"] == 8
    assert len(found["suspects"]) == 16
    losses = [s["loss"] for s in found["suspects"]]
    assert losses == sorted(losses, reverse=True)
    assert any(p.name.startswith("events.out") for p in folder.iterdir())


def test_a_broken_diagnosis_does_not_end_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("nothing to divide")

    monkeypatch.setattr("detaug.reports.diagnosis_file.judge", broken)
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=1"]
    with pytest.warns(UserWarning, match="nothing to divide"):
        done = program("fit", *NET, *QUICK, *flags, "--data.suspects=0")
    assert done.code == 0, done.err
    assert not (tmp_path / "runs/run/0/suspects.json").exists()


def test_a_wrong_label_is_the_first_suspect(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 24, "val": 6}, size=(64, 96))
    path = root / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    wrong = content["annotations"][14]
    wrong["category_id"] = wrong["category_id"] % 3 + 1
    path.write_text(json.dumps(content))
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=4", "--data.epoch_length=96"]
    done = program("fit", *NET, *QUICK, *flags, "--model.learning_rate=4e-3", "--model.dropout=0")
    assert done.code == 0, done.err
    first, second = json.loads((tmp_path / "runs/run/0/suspects.json").read_text())["suspects"][:2]
    image = next(i["file_name"] for i in content["images"] if i["id"] == wrong["image_id"])
    assert first["image"] == image
    x, y, wide, high = wrong["bbox"]
    assert first["box"] == pytest.approx([x, y, x + wide, y + high], abs=0.01)
    assert first["loss"] > 1.5 * second["loss"]


@pytest.mark.slow
@pytest.mark.timeout(250)
def test_two_processes_give_the_clean_numbers_of_one(tmp_path: Path) -> None:
    """Weights that do not change: seven images, which two processes cannot share evenly."""
    root = painted(tmp_path / "data", {"train": 16, "val": 7}, size=(64, 96))
    net = [*NET, *QUICK, f"--data.root={root}", f"--runs={tmp_path}/runs", "--model.norm=group"]
    learn = ["--trainer.max_epochs=3", "--data.epoch_length=96", "--model.learning_rate=4e-3"]
    done = program("fit", *net, *learn, "--name=first")
    assert done.code == 0, done.err
    start = f"--model.init_from={tmp_path}/runs/first/0/checkpoints/last.ckpt"
    still = ["--model.learning_rate=0", "--trainer.max_epochs=1", "--data.eval_batch_size=1", start]
    for name, more in (("one", ()), ("two", ("--trainer.devices=2", "--trainer.strategy=ddp"))):
        done = launched("fit", *net, *still, *more, f"--name={name}")
        assert done.code == 0, done.err
    one, two = (tmp_path / "runs" / name / "0" for name in ("one", "two"))
    clean = [{k: v for r in logged(f) for k, v in r.items() if k.startswith("clean/")} for f in (one, two)]
    assert clean[0]["clean/AP"] > 0.2
    assert clean[0] == pytest.approx(clean[1], rel=1e-5, nan_ok=True)
    assert clean[0]["clean/AP"] == clean[1]["clean/AP"]
    first, second = (json.loads((folder / "detections_clean.json").read_text()) for folder in (one, two))
    assert first == second
