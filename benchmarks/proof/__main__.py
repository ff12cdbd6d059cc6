"""What balance and paste bring on real photographs: paired runs over grouped folds, resumable.

    python benchmarks/proof.py --data DIR/road_signs --out runs/proof

Each fold of training and validation together is predicted by a model that was trained on the other folds, so that
every image counts once. A finished run is a row of `runs.csv`; starting the program again goes on with what is
missing (a second process takes the runs that the first has not begun), and prints the table of all finished folds:
pooled AP, AP50, rare and common AP, and the difference to the full recipe with its 95 % interval (images drawn with
replacement, the same ones for both).
"""

import argparse
import csv
import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.measures.precision import Metrics, score
from detaug.measures.truth import Found, GroundTruth, pick
from detaug.readers.catalog import Catalog, Split
from detaug.readers.read import read
from detaug.writing import write_whole

ROOT = Path(__file__).resolve().parent.parent
OVERLAYS = {"full": [], "no_balance": ["configs/ablate/no_balance.yaml"], "plain": ["configs/plain.yaml"]}
COLUMNS = ("recipe", "fold", "epochs", "minutes", "AP", "AP50", "rare", "common", "folder")


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", default=Path("runs/proof"), type=Path)
    parser.add_argument("--config", default="configs/road_signs.yaml")
    parser.add_argument("--folds", default=3, type=int)
    parser.add_argument("--epochs", default=40, type=int)
    parser.add_argument("--validate-every", default=3, type=int, help="epochs between validations")
    parser.add_argument("--recipes", nargs="+", default=list(OVERLAYS), choices=list(OVERLAYS))
    parser.add_argument("--draws", default=200, type=int, help="bootstrap draws")
    asked = parser.parse_args()
    table = asked.out / "runs.csv"
    for fold in range(1, asked.folds + 1):
        for recipe in asked.recipes:
            place = f"{fold}/{asked.folds}"
            with claimed(asked.out / f".{run_name(asked, recipe, place)}.lock") as mine:
                done = {(r["recipe"], r["fold"], r["epochs"]) for r in rows(table)}
                if mine and (recipe, place, str(asked.epochs)) not in done:
                    append(table, one_run(asked, recipe, place))
    finished = [r for r in rows(table) if r["epochs"] == str(asked.epochs)]
    print(summary(read(asked.data), finished, asked.draws))
    return 0


def run_name(asked: argparse.Namespace, recipe: str, fold: str) -> str:
    """The name of a run, which is also its folder's."""
    return f"{recipe}_{fold.replace('/', 'of')}_{asked.epochs}"


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process alone holds the file; it is free again when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def one_run(asked: argparse.Namespace, recipe: str, fold: str) -> dict[str, str]:
    """Train and score one recipe on one fold, in a process of its own."""
    name = run_name(asked, recipe, fold)
    command = [sys.executable, "train.py", "fit", "--config", asked.config]
    for overlay in OVERLAYS[recipe]:
        command += ["--config", overlay]
    command += ["--data.root", str(asked.data.resolve()), "--data.fold", fold, "--name", name]
    command += ["--runs", str(asked.out.resolve()), "--trainer.max_epochs", str(asked.epochs)]
    command += ["--trainer.enable_progress_bar", "false"]
    command += ["--trainer.check_val_every_n_epoch", str(asked.validate_every)]
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    folder = max((p for p in (asked.out / name).iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
    numbers = json.loads((folder / "metrics.json").read_text())
    figures = {key: f"{numbers[key]:.4f}" for key in ("AP", "AP50", "rare", "common")}
    minutes = f"{(time.monotonic() - begun) / 60:.1f}"
    return {
        "recipe": recipe,
        "fold": fold,
        "epochs": str(asked.epochs),
        "minutes": minutes,
        **figures,
        "folder": str(folder),
    }


def rows(table: Path) -> list[dict[str, str]]:
    """The finished runs."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def append(table: Path, row: dict[str, str]) -> None:
    """One more finished run."""
    with table.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = [",".join(COLUMNS), *(",".join(r[c] for c in COLUMNS) for r in [*rows(table), row])]
        write_whole(table, ("\n".join(lines) + "\n").encode())


def pooled(catalog: Catalog, finished: list[dict[str, str]], recipe: str) -> Found:
    """The detections of all folds of a recipe, by row of the catalog."""
    row_of = {int(i): r for r, i in enumerate(catalog.ids.tolist())}
    parts: list[list[dict[str, Any]]] = [[] for _ in range(len(catalog))]
    for run in (r for r in finished if r["recipe"] == recipe):
        for found in json.loads((Path(run["folder"]) / "detections.json").read_text()):
            parts[row_of[found["image_id"]]].append(found)
    flat = [d for part in parts for d in part]
    boxes = np.array([d["bbox"] for d in flat], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Found(
        rows=np.arange(len(catalog)),
        boxes=boxes,
        scores=np.array([d["score"] for d in flat], np.float32),
        labels=np.array([d["category_id"] - 1 for d in flat], np.int64),
        starts=np.cumsum([0, *(len(p) for p in parts)]),
    )


def summary(catalog: Catalog, finished: list[dict[str, str]], draws: int) -> str:
    """The table of pooled figures and differences, for the recipes that have all their folds."""
    catalog = catalog.take(np.flatnonzero(catalog.splits != Split.TEST))
    folds = {r["fold"] for r in finished}
    whole = [n for n in OVERLAYS if {r["fold"] for r in finished if r["recipe"] == n} == folds and folds]
    rare = json.loads((Path(finished[0]["folder"]) / "metrics.json").read_text())["rare_classes"] if finished else []
    found = {name: pooled(catalog, finished, name) for name in whole}
    names = list(catalog.classes.names)
    metrics = {n: score(GroundTruth.of(catalog), f, names, rare) for n, f in found.items()}
    lines = [f"{len(folds)} folds, {len(catalog)} images, rare: {', '.join(rare)}", ""]
    lines.append(
        f"{'recipe':12} {'AP':>6} {'AP50':>6} {'rare':>6} {'common':>6}  " + " ".join(f"{n:>12}" for n in names)
    )
    for name, m in metrics.items():
        each = " ".join(f"{m.classes[n].ap:12.3f}" for n in names)
        lines.append(f"{name:12} {m.ap:6.3f} {m.ap50:6.3f} {m.rare:6.3f} {m.common:6.3f}  {each}")
    for name in whole[1:]:
        for figure in ("ap", "rare"):
            low, high = interval(catalog, found["full"], found[name], names, rare, figure, draws)
            gain = getattr(metrics["full"], figure) - getattr(metrics[name], figure)
            lines.append(f"full - {name}: {figure} {gain:+.3f}, 95 % within {low:+.3f} and {high:+.3f}")
    return "\n".join(lines)


def interval(
    catalog: Catalog, one: Found, other: Found, names: list[str], rare: list[str], figure: str, draws: int
) -> tuple[float, float]:
    """The 95 % interval of a difference over images drawn with replacement, the same ones for both."""
    rng = np.random.Generator(np.random.Philox(key=1))
    gains = []
    for _ in range(draws):
        picked = np.sort(rng.integers(len(catalog), size=len(catalog)))
        truth = replace(GroundTruth.of(catalog).take(picked), ids=np.arange(len(picked)))
        a, b = (score(truth, taken(f, picked), names, rare) for f in (one, other))
        gains.append(_figure(a, figure) - _figure(b, figure))
    low, high = np.nanpercentile(gains, [2.5, 97.5])
    return float(low), float(high)


def _figure(metrics: Metrics, name: str) -> float:
    return float(getattr(metrics, name))


def taken(found: Found, rows_: NDArray[np.int64]) -> Found:
    """The detections of some rows, which may repeat, renumbered from 0."""
    index, starts = pick(found.starts, rows_)
    numbered = np.arange(len(rows_))
    return Found(numbered, found.boxes[index], found.scores[index], found.labels[index], starts)


if __name__ == "__main__":
    sys.exit(main())
