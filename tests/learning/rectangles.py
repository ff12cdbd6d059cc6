"""Coloured rectangles on grey: a data module and trainers for tests."""

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch.multiprocessing.spawn import spawn
from torch.utils.data import DataLoader

from detaug.batches.batch import Batch
from detaug.classes import ClassTable
from detaug.readers.catalog import Catalog, pack_names

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
SIDE = 96


class Rectangles(LightningDataModule):
    """`images` pictures, twice as large as the canvas they are shown on, with up to three rectangles each.

    Args:
        images: how many; every fourth has none.
        batch: images in a training batch.
        names: class names; colours that are not named are not annotated.
        rank: of this process.
        world: of how many.
    """

    def __init__(
        self, images: int = 6, batch: int = 3, names: tuple[str, ...] = tuple(COLOURS), rank: int = 0, world: int = 1
    ) -> None:
        super().__init__()
        self.batch, self.rank, self.world = batch, rank, world
        self.class_names = list(names)
        self.rare_names = ["blue"]
        rng = np.random.default_rng(7)
        self.images = torch.full((images, 3, SIDE, SIDE), 120, dtype=torch.uint8)
        self.boxes: list[list[list[float]]] = []
        self.labels: list[list[int]] = []
        for row in range(images):
            drawn = [] if row % 4 == 3 else list(COLOURS)[: 1 + row % 3]
            self.boxes.append([])
            self.labels.append([])
            for slot, colour in enumerate(drawn):
                width, height = rng.integers(16, 28, 2)
                x, y = 3 + 31 * slot, int(rng.integers(0, SIDE - 30))
                paint = torch.tensor(COLOURS[colour], dtype=torch.uint8)[:, None, None]
                self.images[row, :, y : y + height, x : x + width] = paint
                if colour in names:
                    self.boxes[-1].append([float(x), float(y), float(x + width), float(y + height)])
                    self.labels[-1].append(names.index(colour))
        self.catalog = self._catalog(images)

    def _catalog(self, images: int) -> Catalog:
        text, ends = pack_names([f"{row}.png" for row in range(images)])
        boxes = [box for image in self.boxes for box in image]
        return Catalog(
            root=Path(),
            classes=ClassTable.plain(self.class_names),
            text=text,
            ends=ends,
            sizes=np.full((images, 2), 2 * SIDE, np.int32),
            starts=np.cumsum([0] + [len(image) for image in self.boxes]).astype(np.int64),
            boxes=2 * np.array(boxes, np.float32).reshape(-1, 4),
            labels=np.array([label for image in self.labels for label in image], np.int32),
            flags=np.zeros(len(boxes), np.uint8),
            ids=np.arange(images, dtype=np.int64) + 100,
            splits=np.zeros(images, np.uint8),
            groups=np.zeros(images, np.int32),
        )

    def eval_catalog(self, stage: str) -> Catalog:  # noqa: ARG002
        return self.catalog

    def of(self, rows: list[int]) -> Batch:
        """The batch of these images."""
        boxes = [box for row in rows for box in self.boxes[row]]
        labels = [label for row in rows for label in self.labels[row]]
        return Batch(
            images=self.images[rows],
            boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(labels, dtype=torch.int64),
            starts=torch.tensor([0] + [len(self.boxes[row]) for row in rows]).cumsum(0),
            rows=torch.tensor(rows, dtype=torch.int64),
            fits=torch.tensor([[0.5, 0.5, 0.0, 0.0]]).repeat(len(rows), 1),
            sizes=torch.full((len(rows), 2), 2 * SIDE),
        )

    def _loader(self, rows: list[int], size: int) -> DataLoader[Any]:
        chunks = [rows[i : i + size] for i in range(0, len(rows), size)] or [[]]
        return DataLoader(chunks, batch_size=None, collate_fn=self.of)  # type: ignore[arg-type]

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(list(range(len(self.images)))[self.rank :: self.world], self.batch)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(list(range(len(self.images)))[self.rank :: self.world], 1)

    def test_dataloader(self) -> DataLoader[Any]:
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.val_dataloader()


def trainer(folder: Path, **settings: Any) -> Trainer:
    """A quiet trainer on one CPU."""
    usual: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "default_root_dir": folder,
    }
    return Trainer(**{**usual, **settings})


def two_processes(work: Callable[..., None], folder: Path, *args: Any) -> None:
    """Run `work(rank, folder, *args)` in two processes that find each other as under torchrun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(_enter, (work, port, folder, *args), nprocs=2)  # type: ignore[no-untyped-call]


def _enter(rank: int, work: Callable[..., None], port: int, folder: Path, *args: Any) -> None:
    torch.set_num_threads(1)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}
    os.environ.update({k: str(v) for k, v in meeting.items()}, TORCHELASTIC_RUN_ID="tests", LOCAL_WORLD_SIZE="2")
    work(rank, folder, *args)


def two_devices(**settings: Any) -> dict[str, Any]:
    """Settings for one of two processes; a hang ends after a minute."""
    strategy = DDPStrategy(process_group_backend="gloo", timeout=timedelta(seconds=60), **settings)
    return {"devices": 2, "strategy": strategy}
