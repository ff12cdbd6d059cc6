"""The bank of donors: it changes no pixel, spares the decoding, and is never older than its images."""

import os
import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn

from detaug.batches.augmenter import Augmenter
from detaug.batches.datamodule import SignData
from detaug.errors import InputError
from detaug.readers.arrays import packed, unpacked
from detaug.readers.catalog import Catalog
from detaug.readers.image import Coded
from detaug.render import bank_builder
from detaug.render.bank import LEVELS, Bank
from detaug.render.bank_builder import bank_of
from detaug.render.cpu import render
from detaug.render.picture import PAD
from detaug.render.source import BrokenImage, Source
from detaug.scenes.affine import Affine, about_centre
from detaug.scenes.crop import Crop
from detaug.scenes.flip import Flip
from detaug.scenes.levels import choose, levels
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Blend, Role, Scene
from detaug.scenes.stage import Stage
from tests.batches.painting import NAMES, painted
from tests.scenes.painted import planned, stage, world

SIZE = (120, 160)
LARGE, SMALL = (600, 800), (90, 120)  # with two levels and with one
EDGES = {"hard": 1.0, "feather": 1.0, "gaussian": 1.0, "poisson": 1.0}
PASTE = Paste(p=1, count_range=(2, 4), scale_range=(0.3, 3), enlarge=3, shrink=0.02, blend=EDGES, decoy=0)
RECIPE = Recipe(mosaic=Mosaic(p=0.5), crop=Crop(p=0.3), paste=PASTE, flip=Flip(p=0.5), affine=Affine(p=0.8))


def written(root: Path, images: int = 16) -> Catalog:
    """Pictures full of detail, so that no two places look alike; every fourth is small."""
    catalog = world(images, *LARGE)
    sizes = np.array([SMALL if row % 4 == 3 else LARGE for row in range(images)], np.int32)
    for row, (height, width) in enumerate(sizes.tolist()):
        rng = np.random.default_rng(row)
        coarse = rng.integers(0, 256, (height // 5, width // 5, 3)).astype(np.uint8)
        fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        (root / f"{row}.png").write_bytes(cv2.imencode(".jpg", fine)[1].tobytes())  # JPEGs are fast to read
    share = sizes[catalog.images_of_boxes(), 0] / LARGE[0]
    return replace(catalog, root=root, sizes=sizes, boxes=(catalog.boxes * share[:, None]).astype(np.float32))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return stage(written(tmp_path_factory.mktemp("pictures")), SIZE)


class Counting:
    """Opens files, and remembers which."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, path: Path) -> Coded:
        self.seen.append(int(path.stem))
        return Coded(path)


def bank_on(ground: Stage, catalog: Catalog | None = None) -> Bank:
    bank = bank_of(catalog or ground.catalog, ground.size, ground.donors.box)
    assert bank is not None
    return bank


def scenes(ground: Stage, count: int, recipe: Recipe = RECIPE) -> list[Scene]:
    return [planned(recipe, ground, slot) for slot in range(count)]


def kinds(scene: Scene) -> set[str]:
    """What is special about the pastes of a scene."""
    found = set()
    for k in np.flatnonzero(scene.role == Role.PASTE):
        index, halvings = choose(scene.matrix[k, :2, :2].ravel().tolist(), *LARGE, scene.size)
        (x1, y1, x2, y2), matrix = scene.region[k], scene.matrix[k]
        x, y = matrix[:2, :2] @ np.array([[x1, x2, x2, x1], [y1, y1, y2, y2]]) + matrix[:2, 2:]
        cut = x.min() < 0 or y.min() < 0 or x.max() > scene.size[1] or y.max() > scene.size[0]
        found |= {Blend(scene.blend[k]).name, f"level {index}", f"halved {halvings}"} | ({"cut"} if cut else set())
        found |= {"turned"} if abs(matrix[0, 1]) > 0.1 * abs(matrix[0, 0]) else set()
        found |= {"enlarged"} if np.linalg.det(matrix[:2, :2]) > 1 else set()
    return found


def test_the_bank_changes_no_pixel_and_spares_every_donors_image(ground: Stage) -> None:
    bank, met = bank_on(ground), set[str]()
    counting = Counting()
    plain = Source(ground.catalog, SIZE)
    banked = Source(ground.catalog, SIZE, 0, counting, bank=bank)
    for scene in scenes(ground, 80):
        counting.seen = []
        np.testing.assert_array_equal(render(scene, banked), render(scene, plain))
        assert counting.seen == scene.image[scene.tiles()].tolist()
        met |= kinds(scene)
    assert met >= {*Blend.__members__, "level 0", "level 1", "halved 0", "halved 1", "cut", "turned", "enlarged"}


@pytest.mark.parametrize(("degrees", "scale"), [(45, 1.0), (45, 0.3), (0, 0.1), (170, 2.0)])
def test_beyond_what_is_kept_the_image_itself_is_read(ground: Stage, degrees: float, scale: float) -> None:
    counting = Counting()
    plain, banked = Source(ground.catalog, SIZE), Source(ground.catalog, SIZE, 0, counting, bank=bank_on(ground))
    some = [scene.moved(about_centre(SIZE, degrees=degrees, scale=scale)) for scene in scenes(ground, 15)]
    for scene in some:
        np.testing.assert_array_equal(render(scene, banked), render(scene, plain))
    read = len(counting.seen) - sum(len(scene.tiles()) for scene in some)
    assert (read > 0) == (degrees == 45 or scale == 0.1)


def test_decoys_are_read_from_their_images(ground: Stage) -> None:
    counting = Counting()
    source = Source(ground.catalog, SIZE, 0, counting, bank=bank_on(ground))
    decoys = 0
    for scene in scenes(ground, 30, replace(RECIPE, paste=replace(PASTE, decoy=1, scale_range=(0.3, 1)))):
        counting.seen = []
        render(scene, source)
        own = scene.image[scene.role == Role.DECOY]
        decoys += len(own)
        assert Counter(counting.seen) == Counter([*scene.image[scene.tiles()].tolist(), *own.tolist()])
    assert decoys > 5


def test_patches_are_pieces_of_the_pictures(ground: Stage) -> None:
    catalog, bank = ground.catalog, bank_on(ground)
    source, image = Source(catalog, SIZE), catalog.images_of_boxes()
    np.testing.assert_array_equal(bank.boxes, np.sort(ground.donors.box))
    for box in bank.boxes.tolist():
        row = int(image[box])
        for index, level in enumerate(levels(*catalog.sizes[row].tolist(), SIZE)):
            patch, picture = bank.patch(box, row, index), source.picture(row, index).rgb
            assert patch is not None
            assert picture.shape[:2] == (level.height + 2 * PAD, level.width + 2 * PAD)
            height, width = patch.rgb.shape[:2]
            part = picture[patch.top : patch.top + height, patch.left : patch.left + width]
            np.testing.assert_array_equal(patch.rgb, part)
            assert not patch.rgb.flags.writeable
    other = np.setdiff1d(np.arange(len(catalog.boxes)), bank.boxes)
    assert all(bank.patch(int(box), int(image[box]), 0) is None for box in other)
    first = int(bank.boxes[0])
    assert bank.patch(first, int(image[first]) + 1, 0) is None
    assert bank.patch(len(catalog.boxes), 0, 0) is None


def test_a_pickled_bank_is_a_path_and_a_lost_file_costs_no_pixel(tmp_path: Path) -> None:
    own = stage(written(tmp_path), SIZE)
    bank = bank_on(own)
    data = pickle.dumps(bank)
    assert len(data) < 500
    again = pickle.loads(data)  # noqa: S301
    assert again.boxes.tolist() == bank.boxes.tolist()
    late: Bank = pickle.loads(data)  # noqa: S301
    bank.path.unlink()
    assert late.boxes.tolist() == []
    for scene in scenes(own, 5):
        expected = render(scene, Source(own.catalog, SIZE, 0))
        for held in (late, again, bank):
            np.testing.assert_array_equal(render(scene, Source(own.catalog, SIZE, 0, bank=held)), expected)


def forged(path: Path, **changes: Callable[[NDArray[np.generic]], NDArray[np.generic]]) -> bytes:
    content = unpacked(path)
    assert content is not None
    header, arrays = content
    return packed(header, {name: changes.get(name, np.asarray)(array) for name, array in arrays.items()})


def shifted(by: Sequence[int]) -> Callable[[NDArray[np.generic]], NDArray[np.generic]]:
    return lambda window: np.asarray(window + np.array(by, np.int32), np.int32)


def overflowing(path: Path) -> bytes:
    """With 16 donors more whose bytes, 3 * 2^60 each, come to 0 in 64 bits."""
    more = np.zeros((16, LEVELS, 4), np.int32)
    more[:, 0, 2:] = 2**30
    return forged(
        path,
        box=lambda a: np.concatenate([a, 10**6 + np.arange(16)]),
        image=lambda a: np.concatenate([a, np.zeros(16, np.int64)]),
        held=lambda a: np.concatenate([a, np.ones(16, np.uint8)]),
        window=lambda a: np.concatenate([a, more]),
    )


FORGERIES: dict[str, Callable[[Path], bytes]] = {
    "cut": lambda path: path.read_bytes()[:-100],
    "empty": lambda _: b"",
    "one byte": lambda path: path.read_bytes()[:-500] + bytes([path.read_bytes()[-500] ^ 1]) + path.read_bytes()[-499:],
    "another key": lambda path: packed({"key": "0" * 32}, (unpacked(path) or ({}, {}))[1]),
    "no key": lambda path: packed({}, (unpacked(path) or ({}, {}))[1]),
    "an array less": lambda path: packed({"key": path.stem}, {"box": np.arange(3)}),
    "no donors": lambda path: forged(path, box=lambda a: a[:0]),
    "short pixels": lambda path: forged(path, pixels=lambda a: a[:-3]),
    "wide windows": lambda path: forged(path, window=shifted((0, 0, 50, 0))),
    "negative windows": lambda path: forged(path, window=shifted((-(2**30),) * 4)),
    "overflowing windows": overflowing,
    "other dtype": lambda path: forged(path, window=lambda a: a.astype(np.int64)),
    "unsorted": lambda path: forged(path, box=lambda a: a[::-1]),
    "flat windows": lambda path: forged(path, window=lambda a: a.reshape(-1, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_damaged_or_forged_file_is_refused_and_made_again(ground: Stage, name: str) -> None:
    path = bank_on(ground).path
    whole = path.read_bytes()
    path.write_bytes(FORGERIES[name](path))
    assert path.read_bytes() != whole
    assert not Bank(path, path.stem).opened()
    assert Bank(path, path.stem).patch(int(ground.donors.box[0]), 0, 0) is None
    assert bank_on(ground).path == path
    assert path.read_bytes() == whole
    assert not [f for f in path.parent.iterdir() if f.name.startswith(".") and f.name.endswith(".bank")]


def test_a_changed_image_leads_to_another_bank(tmp_path: Path) -> None:
    own = stage(written(tmp_path), SIZE)
    old = bank_on(own).path
    assert bank_on(own).path == old
    image = own.catalog.path(int(own.donors.image[0]))
    cv2.imwrite(str(image), 255 - np.asarray(cv2.imread(str(image)), np.uint8))
    os.utime(image, ns=(1, 1))
    bank = bank_on(own)
    assert bank.path != old
    plain, banked = Source(own.catalog, SIZE), Source(own.catalog, SIZE, 0, bank=bank)
    for scene in scenes(own, 15):
        np.testing.assert_array_equal(render(scene, banked), render(scene, plain))
    for boxes, size in ((own.donors.box[:-1], SIZE), (own.donors.box, (128, 160))):
        other = bank_of(own.catalog, size, boxes)
        assert other is not None
        assert other.path not in (old, bank.path)


def test_an_image_that_changes_while_it_is_read_leaves_no_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "pictures").mkdir()
    own = stage(written(tmp_path / "pictures"), SIZE)

    def touching(path: Path) -> Coded:
        os.utime(path)
        return Coded(path)

    assert bank_of(own.catalog, SIZE, own.donors.box, open_file=touching) is None
    assert not list(tmp_path.rglob("*.bank*"))


def test_broken_images_are_met_as_without_a_bank(tmp_path: Path) -> None:
    own = stage(written(tmp_path), SIZE)
    rows = np.unique(own.donors.image)
    cut, grown = int(rows[0]), int(rows[1])
    own.catalog.path(cut).write_bytes(own.catalog.path(cut).read_bytes()[:-40])
    cv2.imwrite(str(own.catalog.path(grown)), np.zeros((LARGE[0] + 1, LARGE[1], 3), np.uint8))
    bank = bank_on(own)
    assert set(own.catalog.images_of_boxes()[bank.boxes].tolist()) == set(rows.tolist()) - {cut, grown}
    met = 0
    for scene in scenes(own, 20):
        source = Source(own.catalog, SIZE, bank=bank)
        if not {cut, grown} & set(scene.image.tolist()):
            np.testing.assert_array_equal(render(scene, source), render(scene, Source(own.catalog, SIZE)))
            continue
        with pytest.raises(BrokenImage) as banked:
            render(scene, source)
        with pytest.raises(BrokenImage) as plain:
            render(scene, Source(own.catalog, SIZE))
        assert banked.value.row == plain.value.row
        met += 1
    assert 0 < met < 20


def test_beyond_the_bound_the_largest_have_no_entry(ground: Stage, tmp_path: Path) -> None:
    own = stage(written(tmp_path), SIZE)
    whole = bank_on(own)
    each = {
        box: sum(patch.rgb.size for k in range(LEVELS) if (patch := whole.patch(box, row, k)) is not None)
        for box, row in zip(whole.boxes.tolist(), own.catalog.images_of_boxes()[whole.boxes].tolist(), strict=True)
    }
    whole.path.unlink()
    most = sum(each.values()) // 3
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bank_builder, "MOST", most)
        bank = bank_on(own)
        assert bank_on(own).path == bank.path
    kept = [each[box] for box in bank.boxes.tolist()]
    left = [size for box, size in each.items() if box not in set(bank.boxes.tolist())]
    assert 0 < sum(kept) <= most
    assert sum(kept) + min(left) > most
    assert max(kept) <= min(left)
    for scene in scenes(own, 10):
        made = render(scene, Source(own.catalog, SIZE, bank=bank))
        np.testing.assert_array_equal(made, render(scene, Source(own.catalog, SIZE)))


def test_where_there_is_nothing_to_keep_or_nowhere_there_is_no_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = stage(written(tmp_path), SIZE)
    assert bank_of(own.catalog, SIZE, np.empty(0, np.int64)) is None
    monkeypatch.setattr(bank_builder, "MOST", 10)
    assert bank_of(own.catalog, SIZE, own.donors.box) is None
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    tmp_path.chmod(0o555)
    assert bank_of(own.catalog, SIZE, own.donors.box) is None
    augmenter = Augmenter(own.catalog, RECIPE, SIZE, cache_bytes=0, bank=True)
    np.testing.assert_array_equal(augmenter[0, 1].image, Augmenter(own.catalog, RECIPE, SIZE)[0, 1].image)
    tmp_path.chmod(0o755)
    assert not list(tmp_path.rglob("*.bank"))
    with pytest.raises(InputError, match="none of the image files"):
        bank_of(replace(own.catalog, has_images=False), SIZE, own.donors.box)


def test_two_processes_at_once_make_the_same_file(tmp_path: Path) -> None:
    own = stage(written(tmp_path), SIZE)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        given = own.catalog, SIZE, own.donors.box
        one, other = [run.result() for run in [pool.submit(bank_of, *given) for _ in range(2)]]
    assert one is not None
    assert other is not None
    assert one.path == other.path
    assert [f.name for f in (tmp_path / ".detaug").iterdir() if "bank" in f.name] == [one.path.name]
    made = one.path.read_bytes()
    one.path.unlink()
    assert bank_on(own).path.read_bytes() == made


def fitting(root: Path, paste: Paste | None = PASTE, **settings: Any) -> SignData:
    """Data in the hands of a trainer that is about to fit."""
    recipe = Recipe(paste=paste)
    module = SignData(str(root), recipe=recipe, size=64, rare=list(NAMES), workers=0, cache_gb=0, **settings)
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", devices=1)
    trainer.state.fn = TrainerFn.FITTING
    module.trainer = trainer
    return module


def banks(root: Path) -> list[Path]:
    return sorted(root.rglob("*.bank"))


@pytest.mark.parametrize("fold", [None, "1/3", "2/3"])
def test_training_keeps_donors_of_the_training_split_alone(tmp_path: Path, fold: str | None) -> None:
    root = painted(tmp_path, {"train": 9, "val": 3})
    module = fitting(root, fold=fold)
    module.prepare_data()
    (path,) = banks(root)
    module.setup("fit")
    augmenter = module.train_dataloader().dataset.augmenter  # type: ignore[attr-defined]
    assert banks(root) == [path]
    catalog = module.part("train")
    bank = Bank(path, path.stem)
    assert len(bank.boxes) > 0
    assert set(bank.boxes.tolist()) <= set(augmenter.stage.donors.box.tolist())
    source = Source(catalog, augmenter.stage.size)
    for box, row in zip(bank.boxes.tolist(), catalog.images_of_boxes()[bank.boxes].tolist(), strict=True):
        patch = bank.patch(box, row, 0)
        assert patch is not None
        height, width = patch.rgb.shape[:2]
        whole = source.picture(row, 0).rgb
        part = whole[patch.top : patch.top + height, patch.left : patch.left + width]
        np.testing.assert_array_equal(patch.rgb, part)  # each image's ground has a colour of its own
    plain = Augmenter(catalog, Recipe(paste=PASTE), 64, rare=list(NAMES), colours=module._colours())
    for slot in range(len(plain)):
        np.testing.assert_array_equal(augmenter[0, slot].image, plain[0, slot].image)


def test_nothing_is_kept_that_no_training_needs(tmp_path: Path) -> None:
    root = painted(tmp_path, {"train": 4, "val": 2})
    on_device = fitting(root, replace(PASTE, blend={"hard": 1.0}), gpu=True)
    scoring = fitting(root)
    assert scoring.trainer is not None
    scoring.trainer.state.fn = TrainerFn.VALIDATING
    for module in (on_device, scoring, fitting(root, None), fitting(root, replace(PASTE, p=0))):
        module.prepare_data()
        if module is not scoring:
            module.train_dataloader()
    assert banks(root) == []
