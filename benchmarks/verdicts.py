"""How often the verdict on a constructed training is right: one table per family of curves.

    python -m benchmarks.verdicts --count 500

Rows are what the curves were made as, columns what is said of them, in per cent. The bounds were tuned on the
exponentials; the others were made to judge.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from detaug.learning.diagnosis import History, State, Thresholds, judge
from tests.learning import exponentials, others

STATES: tuple[State, ...] = get_args(State)
FAMILIES: dict[str, Callable[[State, np.random.Generator], History]] = {
    "exponentials (tuned on)": exponentials.made,
    "others (judged on)": others.made,
}
QUICK = Thresholds(copies=1)  # the confidence takes most of a verdict's time, and is not looked at here


def confusion(
    made: Callable[[State, np.random.Generator], History], count: int, seed: int
) -> dict[State, Counter[str]]:
    """What is said of `count` histories of each state."""
    said: dict[State, Counter[str]] = {}
    for index, state in enumerate(STATES):
        streams = np.random.SeedSequence([seed, index]).spawn(count)
        histories = (made(state, np.random.default_rng(stream)) for stream in streams)
        said[state] = Counter(judge(history, QUICK).state for history in histories)
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="histories of each state")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[name.split()[0] for name in FAMILIES])
    flags = parser.parse_args()
    for name, made in FAMILIES.items():
        if flags.only not in (None, name.split()[0]):
            continue
        start = time.perf_counter()
        said = confusion(made, flags.count, flags.seed)
        each = (time.perf_counter() - start) / (flags.count * len(STATES))
        table = Table(title=f"{name}, {flags.count} of each state, {1000 * each:.0f} ms a verdict")
        for column in ("made as", *STATES):
            table.add_column(column.replace("_", " "))
        for state in STATES:
            cells = [f"{100 * said[state][other] / flags.count:.1f}" if said[state][other] else "" for other in STATES]
            table.add_row(state.replace("_", " "), *cells)
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
