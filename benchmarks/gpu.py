"""How fast the GPU renderer is: its kernel alone, with planning in worker processes, and against kornia.

    python -m benchmarks.gpu                                                  # on a GPU
    python -m benchmarks.gpu --device cpu --size 96 --batch 4 --seconds 1     # its torch form: does it run at all?

Every scene has four tiles and three pastes tried, turned, scaled, coloured and with noise. The clock is read after the
device has finished. Without --data, streets of 1360x800 pixels are drawn first.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from detaug.batches.augmenter import Augmenter
from detaug.batches.dataset import one_thread
from detaug.batches.planned import PlannedBatch, PlannedSigns
from detaug.commands.words import part
from detaug.draws.balance import Balance
from detaug.draws.sampler import DrawSampler
from detaug.readers.drawn import draw_dataset
from detaug.readers.read import read
from detaug.render.gpu.packing import PackedScenes
from detaug.render.gpu.render import Normalise, render_batch
from detaug.render.gpu.resident import ResidentImages
from detaug.scenes.affine import Affine
from detaug.scenes.colour import Colour
from detaug.scenes.flip import Flip
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe

ROUNDS = 5
PREPARED = 8  # batches that are painted in turn, so that no cache holds their sources
EPOCH = 500  # batches, so that workers seldom wait for the next one
BLOCKS = ((8, 32, 4), (8, 32, 8), (16, 32, 4), (16, 32, 8), (16, 64, 8), (32, 32, 8))
RECIPE = Recipe(
    mosaic=Mosaic(p=1),
    paste=Paste(p=1, count_range=(3, 3), decoy=0),
    flip=Flip(p=0.5),
    affine=Affine(p=1),
    colour=Colour(p=1),
    noise=GaussianNoise(p=1),
)
NORMALISE = Normalise((123.7, 116.3, 103.5), (58.4, 57.1, 57.4))


def main() -> None:
    """Print rates as medians over rounds, each with its least and greatest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a dataset with a training split; without it one is drawn")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each rate")
    parser.add_argument("--images", type=int, default=200, help="that are drawn")
    asked = parser.parse_args()
    name, sides = "the processor", (384, 640)
    if asked.device == "cpu":
        asked.images, asked.workers = min(asked.images, 12), min(asked.workers, 2)
    else:
        sides = (800, 1360)
        name = torch.cuda.get_device_name(asked.device)
    with tempfile.TemporaryDirectory() as scratch:
        root = asked.data or Path(scratch) / "drawn"
        if asked.data is None:
            draw_dataset(root, images={"train": asked.images}, size=sides)
        measured(asked, root, name)


def measured(asked: argparse.Namespace, root: Path, name: str) -> None:
    catalog = part(read(root), "train")
    length = EPOCH * asked.batch
    colours = RECIPE.colours(catalog)
    augmenter = Augmenter(catalog, RECIPE, asked.size, balance=Balance(), length=length, colours=colours)
    begun = time.perf_counter()
    images = ResidentImages(catalog, augmenter.stage.size, asked.device, threads=asked.workers)
    held = images.arena.numel() / 2**30
    print(f"{name}, torch {torch.__version__}; {asked.size}x{asked.size}, batches of {asked.batch}")
    print(f"{len(catalog)} images kept on it: {held:.2f} GB, decoded in {time.perf_counter() - begun:.1f} s")
    planned = PlannedSigns(augmenter, images.broken)
    slots = iter(count())
    batches = []
    for _ in range(PREPARED):
        places = [divmod(next(slots), len(augmenter)) for _ in range(asked.batch)]
        draws = [augmenter.draw(epoch, slot) for epoch, slot in places]
        batches.append(planned.collate(planned.__getitems__(draws)).scenes.to(asked.device))
    layers = sum(len(b.codes) for b in batches) / PREPARED / asked.batch
    print(f"layers of a scene: {layers:.2f}")
    rate = painted("painted, uint8", asked, lambda b: render_batch(b, images), batches)
    painted("painted, bf16 normalised", asked, lambda b: render_batch(b, images, NORMALISE), batches)
    if asked.device != "cpu":
        blocks(asked, images, batches)
    copied, moved = copy_rate(asked), statistics.mean(least_bytes(b) for b in batches)
    print(f"copy bandwidth, read and written:  {copied / 1e9:10.1f} GB/s")
    print(f"an image's least traffic: {moved / 1e6:.2f} MB, {moved * rate / copied:.1%} of the copy bandwidth")
    planning(asked, planned, images)
    against_kornia(asked, images, rate)


def timed(asked: argparse.Namespace, work: Callable[[], object]) -> list[float]:
    """Calls of `work` in a second, for each round, after one that is not counted."""
    rates = []
    work()
    finish(asked)
    for _ in range(ROUNDS):
        begun, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - begun < asked.seconds / ROUNDS:
            for _ in range(PREPARED):
                work()
            finish(asked)
            calls += PREPARED
        rates.append(calls / (time.perf_counter() - begun))
    return rates


def finish(asked: argparse.Namespace) -> None:
    if asked.device != "cpu":
        torch.cuda.synchronize(asked.device)


def told(what: str, rates: list[float]) -> float:
    """Print images in a second; their median."""
    middle = statistics.median(rates)
    print(f"{what:34} {middle:10.1f} images/s ({min(rates):.1f} to {max(rates):.1f})")
    return middle


def painted(
    what: str, asked: argparse.Namespace, paint: Callable[[PackedScenes], Tensor], batches: list[PackedScenes]
) -> float:
    turn: Iterator[int] = count()
    rates = timed(asked, lambda: paint(batches[next(turn) % PREPARED]))
    return told(what, [rate * asked.batch for rate in rates])


def blocks(asked: argparse.Namespace, images: ResidentImages, batches: list[PackedScenes]) -> None:
    """The kernel with other numbers of pixels and warps for each program."""
    from detaug.render.gpu import kernel

    zero, one = (0.0,) * 3, (1.0,) * 3
    for block in BLOCKS:

        def paint(scenes: PackedScenes, block: tuple[int, int, int] = block) -> Tensor:
            return kernel.paint(scenes, images, zero, one, torch.uint8, block)

        painted(f"  rows, columns, warps {block}", asked, paint, batches)


def copy_rate(asked: argparse.Namespace) -> float:
    """Bytes that a plain copy reads and writes in a second."""
    size = 1 << (30 if asked.device != "cpu" else 24)
    one, other = (torch.empty(size, dtype=torch.uint8, device=asked.device) for _ in range(2))
    return 2 * size * statistics.median(timed(asked, lambda: other.copy_(one)))


def least_bytes(scenes: PackedScenes) -> float:
    """Bytes of an image that must be written, and of the source pixels that it shows, each read once."""
    height, width = scenes.size
    way, codes = scenes.way, scenes.codes.double()
    cells = (way[:, 0] * way[:, 4] - way[:, 1] * way[:, 3]).abs() * codes[:, 6] ** 2
    shown = (codes[:, 9] - codes[:, 7]) * (codes[:, 10] - codes[:, 8]) * cells
    region = (codes[:, 4] - codes[:, 2]) * (codes[:, 5] - codes[:, 3])
    return 3 * height * width + 4 * float(torch.minimum(shown, region).sum()) / len(scenes)


def planning(asked: argparse.Namespace, planned: PlannedSigns, images: ResidentImages) -> None:
    """From draws to pictures on the device, planned in worker processes."""
    sampler = DrawSampler(planned.signs.augmenter.order, asked.batch, 10**6, 1, 0)
    loader: DataLoader[PlannedBatch] = DataLoader(
        planned,  # type: ignore[arg-type]  # it gives samples, and its collate batches
        asked.batch,
        sampler=sampler,
        num_workers=asked.workers,
        collate_fn=planned.collate,
        pin_memory=asked.device != "cpu",
        persistent_workers=asked.workers > 0,
        worker_init_fn=one_thread,
    )

    def batches() -> Generator[PlannedBatch, None, None]:
        for epoch in count():
            sampler.set_epoch(epoch)
            yield from loader

    coming = batches()
    rates = timed(asked, lambda: next(coming).to(asked.device, non_blocking=True).rendered(images))
    told(f"planned in {asked.workers} workers, painted", [rate * asked.batch for rate in rates])
    coming.close()


def against_kornia(asked: argparse.Namespace, images: ResidentImages, rate: float) -> None:
    """Kornia's four images in one, turned, scaled and coloured: its pictures lie ready on the device as floats."""
    if find_spec("kornia") is None:
        print("kornia is not installed, so it is not compared; `python -m pip install kornia` and run this again.")
        return
    import kornia.augmentation as K

    size = asked.size
    steps = (
        K.RandomMosaic((size, size), p=1.0, data_keys=["input", "bbox_xyxy"]),
        K.RandomAffine(5.0, (0.1, 0.1), (0.8, 1.25), 2.0, p=1.0),
        K.ColorJiggle(0.2, 0.2, 0.2, 0.02, p=1.0),
    )
    pictures = torch.rand((asked.batch, 3, size, size), device=images.device)
    boxes = torch.tensor([[[10.0, 10.0, 40.0, 40.0]]], device=images.device).repeat(asked.batch, 4, 1)

    def augment() -> Tensor:
        mixed = steps[0](pictures, boxes)[0]
        turned: Tensor = steps[2](steps[1](mixed))
        return turned

    rates = [r * asked.batch for r in timed(asked, augment)]
    told("kornia: mosaic, affine, colours", rates)
    print(f"painted against kornia: {rate / statistics.median(rates):.1f} times")


if __name__ == "__main__":
    main()
