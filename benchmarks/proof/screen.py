"""What each part of the full recipe brings on drawn scenes, all parts at once: a screening design, resumable.

    python -m benchmarks.proof.screen --out runs/screen               trains what is missing, then prints the table
    python -m benchmarks.proof.screen --out runs/screen --table       only prints it

One part taken away at a time needs a pair of trainings for each part and seed, and one training's noise is about as
large as what a part brings. Here every training tells of every part: the rows of a Plackett-Burman design ("The design
of optimum multifactorial experiments", 1946) switch half of the parts on and half off, each part independently of the
others, and every row is trained together with its opposite on the same data and from the same seed. The difference
within such a pair is free of what data and seed do, and of interactions of two parts. A part's effect is what it brings
on average over the other parts being on or off; its interval is that of least squares, from what the effects leave
unexplained.

The floor is reached by pastes first, else parts of the paste would have nothing to do, and rare classes are multiplied,
which the full recipe leaves since the first twelve pairs said that it costs 2 points. Fewer validation images than in
`benchmarks.proof` make a run shorter; both runs of a pair are scored on the same ones. Pairs that were made elsewhere
count with `--more`: the rows of their table are all that is needed. `benchmarks/proof/screen.csv` has the
first twelve.
"""

import argparse
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import t as student

from benchmarks.proof.arms import drawn_data, rectangles
from benchmarks.proof.pairs import FIGURES
from benchmarks.proof.runs import ROOT, Job, Row, rows, run_all
from detaug.readers.drawn.signs import NAMES
from detaug.writing import write_whole

Settings = dict[str, Any]
Array = NDArray[np.float64]
PAGE = ROOT / "benchmarks" / "proof" / "drawn.yaml"
IMAGES = {"train": 600, "val": 400}
EPOCHS = 10
_FIRST = (1, 1, -1, 1, 1, 1, -1, -1, -1, 1, -1)  # of 12 rows; the next ones are its rotations, the last is all off


def _geometry(recipe: Settings) -> None:
    recipe.update(flip=None, affine=None, colour=None)


def _multiplied(recipe: Settings, times: float) -> None:
    for name in ("affine", "colour"):
        if recipe[name] is not None:
            recipe[name] = {**recipe[name], "multiply": times}


def _operation(name: str) -> Callable[[Settings], None]:
    return lambda recipe: recipe.update({name: None})


def _paste(**settings: Any) -> Callable[[Settings], None]:
    return lambda recipe: recipe.update(paste={**recipe["paste"], **settings})


def _as_it_is(recipe: Settings) -> None:
    pass


# How each part is switched off; `outlines` is a matter of the class table.
PARTS: dict[str, Callable[[Settings], None]] = {
    "geometry and colour": _geometry,
    "mosaic": _operation("mosaic"),
    "multiplying": lambda recipe: _multiplied(recipe, 1),
    "decoys": _paste(decoy=0.0),
    "light": _paste(light=0.0),
    "outlines": _as_it_is,
    "placement": _paste(placement="anywhere"),
    "noise": _operation("noise"),
    "soft edges": _paste(blend={"hard": 1.0}),
}


def design() -> NDArray[np.int64]:
    """(12, parts) of +1 where a part is on and -1 where it is off; columns are orthogonal.

    >>> (design().T @ design() == 12 * np.eye(len(PARTS))).all()
    True
    """
    rotations = [np.roll(_FIRST, k) for k in range(len(_FIRST))]
    return np.array([*rotations, [-1] * len(_FIRST)], np.int64)[:, : len(PARTS)]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a part brings.

    Attributes:
        value: the figure with the part less the figure without it.
        low: lower end of the 95 % interval.
        high: its upper end.
    """

    value: float
    low: float
    high: float


def effects(signs: NDArray[np.int64], gaps: Array) -> list[Effect]:
    """Effects from pairs of opposite runs.

    Args:
        signs: (P, K) the rows of the first run of each pair.
        gaps: (P,) its figure less that of its opposite.

    Returns:
        K effects; the interval is infinite where pairs are too few to tell their noise.
    """
    pairs, parts = signs.shape
    inverse = np.linalg.pinv(signs.T @ signs.astype(float))
    value = inverse @ signs.T @ gaps
    free = pairs - int(np.linalg.matrix_rank(signs))
    if free < 1 or np.linalg.matrix_rank(signs) < parts:
        return [Effect(float(v), -np.inf, np.inf) for v in value]
    left = gaps - signs @ value
    error = np.sqrt(np.diag(inverse) * float(left @ left) / free) * student.ppf(0.975, free)
    return [Effect(float(v), float(v - e), float(v + e)) for v, e in zip(value, error, strict=True)]


def settings(signs: Sequence[int], table: Path) -> Settings:
    """The part of a training page that has some parts on and others off.

    Args:
        signs: of each part.
        table: the class table without outlines.
    """
    page = yaml.safe_load(PAGE.read_text(encoding="utf-8"))
    data: Settings = {"recipe": dict(page["data"]["recipe"]), "balance": {**page["data"]["balance"], "first": "pastes"}}
    _multiplied(data["recipe"], 1.5)
    for (name, off), sign in zip(PARTS.items(), signs, strict=True):
        if sign < 0:
            off(data["recipe"])
            if name == "outlines":
                data["classes"] = str(table)
    return {"data": data}


def jobs(out: Path, pairs: int, epochs: int, made: Collection[int] = ()) -> Iterator[Job]:
    """The trainings of pairs that were not made elsewhere; a pair's number is its seed and that of its data."""
    table = rectangles(out, NAMES).resolve()
    for pair in (p for p in range(pairs) if p not in made):
        for arm, row in arms(pair):
            page = out / "pages" / f"{arm}.yaml"
            page.parent.mkdir(parents=True, exist_ok=True)
            write_whole(page, yaml.safe_dump(settings(row.tolist(), table), sort_keys=False).encode())
            words = ["--config", str(PAGE.relative_to(ROOT)), "--config", str(page.resolve())]
            words += ["--data.root", str(drawn_data(out, pair, IMAGES).resolve()), "--seed_everything", str(pair)]
            yield Job(arm, str(pair), epochs, (*words, "--trainer.check_val_every_n_epoch", str(epochs + 1)))


def arms(pair: int) -> list[tuple[str, NDArray[np.int64]]]:
    """The names and signs of a pair's two runs."""
    row = design()[pair % len(design())]
    return [(f"row{pair % len(design())}", row), (f"opposite{pair % len(design())}", -row)]


def whole_pairs(found: Sequence[Row]) -> dict[int, tuple[Row, Row]]:
    """The pairs of one table that are complete, by number: only runs made at one place are compared."""
    by_key = {(r["arm"], r["unit"]): r for r in found}
    pairs = {int(r["unit"]): [by_key.get((arm, r["unit"])) for arm, _ in arms(int(r["unit"]))] for r in found}
    return {p: (one, other) for p, (one, other) in sorted(pairs.items()) if one is not None and other is not None}


def table(tables: Sequence[Sequence[Row]]) -> str:
    """The effects in points of 100, from the complete pairs of each of some tables."""
    whole = [(number, *pair) for found in tables for number, pair in whole_pairs(found).items()]
    if not whole:
        return "no pair is complete yet"
    signs = np.array([arms(number)[0][1] for number, _, _ in whole])
    lines = [f"{len(whole)} pairs of trainings; points of 100 with 95 % intervals"]
    lines.append(f"{'part':22}" + "".join(f"{figure:>26}" for figure in FIGURES))
    gaps = {f: np.array([float(one[f]) - float(other[f]) for _, one, other in whole]) for f in FIGURES}
    columns = [effects(signs, gaps[figure]) for figure in FIGURES]
    for name, cells in zip(PARTS, zip(*columns, strict=True), strict=True):
        text = (f"{100 * c.value:+.1f} ({100 * c.low:+.1f} to {100 * c.high:+.1f})" for c in cells)
        lines.append(f"{name:22}" + "".join(f"{cell:>26}" for cell in text))
    return "\n".join(lines)


def main() -> int:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--pairs", default=24, type=int, help="24 by default: each row twice, on other data")
    parser.add_argument("--epochs", default=EPOCHS, type=int)
    parser.add_argument("--table", action="store_true", help="print the table, and train nothing")
    parser.add_argument(
        "--more", nargs="*", default=[], type=Path, metavar="CSV", help="tables of runs made elsewhere, not made again"
    )
    asked = parser.parse_args()
    for path in asked.more:
        if not path.is_file():
            parser.error(f"{path}: there is no such table")
    own = asked.out / "runs.csv"
    tables = [[row for row in rows(path) if row["epochs"] == str(asked.epochs)] for path in asked.more]
    if not asked.table:
        run_all(jobs(asked.out, asked.pairs, asked.epochs, {p for t in tables for p in whole_pairs(t)}), asked.out)
    print(table([*tables, [row for row in rows(own) if row["epochs"] == str(asked.epochs)]]))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
