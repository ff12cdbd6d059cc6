"""Samples a second against the peers' loaders, from cached images and from files.

    python -m benchmarks.throughput --out DIR
    python -m benchmarks.throughput --out DIR --data PHOTOGRAPHS --only cached

Every loader is one process with one thread and gives uint8 (3, 640, 640) tensors with boxes. They run in turns, round
after round, and are compared within a round. CPU time of their processes is counted, which a busy machine disturbs
less than the clock's. The peers have an environment of their own under --out, made at the first call.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.throughput.images import street
from benchmarks.throughput.loaders import CACHED, READ, READ_LARGE, Loader, Running, environment
from benchmarks.throughput.ours import augmenter_of
from benchmarks.throughput.recipes import RECIPES
from detaug.commands.bench import stages
from detaug.commands.words import part
from detaug.readers.convert.convert import convert
from detaug.readers.read import read


def main() -> None:
    """Print a table for each way that images come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="images, the peers' environment and logs")
    parser.add_argument("--data", type=Path, help="a dataset of any format in place of the drawn streets")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=("cached", "read", "large"), action="append")
    parser.add_argument("--peer", default="", help="only the peers whose name holds this")
    asked = parser.parse_args()
    out: Path = asked.out.absolute()
    python, wanted = environment(out / "env"), asked.only or ("cached", "read", "large")
    if "cached" in wanted or "read" in wanted:
        usual = folder(asked.data or street(out / "street1360", 100, (800, 1360)), out)
        if "cached" in wanted:
            shares(usual)
            compare(f"Cached, {usual.name}", among(CACHED, asked.peer), python, usual, asked.rounds, kept=True)
        if "read" in wanted:
            compare(
                f"Decoded for each sample, {usual.name}",
                among(READ, asked.peer),
                python,
                usual,
                asked.rounds,
                kept=False,
            )
    if "large" in wanted and asked.data is None:
        large = folder(street(out / "street2048", 24, (2048, 2048)), out)
        compare(
            f"Decoded for each sample, {large.name}",
            among(READ_LARGE, asked.peer),
            python,
            large,
            asked.rounds,
            kept=False,
        )


def folder(root: Path, out: Path) -> Path:
    """The training images of a dataset as a YOLO folder, which every peer can read."""
    made = out / f"yolo_{root.absolute().name}"
    if not made.exists():
        convert(part(read(root), "train"), made, "yolo", images="copy", force=False)
    return made


def among(loaders: Sequence[Loader], peer: str) -> list[Loader]:
    """Ours, and the peers whose name holds `peer`."""
    return [loader for loader in loaders if loader.ours or peer.lower() in loader.name.lower()]


def compare(title: str, loaders: Sequence[Loader], python: Path, root: Path, rounds: int, *, kept: bool) -> None:
    """Run the loaders in turns and print what each costs, and that cost over that of our equal operations."""
    running: list[Running] = []
    try:
        for loader in loaders:
            print(f"starting {loader.name}", file=sys.stderr)
            running.append(Running.start(loader, python, root, kept))
        for number in range(rounds + 1):
            for one in running:
                count = one.loader.samples if kept else max(one.loader.samples // 5, 8)
                taken = one.round(count)
                if number:  # the first one fills caches
                    one.cpu.append(taken["cpu"] / count * 1e3)
                    one.covered += [taken["covered"]] if "covered" in taken else []
    finally:
        for one in running:
            one.stop()
    print(f"\n{title}: {rounds} rounds; CPU milliseconds a sample, and times our {', '.join(ours(running))}")
    print(f"{'':34}{'min':>8}{'median':>8}{'max':>8}   samples/s  covered" + "".join(f"{n:>24}" for n in ours(running)))
    for one in running:
        low, middle, high = spread(one.cpu)
        ratios = [spread([b / a for a, b in zip(own.cpu, one.cpu, strict=True)]) for own in running if own.loader.ours]
        text = "".join(f"{f'{m:.2f} ({a:.2f} to {b:.2f})':>24}" for a, m, b in ratios)
        covered = f"{statistics.mean(one.covered):9.0%}" if one.covered else " " * 9
        print(f"{one.loader.name:34}{low:8.2f}{middle:8.2f}{high:8.2f}{1e3 / middle:12.0f}{covered}{text}", flush=True)


def shares(root: Path) -> None:
    """Print where our own time goes."""
    print(f"\nOur stages, {root.name}; CPU milliseconds a sample, images kept; decode is added where they are not")
    for name, recipe in RECIPES.items():
        found = stages(augmenter_of(root, recipe, kept=True), augmenter_of(root, recipe, kept=False))
        print(f"{name:8}" + "".join(f"{stage:>10}{value:7.3f}" for stage, value in found.items()), flush=True)


def ours(running: Sequence[Running]) -> list[str]:
    """The names of the columns that are ratios."""
    return [one.loader.column for one in running if one.loader.ours]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Least, median, greatest."""
    return min(values), statistics.median(values), max(values)


if __name__ == "__main__":
    main()
