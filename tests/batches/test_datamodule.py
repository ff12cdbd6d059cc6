"""Which images a run trains and scores, and what its checkpoint says of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn

from detaug.batches.datamodule import SignData
from detaug.batches.parts import fingerprint
from detaug.errors import InputError
from detaug.learning.module import SignDetector
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from tests.batches.painting import COLOURS, grounds_in, painted
from tests.learning.rectangles import trainer

pytestmark = pytest.mark.timeout(60)


def data(root: Path, **settings: Any) -> SignData:
    usual: dict[str, Any] = {"size": 64, "batch_size": 4, "workers": 0}
    return SignData(str(root), **{**usual, **settings})


def names(module: SignData, part: str) -> list[str]:
    catalog = module.part(part)
    return [catalog.name(r) for r in range(len(catalog))]


def scored(module: SignData, stage: str) -> list[str]:
    catalog = module.eval_catalog(stage)
    return [catalog.name(r) for r in range(len(catalog))]


def scoring(module: SignData, state: dict[str, Any] | None = None) -> SignData:
    """The module as in `test`, with a checkpoint's state."""
    module.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", devices=1)
    module.trainer.state.fn = TrainerFn.TESTING
    module.setup("test")
    if state is not None:
        module.load_state_dict(state)
    return module


def test_given_splits_are_kept(tmp_path: Path) -> None:
    module = data(painted(tmp_path, {"train": 3, "val": 2, "test": 1}))
    assert names(module, "train") == ["train/0000.png", "train/0020.png", "train/0040.png"]
    assert scored(module, "validate") == ["val/0060.png", "val/0080.png"]
    assert scored(module, "test") == scored(module, "predict") == ["test/0100.png"]
    assert len(module.part("all")) == 6


def test_a_missing_validation_split_is_made(tmp_path: Path) -> None:
    root = painted(tmp_path, {"images": 15})
    module, again, other = data(root), data(root), data(root, seed=5)
    train, val = names(module, "train"), names(module, "val")
    assert sorted(train + val) == sorted(names(module, "all"))
    assert 2 <= len(val) <= 4
    assert names(again, "val") == val
    assert names(other, "val") != val
    assert scored(module, "test") == val


def test_folds_part_everything_but_the_test_images(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 6, "val": 3, "test": 2})
    folds = [names(data(root, fold=f"{k}/3"), "val") for k in (1, 2, 3)]
    assert sorted(name for fold in folds for name in fold) == sorted(
        names(data(root), "train") + names(data(root), "val")
    )
    assert all(folds)
    for text in ("4/3", "0/3", "one", "1:3"):
        with pytest.raises(InputError, match=f"fold '{text}'"):
            data(root, fold=text).setup("fit")


@pytest.mark.parametrize(("parts", "expected"), [({"train": 2}, 2), ({"images": 3}, 3), ({"train": 2, "val": 1}, 1)])
def test_another_dataset_is_scored_whole_where_it_has_no_split(
    tmp_path: Path, parts: dict[str, int], expected: int
) -> None:
    learnt = data(painted(tmp_path / "learnt", {"train": 4, "val": 2})).state_dict()
    module = scoring(data(painted(tmp_path / "other", parts)), learnt)
    assert len(module.eval_catalog("test")) == len(module.eval_catalog("validate")) == expected


def test_images_that_were_learnt_are_not_scored(tmp_path: Path) -> None:
    """The training's own data, given again without its settings or at another place, is divided as it was."""
    for past in ({"fold": "2/3"}, {"seed": 4}, {"val_share": 0.4}):
        root = painted(tmp_path / "-".join(past), {"images": 15})
        learnt = data(root, **past)
        moved = root.rename(root.parent / f"moved-{root.name}")
        learnt.root = str(moved)
        module = scoring(data(moved), learnt.state_dict())
        assert scored(module, "test") == names(learnt, "val")
        assert scored(scoring(data(moved, fold="1/3"), learnt.state_dict()), "test") != names(learnt, "val")


def test_rare_is_what_was_rare_in_training(tmp_path: Path) -> None:
    learnt = data(painted(tmp_path / "learnt", {"train": 4, "val": 4}), rare=["green", "yellow"]).state_dict()
    other = painted(tmp_path / "other", {"test": 4}, names=("white", "yellow", "red"))
    assert scoring(data(other)).rare_names == []
    module = scoring(data(other), learnt)
    assert module.rare_names == ["yellow"]
    assert module.training_boxes == {"red": 3, "green": 3, "yellow": 2}
    assert scoring(data(other, rare=["yellow", "green"]), learnt).rare_names == ["yellow"]
    assert scoring(data(other, rare=["white"]), learnt).rare_names == ["white"]
    for name, module in (("rde", scoring(data(other, rare=["rde"]))), ("green", scoring(data(other, rare=["green"])))):
        with pytest.raises(InputError, match=f"data.rare names '{name}'"):
            _ = module.rare_names


def test_evaluation_boxes_are_the_originals_times_the_fit(tmp_path: Path) -> None:
    module = data(painted(tmp_path, {"train": 2, "val": 5}, size=(90, 160)), eval_size=(64, 96), eval_batch_size=2)
    catalog = module.eval_catalog("validate")
    batches = list(module.val_dataloader())
    assert [len(b) for b in batches] == [2, 2, 1]
    for batch in batches:
        assert batch.images.shape[1:] == (3, 64, 96)
        for i, row in enumerate(batch.rows.tolist()):
            original = torch.from_numpy(catalog.boxes[catalog.objects(row)])
            scale, shift = batch.fits[i, :2].repeat(2), batch.fits[i, 2:].repeat(2)
            shown = batch.boxes[batch.starts[i] : batch.starts[i + 1]]
            torch.testing.assert_close(shown, original * scale + shift)
            assert batch.sizes[i].tolist() == [90, 160]
            colour = batch.images[i, :, int(shown[0, 1] + 4), int(shown[0, 0] + 4)].tolist()
            label = module.class_names[batch.labels[batch.starts[i]]]
            assert np.abs(np.array(colour) - COLOURS[label]).max() <= 1


@pytest.mark.parametrize("workers", [0, 2])
def test_mixing_closes_in_workers_that_live_on(tmp_path: Path, workers: int) -> None:
    """Colour-coded images: four sources in a mosaic, one after closing, also in a run that goes on later."""
    root = painted(tmp_path, {"train": 16, "val": 2})
    module = data(root, recipe=Recipe(mosaic=Mosaic(p=1, focus=0)), workers=workers)
    module.setup("fit")
    loader = module.train_dataloader()

    def sources(epoch: int) -> list[int]:
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return [grounds_in(p.permute(1, 2, 0).numpy(), 18) for batch in loader for p in batch.images]

    assert max(sources(0)) == 4
    assert np.mean(sources(1)) > 2.5
    module.close_mixing(2)
    assert set(sources(2)) == {1}
    resumed = data(root, recipe=Recipe(mosaic=Mosaic(p=1, focus=0)), workers=workers)
    resumed.load_state_dict(module.state_dict())
    loader = resumed.train_dataloader()
    assert set(sources(3)) == {1}
    assert max(sources(1)) == 4


def test_images_without_boxes_are_learnt_from(tmp_path: Path) -> None:
    module = data(painted(tmp_path, {"train": 5, "val": 2}, empty=4), batch_size=1)
    assert sorted(len(b.boxes) for b in module.train_dataloader()) == [0, 0, 0, 0, 2]
    runner = trainer(tmp_path)
    runner.fit(SignDetector(channels=32, head_convs=1), datamodule=module)
    assert torch.isfinite(runner.callback_metrics["train/loss"])
    with pytest.raises(InputError, match="no image has a box"):
        data(painted(tmp_path / "none", {"train": 2, "val": 2}, empty=2)).setup("fit")


def test_overfit_batches_shows_the_same_samples_each_epoch(tmp_path: Path) -> None:
    runner = trainer(tmp_path, overfit_batches=2, max_epochs=2)
    runner.fit(SignDetector(channels=32, head_convs=1), datamodule=data(painted(tmp_path, {"train": 12, "val": 2})))
    assert runner.global_step == 4


def test_the_fingerprint_knows_boxes_and_names(tmp_path: Path) -> None:
    one, same, other = (painted(tmp_path / n, {"train": k}) for n, k in (("a", 3), ("b", 3), ("c", 4)))
    assert fingerprint(data(one).catalog) == fingerprint(data(same).catalog) != fingerprint(data(other).catalog)
    assert fingerprint(data(one, fold="1/3").catalog) == fingerprint(data(one).catalog)
