"""`partners: block`: every image of a block is decoded once, and a sample is still a function of its place."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detaug.batches.augmenter import Augmenter
from detaug.batches.datamodule import SignData
from detaug.batches.dataset import SignDataset
from detaug.batches.page import read_page
from detaug.draws.balance import Balance
from detaug.errors import InputError
from detaug.readers.image import Coded
from detaug.readers.read import read
from detaug.render.source import Source
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from tests.batches import test_gpu_batches as gpu
from tests.batches.painting import NAMES, grounds_in, painted
from tests.batches.test_augmenter import EPOCHS, IMAGES, RECIPE, digest, seen
from tests.running import program

MIXING = Recipe(mosaic=Mosaic(p=1), mixup=Mixup(p=0.3))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted(tmp_path_factory.mktemp("data"), {"train": IMAGES}, size=(150, 200))


def made(root: Path, recipe: Recipe = RECIPE, **settings: Any) -> Augmenter:
    usual: dict[str, Any] = {"balance": Balance(threshold=0.9), "rare": NAMES, "partners": "block", "block": 4}
    return Augmenter(read(root), recipe, 64, **{**usual, **settings})


class Reads:
    """Opens files, and counts how often each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, path: Path) -> Coded:
        self.counts[path.name] += 1
        return Coded(path)


@pytest.mark.parametrize("cache_bytes", [0, 40_000, None])
@pytest.mark.parametrize(("workers", "world"), [(0, 1), (0, 2), (2, 1)])
def test_workers_ranks_and_caches_change_no_pixel(
    cache_bytes: int | None, workers: int, world: int, root: Path
) -> None:
    """Blocks of four and batches of four or, on two ranks, of two."""
    one = made(root)
    expected = {(e, s): digest(one[e, s]) for e in range(EPOCHS) for s in range(IMAGES)}
    assert seen(made(root, cache_bytes=cache_bytes), workers, workers > 0, world) == expected


def test_going_on_after_an_epoch_is_the_same(root: Path) -> None:
    whole = made(root)
    before = {(e, s): digest(whole[e, s]) for e in range(3) for s in range(IMAGES)}
    resumed = made(root, cache_bytes=0)
    for place in [(2, 7), (1, 3), (2, 0), (2, 11)]:
        assert digest(resumed[place]) == before[place]


def test_partners_alone_change(root: Path) -> None:
    one, other = made(root), made(root, partners="any")
    for slot in range(IMAGES):
        near, far = one.scene(0, slot), other.scene(0, slot)
        assert near.draw == far.draw
        assert near.noise == far.noise
        assert near.opacity == far.opacity
        assert digest(one.make(one.draw(0, slot, mixing=False)).sample) == digest(
            other.make(other.draw(0, slot, mixing=False)).sample
        )
    assert any(one.scene(0, s).image.tolist() != other.scene(0, s).image.tolist() for s in range(IMAGES))


@pytest.mark.parametrize("recipe", [Recipe(mosaic=Mosaic(p=1)), Recipe(mixup=Mixup(p=1))])
def test_the_classes_of_partners_are_balanced(recipe: Recipe, root: Path) -> None:
    """Against a count by hand of what the repeat factors say."""
    balance = Balance(threshold=1, power=1)
    augmenter = made(root, recipe, balance=balance, length=42)
    catalog = augmenter.catalog
    rows = [
        row
        for epoch in range(250)
        for scene in recipe.plans((augmenter.draw(epoch, s) for s in range(42)), augmenter.stage)
        for row in _partners(scene.image[scene.role == Role.TILE].tolist(), scene.draw.item)
    ]
    found, expected = np.zeros(3), np.zeros(3)
    for row, count in Counter(rows).items():
        np.add.at(found, catalog.labels[catalog.objects(row)], count)
    for row in range(IMAGES):
        labels = catalog.labels[catalog.objects(row)].tolist()
        holding = [sum(label in catalog.labels[catalog.objects(r)] for r in range(IMAGES)) for label in labels]
        np.add.at(expected, labels, max(IMAGES / count for count in holding))
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=0.03)


def _partners(tiles: list[int], own: int) -> list[int]:
    """The images of a scene without its own, once."""
    tiles.remove(own)
    return tiles


@pytest.mark.parametrize("batch", [16, 32, 8, 5])
def test_each_image_is_decoded_once(batch: int, tmp_path: Path) -> None:
    """Nothing is cached, and in one process a block may lie in two batches."""
    catalog = read(painted(tmp_path, {"train": 64}))
    counts = {}
    for partners in ("any", "block"):
        augmenter = Augmenter(catalog, MIXING, 32, cache_bytes=0, partners=partners)
        reads = Reads()
        augmenter.source = Source(catalog, (32, 32), 0, open_file=reads)
        samples = SignDataset(augmenter)
        for first in range(0, 64, batch):
            samples.__getitems__([augmenter.draw(1, s) for s in range(first, min(first + batch, 64))])
        counts[partners] = reads.counts
    assert set(counts["block"].values()) == {1}
    assert len(counts["block"]) == 64
    assert counts["any"].total() > 3.5 * 64


def test_what_is_held_is_bounded_and_changes_no_pixel(root: Path) -> None:
    catalog, reads = read(root), Reads()
    source, plain = Source(catalog, (64, 64), 0, open_file=reads), Source(catalog, (64, 64), 0)
    name = [Path(catalog.name(row)).name for row in range(IMAGES)]
    source.hold([0, 1])
    for row in (0, 5, 1, 5, 0, 1):
        for index in (0, 1):
            np.testing.assert_array_equal(source.picture(row, index).rgb, plain.picture(row, index).rgb)
    assert reads.counts == {name[0]: 1, name[1]: 1, name[5]: 4}
    source.hold([1, 2])
    for row in (1, 0):
        source.picture(row, 1)
    assert reads.counts == {name[0]: 2, name[1]: 1, name[5]: 4}
    source.hold(())
    source.picture(1, 1)
    assert reads.counts[name[1]] == 2


def test_nothing_is_held_where_nothing_mixes(root: Path) -> None:
    augmenter, reads = made(root, MIXING, cache_bytes=0), Reads()
    augmenter.source = Source(augmenter.catalog, (64, 64), 0, open_file=reads)
    for _ in range(2):
        augmenter.make(augmenter.draw(0, 3, mixing=False))
    assert list(reads.counts.values()) == [2]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_of_training_shows_its_own_images_alone(workers: int, tmp_path: Path) -> None:
    """Colour-coded images in batches of one block."""
    root = painted(tmp_path, {"train": 16, "val": 2})
    settings: dict[str, Any] = {"recipe": Recipe(mosaic=Mosaic(p=1, focus=0)), "size": 64, "batch_size": 4}
    shown = {}
    for partners in ("any", "block"):
        data = SignData(str(root), **settings, workers=workers, cache_gb=0, partners=partners, block=4)
        data.setup("fit")
        shown[partners] = [
            grounds_in(np.concatenate(batch.images.permute(0, 2, 3, 1).numpy()), 18)
            for batch in data.train_dataloader()
        ]
    assert shown["block"] == [4] * 4
    assert min(shown["any"]) > 4


def test_the_device_is_sent_the_same_scenes(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 18, "val": 2}, size=(96, 128))
    modules = [gpu.data(root, on, partners="block", block=4) for on in (False, True)]
    for one, other in zip(*(gpu.epoch(module) for module in modules), strict=True):
        gpu.equal_but_for_pictures(one, other)
        assert (one.images.int() - other.images.int()).abs().float().mean() < 0.5


def test_it_is_recorded_and_found_again(tmp_path: Path) -> None:
    done = program("fit", "--data.partners=block", "--data.block=8", "--print_config")
    assert done.code == 0, done.err
    page = tmp_path / "config.yaml"
    page.write_text(done.out)
    assert (read_page(str(page)).partners, read_page(str(page)).block) == ("block", 8)
    assert read_page("signs").partners == "any"


def test_nonsense_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.partners is any or block, not 'near'"):
        made(root, partners="near")
    with pytest.raises(InputError, match=r"data\.block .* not 2"):
        made(root, block=2)
    page = tmp_path / "page.yaml"
    page.write_text("data: {recipe: {}, block: many}")
    with pytest.raises(InputError, match=r"data\.block .* not 'many'"):
        read_page(str(page))
