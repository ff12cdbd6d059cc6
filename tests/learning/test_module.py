import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.learning.module import SignDetector
from detaug.learning.names import relabelled, table_rows
from detaug.learning.scoring import Scoring
from tests.learning.rectangles import Rectangles, trainer


def model(**settings: Any) -> SignDetector:
    torch.manual_seed(0)
    return SignDetector(channels=32, head_convs=1, **settings)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of one epoch."""
    folder = tmp_path_factory.mktemp("saved")
    keep = ModelCheckpoint(folder, save_last=True)
    trainer(folder, callbacks=[keep], enable_checkpointing=True).fit(model(), datamodule=Rectangles())
    return folder / "last.ckpt"


def test_checkpoint_brings_names_and_table_without_code(saved: Path) -> None:
    plain = torch.load(saved, weights_only=True)
    assert plain["classes"]["names"] == ["red", "green", "blue"]
    assert plain["classes"]["table"]["red"] == {"outline": "rectangle", "mirror": "never", "turn": 180.0}
    loaded = SignDetector.load_from_checkpoint(saved)
    assert loaded.class_names == ["red", "green", "blue"]
    assert loaded.network["channels"] == 32
    found = loaded.eval()(Rectangles().of([0, 1]))
    assert len(found) == 2


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_nothing_is_scored_without_a_checkpoint(stage: str, tmp_path: Path) -> None:
    for net in (model(), model(classes=["red", "green", "blue"])):
        with pytest.raises(InputError, match="give --ckpt_path"):
            getattr(trainer(tmp_path), stage)(net, datamodule=Rectangles())


@pytest.mark.parametrize("path", ["http://host/model.ckpt", "s3://bucket/model.ckpt"])
def test_addresses_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="files only"):
        SignDetector.load_from_checkpoint(path)


def test_missing_file_and_foreign_checkpoint_are_named(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint"):
        SignDetector.load_from_checkpoint(tmp_path / "none.ckpt")
    other = torch.load(saved, weights_only=True)
    del other["classes"]
    torch.save(other, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="no class names"):
        SignDetector.load_from_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize("names", [("red", "green"), ("blue", "red", "green", "grey"), ("blue", "green", "red")])
def test_other_data_is_scored_by_name(names: tuple[str, ...], saved: Path, tmp_path: Path) -> None:
    same, other = trainer(tmp_path), trainer(tmp_path)
    same.test(model(), datamodule=Rectangles(), ckpt_path=str(saved), verbose=False)
    other.test(model(), datamodule=Rectangles(names=names), ckpt_path=str(saved), verbose=False)
    ours, theirs = Scoring.of(same), Scoring.of(other)
    assert ours.metrics is not None
    assert theirs.metrics is not None
    for name in names:
        if name in ours.metrics.classes:
            assert theirs.metrics.classes[name] == ours.metrics.classes[name]
        else:
            assert math.isnan(theirs.metrics.classes[name].ap)
    lost = sum(int(ours.classes.to_data[0] >= 0) for d in ours.detections if ours_name(d) not in names)
    assert theirs.dropped == lost
    if set(names) >= {"red", "green", "blue"}:
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-5)


def ours_name(detection: dict[str, int]) -> str:
    return ["red", "green", "blue"][detection["category_id"] - 1]


def test_training_on_other_classes_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="classes"):
        trainer(tmp_path).fit(model(), datamodule=Rectangles(names=("red", "blue")), ckpt_path=str(saved))
    with pytest.raises(InputError, match="classes"):
        trainer(tmp_path).fit(model(classes=["a"]), datamodule=Rectangles())


def test_validation_touches_neither_statistics_nor_dropout(saved: Path, tmp_path: Path) -> None:
    net = SignDetector.load_from_checkpoint(saved)
    assert [m for m in net.modules() if isinstance(m, nn.Dropout2d)]
    before = {k: v.clone() for k, v in net.state_dict().items()}
    losses = []
    for _ in range(2):
        runner = trainer(tmp_path)
        runner.validate(net, datamodule=Rectangles(), verbose=False)
        losses.append((Scoring.of(runner).loss, Scoring.of(runner).metrics))
    assert losses[0] == losses[1]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_one_pass_per_validated_batch(saved: Path, tmp_path: Path) -> None:
    net = SignDetector.load_from_checkpoint(saved)
    assert net.detector is not None
    passes: list[int] = []
    net.detector.register_forward_hook(lambda *_: passes.append(1))
    trainer(tmp_path).validate(net, datamodule=Rectangles(), verbose=False)
    assert len(passes) == 6


def test_l1_adds_the_sum_of_absolute_weights(tmp_path: Path) -> None:
    results: list[dict[str, float]] = []
    for l1 in (0.0, 0.5):
        torch.manual_seed(0)
        net = model(dropout=0.0, l1=l1, learning_rate=0.0)
        runner: Trainer = trainer(tmp_path, limit_train_batches=1, limit_val_batches=0)
        runner.fit(net, datamodule=Rectangles())
        results.append({k: v.item() for k, v in runner.callback_metrics.items()})
    weights = sum(p.abs().sum().item() for p in net.parameters() if p.ndim > 1)
    assert "train/l1" not in results[0]
    assert results[1]["train/l1"] == pytest.approx(0.5 * weights, rel=1e-4)
    assert results[0]["train/loss"] == pytest.approx(results[1]["train/loss"], rel=1e-5)


def test_relabelled_drops_unknown_boxes_image_by_image() -> None:
    batch = Rectangles().of([2, 3, 1])
    assert batch.labels.tolist() == [0, 1, 2, 0, 1]
    mapped = relabelled(batch, torch.tensor([-1, 4, 0]))
    assert mapped.labels.tolist() == [4, 0, 4]
    assert mapped.starts.tolist() == [0, 2, 2, 3]
    assert torch.equal(mapped.boxes, batch.boxes[[1, 2, 4]])


def test_table_rows_build_the_same_table() -> None:
    table = ClassTable.builtin("road_signs")
    again = ClassTable.build(table.names, table_rows(table), "rows")
    assert again.names == table.names
    assert (again.mirror == table.mirror).all()
    assert (again.outline == table.outline).all()
    assert (again.turn == table.turn).all()


@pytest.mark.slow
def test_it_learns_eight_images_by_heart(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = SignDetector(dropout=0.0, weight_decay=0.0)
    runner = trainer(tmp_path, max_epochs=60, check_val_every_n_epoch=60, gradient_clip_val=10.0)
    runner.fit(net, datamodule=Rectangles(images=8, batch=4))
    metrics = Scoring.of(runner).metrics
    assert metrics is not None
    assert metrics.ap50 > 0.9
