"""Images whose header is right but that cannot be decoded."""

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from detaug.batches.augmenter import Augmenter
from detaug.batches.batch import Batch
from detaug.batches.datamodule import SignData
from detaug.batches.dataset import SignDataset, WholeImages, collate
from detaug.draws.sampler import DrawSampler
from detaug.errors import InputError
from detaug.learning.module import SignDetector
from detaug.learning.scoring import Scoring
from detaug.readers.image import ImageError, decode, header
from detaug.readers.read import read
from detaug.render.source import BrokenImage
from detaug.scenes.operation import Operation
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage
from tests.batches.painting import damaged, painted
from tests.learning.rectangles import trainer
from tests.scenes.test_boxes_follow import STRONG

pytestmark = pytest.mark.timeout(60)
ALL = Recipe(**STRONG)  # type: ignore[arg-type]
BAD = ("train/0040.jpg", "train/0100.jpg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight training images, two of them damaged, and four for validation."""
    folder = painted(tmp_path / "data", {"train": 8, "val": 4}, suffix="jpg")
    for name in BAD:
        damaged(folder / name)
    return folder


def one_bad(folder: Path, name: str = BAD[0], **parts: int) -> Path:
    painted(folder, parts or {"train": 8, "val": 4}, suffix="jpg")
    damaged(folder / name)
    return folder


def net() -> SignDetector:
    torch.manual_seed(0)
    return SignDetector(channels=32, head_convs=1)


def data(root: Path, **settings: Any) -> SignData:
    usual: dict[str, Any] = {"size": 64, "batch_size": 4, "workers": 0}
    return SignData(str(root), **{**usual, **settings})


def test_the_damage_shows_only_when_decoding(root: Path) -> None:
    assert header(root / BAD[0]) == (64, 64)
    with pytest.raises(ImageError, match=r"0040\.jpg: the image cannot be decoded"):
        decode(root / BAD[0])
    assert len(read(root)) == 12


@pytest.mark.parametrize("recipe", [Recipe(), ALL])
def test_stand_ins_are_keyed_by_the_slot(root: Path, recipe: Recipe) -> None:
    catalog = read(root).split("train")
    bad = {r for r in range(8) if catalog.name(r) in BAD}
    first, again = (Augmenter(catalog, recipe, 64, length=60) for _ in range(2))
    stand_ins: dict[int, set[int]] = {row: set() for row in bad}
    for slot in reversed(range(60)):
        made = first.make(first.draw(3, slot))
        assert set(made.broken) <= bad
        assert bad.isdisjoint(made.scene.image.tolist())
        assert np.array_equal(made.sample.image, again[3, slot].image)
        if recipe is not ALL and made.broken:
            stand_ins[made.scene.draw.item].add(int(made.scene.image[0]))
    if recipe is not ALL:
        assert all(len(rows) > 1 for rows in stand_ins.values())


@pytest.mark.parametrize("workers", [0, 2])
def test_every_image_is_used_or_reported(root: Path, workers: int) -> None:
    catalog = read(root).split("train")
    augmenter = Augmenter(catalog, Recipe(), 64)
    found = []
    for rank in range(2):
        sampler = DrawSampler(augmenter.order, 2, 9, 2, rank)
        loader = DataLoader(SignDataset(augmenter), 2, sampler=sampler, num_workers=workers, collate_fn=collate)
        found += list(loader)
    shown = sorted(r for batch in found for r in batch.rows.tolist())
    reported = sorted(r for batch in found for r in batch.broken.tolist())
    assert shown == list(range(8))
    assert [catalog.name(r) for r in reported] == list(BAD)
    same = Augmenter(catalog, Recipe(), 64)
    expected = {hashlib.blake2b(same[0, s].image.tobytes()).hexdigest() for s in range(8)}
    pictures = [p.permute(1, 2, 0).contiguous().numpy() for batch in found for p in batch.images]
    assert {hashlib.blake2b(p.tobytes()).hexdigest() for p in pictures} == expected


def test_nothing_but_broken_images_is_an_error(tmp_path: Path) -> None:
    folder = painted(tmp_path, {"train": 5}, suffix="jpg")
    for file in (folder / "train").iterdir():
        damaged(file)
    for recipe in (Recipe(), ALL):
        with pytest.raises(InputError, match=r"train/0.*cannot be decoded"):
            _ = Augmenter(read(folder), recipe, 64)[0, 0]


@dataclass(frozen=True, kw_only=True)
class Stubborn(Operation):
    """Shows the image of one row, whether it can be read or not."""

    row: int = 0

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:  # noqa: ARG002
        return replace(scene, image=np.full(len(scene.image), self.row))


def test_an_operation_that_wants_no_stand_in_is_an_error(root: Path) -> None:
    catalog = read(root).split("train")
    recipe = Recipe(extra={"stubborn": Stubborn(row=[catalog.name(r) for r in range(8)].index(BAD[0]))})
    with pytest.raises(InputError, match=r"0040\.jpg"):
        _ = Augmenter(catalog, recipe, 64)[0, 0]


@pytest.mark.parametrize("workers", [0, 1])
def test_error_names_the_file(root: Path, workers: int) -> None:
    with pytest.raises((InputError, RuntimeError), match=r"train/0(040|100)\.jpg"):
        trainer(root.parent).fit(net(), datamodule=data(root, on_bad_image="error", workers=workers))
    with pytest.raises(BrokenImage, match=r"0040\.jpg"):
        WholeImages(read(root), (64, 64), 0, "error")[[read(root).name(r) for r in range(12)].index(BAD[0])]


@pytest.mark.parametrize("workers", [0, 1])
def test_one_is_reported_and_the_training_goes_on(tmp_path: Path, workers: int) -> None:
    module = data(one_bad(tmp_path / "data"), workers=workers)
    with pytest.warns(UserWarning, match=r"train/0040\.jpg: the image cannot be decoded") as caught:
        trainer(tmp_path, max_epochs=2).fit(net(), datamodule=module)
    assert module.broken.names == {BAD[0]}
    assert sum("cannot be decoded" in str(w.message) for w in caught) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_too_many_end_the_run_and_are_listed(root: Path, workers: int) -> None:
    with (
        pytest.warns(UserWarning, match="cannot be decoded"),
        pytest.raises(InputError, match=r"2 of 12 images cannot be decoded: train/0040\.jpg, train/0100\.jpg"),
    ):
        trainer(root.parent, max_epochs=2).fit(net(), datamodule=data(root, workers=workers))


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_evaluation_counts_a_broken_image_as_missed(tmp_path: Path, stage: str) -> None:
    name = "val/0040.jpg" if stage == "validate" else "test/0200.jpg"
    module = data(one_bad(tmp_path / "data", name, train=2, val=4, test=6))
    model, runner = net(), trainer(tmp_path)
    model._build(module.class_names)
    model.learned = True
    with pytest.warns(UserWarning, match=name):
        getattr(runner, stage)(model, datamodule=module)
    scoring = Scoring.of(runner)
    assert module.broken.names == {name}
    catalog = module.eval_catalog(stage)
    assert len(scoring.found) == len(catalog) == {"validate": 4}.get(stage, 6)
    if scoring.metrics is not None:
        assert sum(c.boxes for c in scoring.metrics.classes.values()) == len(catalog.boxes)


def test_the_blank_image_keeps_its_boxes(root: Path) -> None:
    catalog = read(root)
    item = WholeImages(catalog, (64, 64), 0, "skip")[[catalog.name(r) for r in range(12)].index(BAD[0])]
    assert item is not None
    assert len(item.sample.boxes) == 2
    assert len(np.unique(item.sample.image)) == 1
    assert len(item.broken) == 1


def test_broken_names_of_another_process_are_counted_but_not_said_again(tmp_path: Path) -> None:
    module = data(painted(tmp_path, {"train": 2}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module.broken.join({"a.jpg"}, 2)
    with pytest.raises(InputError, match=r"a\.jpg, b\.jpg"):
        module.broken.join({"b.jpg"}, 2)


def test_no_broken_image_means_no_word(tmp_path: Path) -> None:
    module = data(painted(tmp_path, {"train": 2}))
    batch: Batch = collate([])
    assert module.on_before_batch_transfer(batch, 0) is batch
    assert module.broken.names == set()
