"""How workers are measured: their memory, the line through it, and the program in a short form."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import workers
from benchmarks.workers import private_memory, settle, slope
from tests.batches.painting import painted

GROWING = """
import os, signal, sys
held, other = [], 0
for line in sys.stdin:
    if line.strip() == "share":
        other = os.fork()
        if other == 0:
            signal.pause()
    else:
        held.append(bytearray(b"x") * (int(line) << 20))
    print("done", flush=True)
os.kill(other, signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [3, 10, 41])
def test_the_slope_and_its_error_are_those_of_a_fitted_line(count: int) -> None:
    rng = np.random.default_rng(count)
    x, y = np.cumsum(rng.uniform(0.1, 2, count)), rng.normal(100, 10, count)
    line, spread = np.polyfit(x, y, 1, cov=True)
    rise, error = slope(x.tolist(), y.tolist())
    assert rise == pytest.approx(line[0])
    assert error == pytest.approx(np.sqrt(spread[0, 0]))


def test_private_memory_is_what_a_process_has_alone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GROWING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as p:
        assert p.stdin is not None
        assert p.stdout is not None
        found = []
        for told in ("1", "40", "60", "share"):
            print(told, file=p.stdin, flush=True)
            p.stdout.readline()
            found.append(private_memory(p.pid))
        p.stdin.close()
    assert np.diff(found[:-1]) == pytest.approx([40, 60], abs=2)
    assert found[-2] - found[-1] > 95  # a copy of the process has the same pages


def test_a_process_is_waited_for_until_it_rests() -> None:
    busy = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", busy]) as process:
        settle([process.pid])
        used = workers.ticks(process.pid)
        time.sleep(0.2)
        assert workers.ticks(process.pid) == used
        process.kill()
    assert used >= 50


@pytest.mark.slow
def test_rates_are_compared_within_rounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = painted(tmp_path / "signs", {"train": 8})
    words = ["--data", str(root), "--size", "64", "--batch", "4", "--rounds", "3", "--samples", "40", "--workers", "3"]
    workers.main(["rate", *words])
    lines = [line for line in capsys.readouterr().out.splitlines() if " workers " in line]
    assert [int(line.split()[0]) for line in lines] == [1, 2, 3]
    assert "1.00 (1.00 to 1.00)" in lines[0]
    rates = [float(line.split()[2]) for line in lines]
    assert min(rates) > 1


@pytest.mark.slow
def test_memory_is_read_at_every_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = painted(tmp_path / "signs", {"train": 8})
    words = ["--data", str(root), "--size", "64", "--batch", "4", "--samples", "100", "--every", "20", "--skip", "10"]
    workers.main(["memory", *words, "--workers", "2", "--cache-mb", "0.05"])
    out = capsys.readouterr().out
    assert "100 samples of each worker, after 12 that fill what it keeps" in out
    readings = [list(map(int, line.split())) for line in out.splitlines() if re.fullmatch(r"[\d ]+", line)]
    assert [len(each) for each in readings] == [6, 6]
    assert all(5 < value < 2000 for each in readings for value in each)
    assert out.count("MB per 1,000 samples (standard error") == 2
