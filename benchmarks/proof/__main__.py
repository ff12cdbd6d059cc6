"""What balance, paste and each part of them bring: paired trainings, resumable.

    python -m benchmarks.proof drawn --out runs/proof_drawn            plain, augmented, + balance, + paste
    python -m benchmarks.proof drawn --out runs/proof_drawn --parts    then the full recipe without each part
    python -m benchmarks.proof drawn --out runs/proof_gpu --parts --set trainer.accelerator=gpu data.workers=8
    python -m benchmarks.proof road_signs --data DIR/road_signs --out runs/proof_signs

On drawn scenes each seed has its own data (600 training, 1,000 validation images) and its own training; on photographs
each fold of training and validation together is predicted by a model that was trained on the other folds, so that every
image counts once. All arms take the same number of optimiser steps and are scored with the last weights' average. A
finished run is a row of `runs.csv`; starting the program again goes on with what is missing (a second process takes the
runs that the first has not begun), and prints the table: each arm's figures, and each difference with its 95 % interval
(seeds and images drawn with replacement, the same ones for both arms). What a run was trained with is not compared:
after a change of a recipe take another --out.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.proof.arms import STUDIES, Settings, Study, drawn_data, rectangles
from benchmarks.proof.pairs import FIGURES, Unit, drawn, gain
from benchmarks.proof.runs import Job, Row, rows, run_all
from detaug.measures.results import read_results
from detaug.measures.truth import GroundTruth
from detaug.readers.catalog import Catalog, Split
from detaug.readers.drawn.signs import NAMES
from detaug.readers.read import read


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=list(STUDIES))
    parser.add_argument("--data", type=Path, help="the photographs; drawn scenes need none")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--folds", default=3, type=int)
    parser.add_argument("--seeds", default=5, type=int)
    parser.add_argument("--epochs", type=int, help="by default 10 on drawn scenes, 30 on photographs")
    parser.add_argument("--parts", action="store_true", help="the full recipe without each of its parts as well")
    parser.add_argument("--arms", nargs="+", help="only these")
    parser.add_argument("--draws", default=1000, type=int, help="bootstrap draws")
    parser.add_argument("--table", action="store_true", help="print the table, and train nothing")
    parser.add_argument("--set", nargs="+", default=[], metavar="K=V", help="settings of train.py for every arm")
    asked = parser.parse_args()
    study = STUDIES[asked.study]
    if study.name != "drawn" and asked.data is None:
        parser.error(f"{study.name} needs --data")
    asked.epochs = asked.epochs or (10 if study.name == "drawn" else 30)
    if not asked.table:
        run_all(_jobs(study, asked), asked.out)
    finished = [r for r in rows(asked.out / "runs.csv") if r["epochs"] == str(asked.epochs)]
    print(_table(study, asked, finished))
    return 0


def _jobs(study: Study, asked: argparse.Namespace) -> Iterator[Job]:
    """All trainings, unit by unit, so that whole units are done early; data are drawn when they are reached."""
    parts = {less for _, less in study.parts}
    names = asked.arms or [n for n in study.arms if asked.parts or n not in parts]
    table = str(rectangles(asked.out, NAMES).resolve())
    for unit in _units(study, asked):
        for arm in names:
            own: Settings = tuple(table if s == "{rectangles}" else s for s in study.arms[arm])
            settings = ("--config", study.config, *own, *_place(study, asked, unit))
            every = ("--trainer.check_val_every_n_epoch", str(asked.epochs + 1))  # scored once, at the end
            yield Job(arm, unit, asked.epochs, (*settings, *every, *(f"--{pair}" for pair in asked.set)))


def _units(study: Study, asked: argparse.Namespace) -> list[str]:
    if study.name == "drawn":
        return [str(seed) for seed in range(asked.seeds)]
    return [f"{fold}/{asked.folds}" for fold in range(1, asked.folds + 1)]


def _place(study: Study, asked: argparse.Namespace, unit: str) -> Settings:
    """Which data and seed."""
    if study.name == "drawn":
        return "--data.root", str(drawn_data(asked.out, int(unit)).resolve()), "--seed_everything", unit
    return "--data.root", str(asked.data.resolve()), "--data.fold", unit, "--data.probe", "0", "--data.suspects", "0"


def _table(study: Study, asked: argparse.Namespace, finished: list[Row]) -> str:
    """Each arm's mean figures, and the differences."""
    units = _scored_units(study, asked, finished)
    if not units:
        return "no unit has been trained with two arms yet"
    arms = sorted({arm for u in units for arm in u.found}, key=list(study.arms).index)
    values = [drawn(u, asked.draws, np.random.Generator(np.random.Philox(key=k))) for k, u in enumerate(units)]
    images = sum(len(u.truth) for u in units)
    lines = [f"{study.name}, {asked.epochs} epochs: {len(units)} units, {images} images scored, points of 100", ""]
    lines.append(f"{'arm':20} {'runs':>4} {'steps':>12}" + "".join(f" {f:>7}" for f in FIGURES))
    for arm in arms:
        own = [v[arm] for v in values if arm in v]
        steps = sorted({r["steps"] for r in finished if r["arm"] == arm})
        means = "".join(f" {100 * np.mean([v[f][0] for v in own]):7.1f}" for f in FIGURES)
        lines.append(f"{arm:20} {len(own):4} {'/'.join(steps):>12}{means}")
    lines += ["", f"{'difference':32} {'units':>5}" + "".join(f" {f:>22}" for f in FIGURES)]
    for more, less in (*study.pairs, *study.parts):
        both = [v for v in values if more in v and less in v]
        if both:
            rng = np.random.Generator(np.random.Philox(key=1))
            cells = [gain(both, more, less, f, rng) for f in FIGURES]
            text = "".join(f" {100 * c.value:+6.1f} ({100 * c.low:+5.1f} to {100 * c.high:+5.1f})" for c in cells)
            lines.append(f"{more + ' - ' + less:32} {len(both):5}{text}")
    return "\n".join(lines)


def _scored_units(study: Study, asked: argparse.Namespace, finished: list[Row]) -> list[Unit]:
    """What every arm found; folds make one unit together, in which an arm counts that has all of them."""
    every: list[tuple[Path, Split | None, list[str]]]
    if study.name == "drawn":
        every = [(drawn_data(asked.out, int(u)), Split.VAL, [u]) for u in _units(study, asked)]
    else:
        every = [(asked.data, None, _units(study, asked))]
    units = []
    for root, split, names in every:
        by_arm = {a: [r for r in finished if r["arm"] == a and r["unit"] in names] for a in study.arms}
        whole = {arm: found for arm, found in by_arm.items() if len(found) == len(names)}
        if len(whole) > 1:
            catalog = read(root)
            kept = catalog.splits == split if split is not None else catalog.splits != Split.TEST
            units.append(_unit(catalog.take(np.flatnonzero(kept)), whole, asked.out))
    return units


def _unit(catalog: Catalog, whole: dict[str, list[Row]], out: Path) -> Unit:
    def content(row: Row, name: str) -> str:
        return (out / row["folder"] / name).read_text()

    found = {
        arm: read_results([d for r in own for d in json.loads(content(r, "detections.json"))], catalog, arm)
        for arm, own in whole.items()
    }
    rare = json.loads(content(next(iter(whole.values()))[0], "metrics.json"))["rare_classes"]
    return Unit(GroundTruth.of(catalog), found, np.array([n in rare for n in catalog.classes.names], bool))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
