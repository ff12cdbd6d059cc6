"""What the trainings ended with, beside what was expected of them."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.judged.setups import PAIRS, SETUPS, Pair, Setup
from benchmarks.proof.runs import Row

_LAST = 3  # validations that an end is the mean of
_NUMBERS = ("train_loss", "clean_loss", "val_loss", "clean_ap50", "val_ap50")


def verdict_of(folder: Path) -> Row:
    """What a finished run was called, and the ends of its curves: means of the last three validations."""
    diagnosis = json.loads((folder / "diagnosis.json").read_text())
    curves = diagnosis["curves"]
    ends = {name: _end(curves[name]) for name in _NUMBERS}
    return {
        "said": diagnosis["state"],
        "confidence": f"{diagnosis['confidence']:.2f}",
        "validations": str(len(curves["epoch"])),
        **{name: f"{value:.3f}" for name, value in ends.items()},
        "gap": f"{ends['val_loss'] - ends['clean_loss']:.3f}",
        "chance_loss": f"{_number(curves['chance_loss']):.3f}",
        "sentence": diagnosis["sentence"],
        "knobs": "; ".join(knob["setting"] for knob in diagnosis["knobs"]),
    }


def _end(curve: Sequence[float | None]) -> float:
    last = [_number(value) for value in curve[-_LAST:]]
    return sum(last) / len(last) if last else math.nan


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def judged(finished: Sequence[Row], out: Path) -> str:
    """The table, the pairs' gaps, each verdict's sentence, and the curves of unexpected verdicts."""
    by_name = {row["arm"]: row for row in finished}
    done = [(setup, by_name[setup.name]) for setup in SETUPS if setup.name in by_name]
    claimed = [(setup, row) for setup, row in done if setup.expected]
    wrong = [(setup, row) for setup, row in claimed if row["said"] not in setup.expected]
    head = f"{'training':16} {'expected':15} {'said':15} {'sure':>4} {'val.':>4}"
    head += "".join(f" {name:>10}" for name in (*_NUMBERS, "gap", "chance", "minutes"))
    lines = [head, *(_line(setup, row) for setup, row in done)]
    right, missing = len(claimed) - len(wrong), len(SETUPS) - len(done)
    lines += ["", f"{right} of {len(claimed)} as expected; {missing} not trained yet"]
    lines += [_gap(pair, by_name) for pair in PAIRS if pair.wide in by_name and pair.narrow in by_name]
    lines += ["", *(_words(setup, row) for setup, row in done)]
    lines += [f"\n{s.name}: expected {_expected(s)}, said {r['said']}\n{_curves(out, r)}" for s, r in wrong]
    return "\n".join(lines)


def _line(setup: Setup, row: Row) -> str:
    said = row["said"] if not setup.expected or row["said"] in setup.expected else f"{row['said']} !"
    cells = (row[name] for name in (*_NUMBERS, "gap", "chance_loss", "minutes"))
    begin = f"{setup.name:16} {_expected(setup):15} {said:15} {row['confidence']:>4} {row['validations']:>4}"
    return begin + "".join(f" {cell:>10}" for cell in cells)


def _words(setup: Setup, row: Row) -> str:
    return f"{setup.name}: {setup.why}.\n  {row['sentence']}\n  to turn: {row['knobs'] or 'nothing'}"


def _expected(setup: Setup) -> str:
    return "/".join(setup.expected) or "-"


def _gap(pair: Pair, by_name: dict[str, Row]) -> str:
    wide, narrow = float(by_name[pair.wide]["gap"]), float(by_name[pair.narrow]["gap"])
    size = "smaller" if narrow < wide else "not smaller"
    return f"validation minus clean training loss: {pair.wide} {wide:.3f}, {pair.narrow} {narrow:.3f}: {size}"


def _curves(out: Path, row: Row) -> str:
    curves = json.loads((out / row["folder"] / "diagnosis.json").read_text())["curves"]
    names = ("epoch", "train_loss", "clean_loss", "val_loss", "clean_ap50", "val_ap50")
    return "\n".join(f"  {n:10} " + " ".join(f"{_number(v):.3g}" for v in curves[n]) for n in names)
