"""`data.gpu`: the same samples, their pictures made on the device; here the device is the CPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detaug.batches.batch import Batch
from detaug.batches.datamodule import SignData
from detaug.batches.planned import PlannedBatch
from detaug.draws.balance import Balance
from detaug.errors import InputError
from detaug.scenes.affine import Affine
from detaug.scenes.colour import Colour
from detaug.scenes.effects import Effects
from detaug.scenes.flip import Flip
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from tests.batches.painting import damaged, painted
from tests.running import NET, QUICK, launched, program

pytestmark = pytest.mark.timeout(120)
FULL = Recipe(
    mosaic=Mosaic(p=0.7),
    mixup=Mixup(p=0.2),
    paste=Paste(p=0.7),
    flip=Flip(p=0.5),
    affine=Affine(p=1),
    colour=Colour(p=0.5),
    noise=GaussianNoise(p=0.5),
    remnants="erase",
)


def data(root: Path, gpu: bool, **settings: Any) -> SignData:
    usual: dict[str, Any] = {"recipe": FULL, "size": 64, "batch_size": 4, "workers": 0, "balance": Balance()}
    return SignData(str(root), **{**usual, **settings}, gpu=gpu)


def epoch(module: SignData) -> list[Batch]:
    """The batches of epoch 0 as Lightning hands them to the training step."""
    module.setup("fit")
    batches = []
    for batch in module.train_dataloader():
        assert isinstance(batch, PlannedBatch) == module.gpu
        before = module.on_before_batch_transfer(batch, 0)
        assert len(before) == len(batch)
        batches.append(module.on_after_batch_transfer(before.to("cpu"), 0))
    return batches


def equal_but_for_pictures(one: Batch, other: Batch) -> None:
    for name in ("boxes", "labels", "starts", "rows", "fits", "sizes", "broken", "came"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype, name
        assert torch.equal(a, b), name


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_all_but_the_pictures_is_equal_bit_for_bit(tmp_path: Path, workers: int) -> None:
    root = painted(tmp_path, {"train": 18, "val": 2}, size=(96, 128))
    modules = [data(root, gpu, workers=workers) for gpu in (False, True)]
    shown = []
    for one, other in zip(*(epoch(module) for module in modules), strict=True):
        equal_but_for_pictures(one, other)
        assert one.images.shape == other.images.shape
        apart = (one.images.int() - other.images.int()).abs().numpy()
        assert apart.mean() < 0.5
        assert (apart > 4).mean() < 1e-3
        shown.append(float(one.images.float().std()))
    assert len(shown) == 4
    assert np.mean(shown) > 10  # there is something to see
    counts = [module.shown.take() for module in modules]
    assert counts[0][0] == counts[1][0] == 16
    np.testing.assert_array_equal(counts[0][1], counts[1][1])


def test_broken_images_have_the_same_stand_ins(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 120, "val": 2}, suffix="jpg", size=(40, 40))
    damaged(root / "train" / "0060.jpg")
    settings: dict[str, Any] = {"size": 32, "batch_size": 40}
    modules = [data(root, gpu, **settings) for gpu in (False, True)]
    with pytest.warns(UserWarning, match=r"0060\.jpg: the image cannot be decoded"):
        epochs = [epoch(module) for module in modules]
    met = 0
    for one, other in zip(*epochs, strict=True):
        equal_but_for_pictures(one, other)
        assert (one.images.int() - other.images.int()).abs().float().mean() < 0.5
        met += len(one.broken)
    assert met > 0
    assert modules[0].broken.names == modules[1].broken.names == {"train/0060.jpg"}
    with pytest.raises(InputError, match=r"0060\.jpg"):
        epoch(data(root, True, on_bad_image="error", **settings))


def test_too_many_broken_images_end_the_run_at_once(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 16, "val": 2}, suffix="jpg")
    for file in sorted((root / "train").iterdir())[::4]:
        damaged(file)
    module = data(root, True)
    module.setup("fit")
    with (
        pytest.warns(UserWarning, match="cannot be decoded"),
        pytest.raises(InputError, match="4 of 18 images cannot be decoded"),
    ):
        module.train_dataloader()


def test_evaluation_is_as_it_was(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 4, "val": 3})
    for one, other in zip(*(data(root, gpu).val_dataloader() for gpu in (False, True)), strict=True):
        assert isinstance(other, Batch)
        equal_but_for_pictures(one, other)
        assert torch.equal(one.images, other.images)
        assert data(root, True).on_after_batch_transfer(other, 0) is other


def test_a_recipe_that_needs_the_cpu_is_refused_by_name(tmp_path: Path) -> None:
    recipe = Recipe(effects=Effects(chances={"rain": 0.1, "jpeg": 0.1}), paste=Paste(blend={"poisson": 1.0}))
    with pytest.raises(InputError, match=r"blend\.poisson, recipe\.effects\.chances\.rain, .*chances\.jpeg"):
        data(tmp_path, True, recipe=recipe)
    data(tmp_path, False, recipe=recipe)
    done = program("fit", *QUICK, f"--data.root={tmp_path}", "--data.gpu=true", "--data.recipe.effects.p=1")
    assert done.code != 0
    assert "data.gpu cannot render recipe.effects.chances.rain" in done.err


def test_too_little_memory_is_refused(tmp_path: Path) -> None:
    module = data(painted(tmp_path, {"train": 4, "val": 2}), True, resident_gb=1e-6)
    module.setup("fit")
    with pytest.raises(InputError, match=r"all 4 training images on cpu, .* data\.resident_gb allows"):
        module.train_dataloader()


RUN = ("--data.gpu=true", "--trainer.max_epochs=1", "--data.recipe.mosaic.p=0.5", "--data.recipe.noise.p=0.5")


def test_an_epoch_is_trained(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    done = program("fit", *NET, *QUICK, *RUN, f"--data.root={root}", f"--runs={tmp_path}/runs")
    assert done.code == 0, done.err
    assert (tmp_path / "runs/run/0/metrics.json").is_file()
    assert "gpu: true" in (tmp_path / "runs/run/0/config.yaml").read_text()


@pytest.mark.slow
def test_it_ends_with_nearly_the_same_weights_with_workers(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    losses = []
    for gpu in ("false", "true"):
        flags = (*RUN, f"--data.gpu={gpu}", "--data.workers=2", f"--name={gpu}")
        done = launched("fit", *NET, *QUICK, *flags, f"--data.root={root}", f"--runs={tmp_path}/runs")
        assert done.code == 0, done.err
        (weights,) = (tmp_path / "runs" / gpu / "0").rglob("last.ckpt")
        losses.append(torch.load(weights, weights_only=True)["state_dict"])
    for name, value in losses[0].items():
        torch.testing.assert_close(losses[1][name], value, rtol=0.05, atol=0.01, msg=name)
