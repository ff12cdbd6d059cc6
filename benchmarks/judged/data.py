"""Small datasets, cut out of a larger one and spoilt where a training shall go wrong."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.proof.runs import claimed
from detaug.classes import ClassTable
from detaug.readers.catalog import Catalog, Split
from detaug.readers.convert.convert import convert
from detaug.readers.drawn.dataset import draw_dataset
from detaug.readers.read import read

MOST = 700  # drawn training scenes
SCENE = (192, 320)  # height and width of drawn scenes; their median sign is 18 pixels

Source = Literal["signs", "drawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Which images a training has.

    Attributes:
        source: `signs` are the photographs that the program is given, `drawn` scenes it draws.
        train: training images, drawn by chance; None for all, of drawn scenes 700.
        val: validation images; all where there are fewer.
        seed: of that chance, and of drawn scenes.
        one_class: whether all signs are one class, which is learnt sooner.
        jitter: how far the sides of training boxes are moved, as a share of the box; validation's stay right.
        easy: whether validation is not its own, but copies of the training images with the largest signs.
    """

    source: Source
    train: int | None = None
    val: int = 80
    seed: int = 0
    one_class: bool = False
    jitter: float = 0.0
    easy: bool = False

    @property
    def name(self) -> str:
        """The folder's name."""
        parts = [self.source, f"{self.train or 'all'}_{self.val}", f"seed{self.seed}"]
        parts += ["one"] * self.one_class + [f"jitter{self.jitter:g}"] * bool(self.jitter) + ["easy"] * self.easy
        return "_".join(parts)


def folder_of(data: Data, signs: Path, out: Path) -> Path:
    """The dataset's folder, made where it is not there yet.

    Args:
        data: which.
        signs: the folder of the photographs.
        out: where datasets are kept, in `data`.
    """
    root = out / "data" / data.name
    with claimed(out / "data" / f".{data.name}.lock", wait=True):
        if not root.exists():
            source = signs if data.source == "signs" else _drawn(out, data)
            convert(_spoilt(_cut(read(source), data), data), root, "coco")
    return root


def _drawn(out: Path, data: Data) -> Path:
    images = {"train": data.train or MOST, "val": data.val}
    name = f"scenes_{images['train']}_{data.val}_seed{data.seed}"
    with claimed(out / "data" / f".{name}.lock", wait=True):
        draw_dataset(out / "data" / name, images=images, seed=data.seed, size=SCENE)
    return out / "data" / name


def _cut(catalog: Catalog, data: Data) -> Catalog:
    """The images that are learnt, and those that are validated on."""
    train = np.flatnonzero(catalog.splits == Split.TRAIN)
    val = np.flatnonzero(catalog.splits == Split.VAL)
    if data.easy:
        val = _easiest(catalog, train, min(data.val, len(val)))
    chance = _chance(data)
    train, val = (np.sort(chance.permutation(rows)[:most]) for rows, most in ((train, data.train), (val, data.val)))
    rows = np.concatenate([train, val])
    splits = np.repeat(np.array([Split.TRAIN, Split.VAL], np.uint8), [len(train), len(val)])
    return replace(catalog.take(rows), splits=splits, ids=np.arange(1, len(rows) + 1))


def _easiest(catalog: Catalog, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Those of these images whose smallest sign is largest."""
    areas = np.prod(catalog.boxes[:, 2:] - catalog.boxes[:, :2], axis=1)
    smallest = np.array([areas[catalog.objects(int(row))].min(initial=np.inf) for row in rows])
    smallest[np.isinf(smallest)] = 0  # without a sign there is nothing to find
    return np.sort(rows[np.argsort(-smallest, kind="stable")[:count]])


def _spoilt(catalog: Catalog, data: Data) -> Catalog:
    """With one class, and with training boxes beside their signs, where that is asked for."""
    if data.one_class:
        catalog = replace(catalog, classes=ClassTable.plain(["sign"]), labels=np.zeros_like(catalog.labels))
    owners = catalog.images_of_boxes()
    learnt = (catalog.splits[owners] == Split.TRAIN)[:, None]
    sides = np.tile(catalog.boxes[:, 2:] - catalog.boxes[:, :2], 2)
    moves = data.jitter * sides * _chance(data).uniform(-1, 1, sides.shape) * learnt
    limits = np.tile(catalog.sizes[owners, ::-1], 2)
    return replace(catalog, boxes=np.clip(catalog.boxes + moves, 0, limits).astype(np.float32))


def _chance(data: Data) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=data.seed))
