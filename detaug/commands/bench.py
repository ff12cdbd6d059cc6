"""`detaug bench`: how many samples a second the augmentation makes of the user's images, and where the time goes."""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.batches.augmenter import Augmenter
from detaug.batches.page import read_page
from detaug.commands.words import add_split, natural, part, read_words, size, whole
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.colours import measured_colours
from detaug.render.cpu import render
from detaug.render.pack import Pack, beside
from detaug.scenes.finish import finished
from detaug.scenes.scene import Scene
from detaug.waiting import waiting

if TYPE_CHECKING:
    from detaug.batches.dataset import Item

_WAYS = {"kept": "images kept in memory", "read": "decoded for each sample", "packed": "read from the pack"}
_BATCH = 4
_ROUNDS = 5
_STAGED = 24  # scenes of which the stages are timed


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "bench", parents=[data], help="samples a second that the augmentation makes, and where the time goes",
        description="Some images of the dataset, read, augmented and packed into batches as for training: with the "
        "images kept in memory, decoded for each sample, and from a pack if there is one. Each process has one thread.",
    )  # fmt: skip
    add = command.add_argument
    recipe = "a built-in recipe, a recipe file, or a page such as configs/X.yaml; signs by default"
    add("--recipe", default="signs", metavar="R", help=recipe)
    add_split(add)
    add("--size", type=size, metavar="S", help="canvas, a side or HxW; the page's or 640 by default")
    add("--workers", type=_workers, default=0, metavar="N", help="also measure N processes; none by default")
    add("--images", type=_count, default=100, metavar="N", help="images that are used; 100 by default")
    add("--samples", type=_count, default=200, metavar="N", help="samples that are timed; 200 by default")
    pack = "also measure images from this pack; by default from one that lies beside the dataset"
    add("--pack", type=Path, metavar="FILE", help=pack)
    add("--network", type=_count, metavar="X", help="images a second that your network can train on")
    add("--seed", type=natural, default=0, help="0 by default")
    add("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    page = read_page(args.recipe)
    canvas = args.size or page.size or (640, 640)
    cv2.setNumThreads(0)
    with waiting("Reading", quiet=args.format == "drawn"):
        catalog = some(part(read_words(args), args.split), args.images)
    if len(catalog) == 0:
        raise InputError(f"{args.root}: there is no image to augment.")
    with tempfile.TemporaryDirectory() as folder, waiting("Measuring light", len(catalog)) as watched:
        pasted = page.recipe.paste is not None
        colours = measured_colours(catalog, Path(folder), watched) if pasted else None

    pack = beside(catalog.root, canvas)[0] if args.pack is None else Pack(args.pack)

    length = max(args.samples, _STAGED) + (args.workers + 1) * 8 * _BATCH  # no draw comes twice

    def augmenter(cache_bytes: int | None, pack: Pack | None = None) -> Augmenter:
        return Augmenter(
            catalog, page.recipe, canvas, args.seed, balance=page.balance, rare=page.rare, length=length,
            cache_bytes=cache_bytes, colours=colours, partners=page.partners, block=page.block,
            pack=pack,
        )  # fmt: skip

    kept, read = augmenter(None), augmenter(0)
    with waiting("Decoding", len(catalog)) as watched:
        kept.source.fill(watched(range(len(catalog))))
    processes = (0, args.workers) if args.workers else (0,)
    ways = {"kept": kept, "read": read} | ({} if pack is None else {"packed": augmenter(0, pack)})
    rates: dict[str, dict[int, float]] = {way: {} for way in ways}
    with waiting("Timing", len(ways) * len(processes) + 1) as watched:
        for way, workers in watched([(way, workers) for way in ways for workers in processes]):
            rates[way][workers] = rate(ways[way], args.samples, workers)
        for _ in watched([None]):
            shares = stages(kept, read)
    found = Found(args.recipe, len(catalog), canvas, rates, shares)
    print(json.dumps(found.as_json(), allow_nan=False) if args.json else found.text(args.network))
    return 0


def some(catalog: Catalog, count: int) -> Catalog:
    """At most so many images, spread over the dataset."""
    rows = np.unique(np.linspace(0, len(catalog) - 1, min(count, len(catalog))).astype(np.int64))
    return catalog.take(rows) if len(rows) < len(catalog) else catalog


def rate(augmenter: Augmenter, samples: int, workers: int) -> float:
    """Samples a second by the clock, batches of four; `workers` processes, or none but this one."""
    from torch.utils.data import DataLoader

    from detaug.batches.dataset import SignDataset, collate, one_thread

    batches = max(samples // _BATCH, 1)
    early = max(4 * workers, 2)  # workers fill their queues before the first batch is taken
    draws = [[augmenter.draw(0, b * _BATCH + i) for i in range(_BATCH)] for b in range(batches + 2 * early)]
    loader: DataLoader[Any] = DataLoader(
        SignDataset(augmenter), batch_sampler=draws, num_workers=workers, collate_fn=collate,
        worker_init_fn=one_thread if workers else None,
    )  # fmt: skip
    coming = iter(loader)
    for _ in range(early):
        next(coming)
    begun = time.perf_counter()
    for _ in range(batches):
        next(coming)
    return batches * _BATCH / (time.perf_counter() - begun)


def stages(kept: Augmenter, read: Augmenter) -> dict[str, float]:
    """CPU milliseconds a sample of each stage, the least of some rounds; `decode` only where images are not kept."""
    import torch

    from detaug.batches.dataset import SignDataset

    recipe, draws = kept.recipe, [kept.draw(1, slot) for slot in range(_STAGED)]
    scenes = list(recipe.plans(draws, kept.stage))
    dataset, pictures = SignDataset(kept), torch.zeros((_BATCH, 3, *kept.stage.size), dtype=torch.uint8)
    items = [dataset.item(made, (pictures, i % _BATCH)) for i, made in enumerate(kept.makes(draws))]
    bare: dict[str, Any] = {"colour": None, "curve": None, "noise": None, "effects": ()}
    grown: list[tuple[str, list[Scene]]] = []
    for name, fields in (
        ("warp", ()),
        ("colour", ("colour", "curve")),
        ("noise", ("noise",)),
        ("effects", ("effects",)),
    ):
        bare = {field: value for field, value in bare.items() if field not in fields}
        grown.append((name, [replace(scene, **bare) for scene in scenes]))
    steps: dict[str, Callable[[], object]] = {
        "plan": lambda: list(recipe.plans(draws, kept.stage)),
        "finish": lambda: finished(scenes, recipe.min_visible, recipe.min_side),
        **{name: lambda some=some: _drawn(some, kept) for name, some in grown},  # type: ignore[misc]
        "convert": lambda: [_joined(items[i : i + _BATCH], pictures.numpy()) for i in range(0, len(items), _BATCH)],
        "decode": lambda: _drawn(grown[0][1], read),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(_ROUNDS + 1):  # the first fills caches
        for name, step in steps.items():
            begun = time.process_time()
            step()
            taken[name].append((time.process_time() - begun) / len(draws) * 1e3)
    found = {name: min(values[1:]) for name, values in taken.items()}
    order = ["warp", "colour", "noise", "effects"]
    more = {after: max(found[after] - found[before], 0.0) for before, after in pairwise(order)}
    return {**found, **more, "decode": max(found["decode"] - found["warp"], 0.0)}


def _drawn(scenes: list[Scene], augmenter: Augmenter) -> None:
    """Render scenes and keep none: the memory of many pictures would be counted as well."""
    for scene in scenes:
        render(scene, augmenter.source)


def _joined(items: "list[Item]", pictures: NDArray[np.uint8]) -> object:
    """A batch of samples whose pictures go into memory that is there already, as in a training."""
    from detaug.batches.dataset import collate, split_into

    split_into(pictures, items)
    return collate(items)


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured.

    Attributes:
        recipe: its name.
        images: how many were used.
        canvas: height and width.
        rates: samples a second by whether images were `kept`, `read` or `packed`, and by the number of workers, 0 for
            none.
        stages: CPU milliseconds a sample.
    """

    recipe: str
    images: int
    canvas: tuple[int, int]
    rates: dict[str, dict[int, float]]
    stages: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        rates = {name: {str(w): round(r, 1) for w, r in found.items()} for name, found in self.rates.items()}
        return {
            "images": self.images,
            "size": list(self.canvas),
            "samples_per_second": rates,
            "milliseconds": {name: round(value, 4) for name, value in self.stages.items()},
        }

    def text(self, network: int | None) -> str:
        """Lines for a reader; the last says what training would wait for."""
        height, width = self.canvas
        lines = [f"{self.images} images, {self.recipe}, samples of {height}x{width}:"]
        for name, found in self.rates.items():
            for workers, each in found.items():
                lines.append(f"  {_WAYS[name]:24}{_processes(workers):>14}{each:10.0f} samples/s")
        kept = {name: value for name, value in self.stages.items() if name != "decode"}
        whole_ = sum(kept.values())
        lines.append("CPU time of a sample, images kept in memory:")
        lines += [f"  {name:10}{value:9.3f} ms{value / whole_:7.0%}" for name, value in kept.items()]
        lines.append(f"  decoding adds {self.stages['decode']:.3f} ms where images are not kept")
        return "\n".join([*lines, self._verdict(network)])

    def _verdict(self, network: int | None) -> str:
        workers = max(self.rates["kept"])
        best, read = self.rates["kept"][workers], self.rates["read"][workers]
        by = f"{_processes(workers).capitalize()} give{'' if workers > 1 else 's'}"
        if network is None:
            return (
                f"{by} {best:.0f} samples/s, {read:.0f} without keeping images: a network that trains on fewer waits "
                "for nothing, a faster one waits for the data."
            )
        if network <= read:
            return f"{by} at least {read:.0f} samples/s: training at {network} images/s waits for the network alone."
        if network <= best:
            return (
                f"{by} {best:.0f} samples/s with images kept and {read:.0f} without: training at {network} images/s "
                "waits for the data unless the images fit in memory."
            )
        return (
            f"{by} at most {best:.0f} samples/s: training at {network} images/s waits for the data; about "
            f"{math.ceil(network * max(workers, 1) / best)} workers would do."
        )


def _processes(workers: int) -> str:
    return "one process" if workers == 0 else "1 worker" if workers == 1 else f"{workers} workers"


def _workers(text: str) -> int:
    return whole(text, 0, 256)


def _count(text: str) -> int:
    return whole(text, 1, 10**6)
