"""Whether the verdict is right on real trainings: two dozen small ones, set up to go well or wrong in a known way.

    python -m benchmarks.judged --data DIR/road_signs --out runs/judged
    python -m benchmarks.judged --out runs/judged --table

`setups.py` says how each is set up and what it should be called; that was fixed before any was run, and no bound of
the verdict was tuned on them. Each takes two to four minutes on one core. A finished run is a row of `runs.csv`;
starting the program again goes on with what is missing, and a second process takes the runs that the first has not
begun. Then the table is printed, and the curves of those verdicts that are not what was expected.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.judged.data import SCENE, folder_of
from benchmarks.judged.setups import SETUPS, Setup
from benchmarks.judged.table import judged, verdict_of
from benchmarks.proof.runs import Job, Row, rows, run_all


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="photographs of road signs, with train and val; needed to train")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SETUPS], metavar="NAME", help="only these")
    parser.add_argument("--table", action="store_true", help="print the table, and train nothing")
    parser.add_argument("--set", nargs="+", default=[], metavar="K=V", help="settings of train.py for every training")
    asked = parser.parse_args(argv)
    setups = [s for s in SETUPS if asked.only is None or s.name in asked.only]
    table = asked.out / "runs.csv"
    if not asked.table:
        if asked.data is None:
            parser.error("training needs --data")
        for setup in setups:
            job = _job(setup, asked, rows(table))
            if job is not None:
                run_all([job], asked.out, verdict_of)
    print(judged(rows(table), asked.out))
    return 0


def _job(setup: Setup, asked: argparse.Namespace, finished: Sequence[Row]) -> Job | None:
    """The training, with its dataset made; None where the one whose weights it begins with is not there yet."""
    begin: tuple[str, ...] = ()
    if setup.begins_with is not None:
        folders = [r["folder"] for r in finished if r["arm"] == setup.begins_with]
        if not folders:
            print(f"{setup.name}: waits for {setup.begins_with}; start the program again.", file=sys.stderr)
            return None
        begin = ("--model.init_from", str((asked.out / folders[0]).resolve() / "checkpoints" / "last.ckpt"))
    root = folder_of(setup.data, asked.data, asked.out)
    canvas = () if setup.data.source == "signs" else ("--data.size", str(list(SCENE)))
    settings = ("--config", "benchmarks/judged/full.yaml", *setup.settings, *canvas, *begin)
    place = ("--data.root", str(root.resolve()), "--seed_everything", str(setup.seed), "--data.seed", str(setup.seed))
    return Job(setup.name, str(setup.seed), setup.epochs, (*settings, *place, *(f"--{pair}" for pair in asked.set)))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
