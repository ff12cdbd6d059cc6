"""The share of waiting: its arithmetic on what a profiler recorded, and a small training."""

import re
from pathlib import Path

import pytest
import yaml

from benchmarks import waiting
from benchmarks.waiting import EPOCH, FETCH, Waited
from tests.batches.painting import painted
from tests.running import NET, QUICK


def test_first_batches_are_told_apart() -> None:
    """Three epochs of two batches; the first batch takes 4 s, those of later epochs 1 and 2 s, all others 0.25 s."""
    found = Waited.of({FETCH: [4.0, 0.25, 1.0, 0.25, 2.0, 0.25], EPOCH: [10.0, 8.0, 9.0], "other": [5.0]})
    assert (found.epochs, found.batches, found.seconds) == (3, 6, 27.0)
    assert (found.waited, found.first, found.later) == (7.75, 4.0, 3.0)
    assert found.share == pytest.approx(7.75 / 27)
    assert found.steady == pytest.approx(3.75 / 23)


def test_epochs_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="5 batches were fetched in 2 epochs"):
        Waited.of({FETCH: [1.0] * 5, EPOCH: [9.0, 9.0]})


@pytest.mark.parametrize(("waited", "verdict"), [(1.29, "  under 3%"), (1.31, "  NOT under 3%")])
def test_the_verdict_leaves_out_the_runs_first_batch(waited: float, verdict: str) -> None:
    assert verdict in Waited(1, 10, 11.0, 1 + waited - 1.0, 1.0, 0.0).text("page")


@pytest.mark.slow
def test_a_training_is_profiled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = painted(tmp_path / "signs", {"train": 16, "val": 8})
    page = tmp_path / "page.yaml"
    page.write_text(yaml.safe_dump({"data": {"root": str(root), "recipe": {"mosaic": {"p": 1.0}}}}))
    settings = [word.removeprefix("--") for word in (*NET, *QUICK) if "workers" not in word] + ["data.workers=1"]
    waiting.main(["--config", str(page), "--epochs", "2", *(w for s in settings for w in ("--set", s))])
    out = capsys.readouterr().out
    assert "page: 2 epochs, 4 batches" in out
    seconds = {name: float(value) for name, value in re.findall(r"^  (\S+ \S+).*?(\d+\.\d\d) s", out, re.MULTILINE)}
    assert 0 < seconds["the run's"] < seconds["waited for"]  # a worker is started in the first batch
    assert seconds["without the"] < seconds["waited for"]
    assert not (Path.cwd() / "lightning_logs").exists()
