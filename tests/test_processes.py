"""train.py in two processes of one machine."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from detaug.batches.augmenter import Augmenter
from detaug.readers.read import read
from detaug.scenes.recipe import Recipe
from tests.batches.painting import damaged, painted
from tests.running import NET, QUICK, launched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
TWO = ("--trainer.devices=2", "--trainer.strategy=ddp")
AUGMENTED = (
    "--data.recipe.mosaic.p=0.5",
    "--data.recipe.affine.p=1",
    "--data.recipe.noise.p=0.5",
    "--data.workers=1",
    "--data.eval_batch_size=1",
    "--trainer.max_epochs=2",
)
EMA = "--trainer.callbacks+=detaug.learning.ema.Ema"


def recorder(folder: Path) -> list[str]:
    return ["--trainer.callbacks+=tests.recording.Recorder", f"--trainer.callbacks.folder={folder}"]


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventeen images to train on, of which two batches of eight are shown; seven that two cannot share evenly."""
    return painted(tmp_path_factory.mktemp("data"), {"train": 17, "val": 7, "test": 1})


@pytest.fixture(scope="module")
def runs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training in one process and in two, at equal global batch."""
    folder = tmp_path_factory.mktemp("runs")
    for name, batch, more in (("one", 8, ()), ("two", 4, TWO)):
        settings = [f"--data.root={root}", f"--runs={folder}", f"--name={name}", f"--data.batch_size={batch}"]
        done = launched("fit", *NET, *QUICK, *AUGMENTED, EMA, *recorder(folder / f"seen-{name}"), *more, *settings)
        assert done.code == 0, done.err
    return folder


def test_two_processes_see_what_one_sees(runs: Path) -> None:
    """Global batch by global batch, over two epochs."""
    (alone,), (left, right) = records(runs / "seen-one"), records(runs / "seen-two")
    assert len(alone["steps"]) == len(left["steps"]) == len(right["steps"]) == 2 * 2
    for one, a, b in zip(alone["steps"], left["steps"], right["steps"], strict=True):
        assert set(one) == set(a) | set(b)
        assert len(one) == len(a) + len(b) == 8
    everything = [digest for step in alone["steps"] for digest in step]
    assert len(set(everything)) == len(everything)


def test_they_end_with_the_same_weights_and_numbers(runs: Path) -> None:
    left, right = records(runs / "seen-two")
    assert left["weights"] == right["weights"]
    assert len(set(left["weights"])) == 3  # two epochs, and their running mean
    assert left["metrics"] == right["metrics"]


def test_each_validation_image_is_seen_once(runs: Path) -> None:
    left, right = records(runs / "seen-two")
    for a, b in list(zip(left["rows"], right["rows"], strict=True))[1:]:  # the first is the sanity check
        assert Counter(a + b) == Counter(range(7))


def test_one_run_folder_is_made(runs: Path) -> None:
    assert [p.name for p in (runs / "two").iterdir()] == ["0"]
    names = {p.name for p in (runs / "two" / "0").rglob("*") if p.is_file()}
    assert names >= {"config.yaml", "metrics.csv", "metrics.json", "detections.json", "best.ckpt", "last.ckpt"}


def test_labels_that_may_be_wrong_are_looked_for_by_all(runs: Path) -> None:
    """Each box of the training images once, though the processes' shares are not even."""
    alone, shared = (json.loads((runs / name / "0" / "suspects.json").read_text()) for name in ("one", "two"))
    assert alone["images"] == shared["images"] == 17
    boxes = [Counter((s["image"], *s["box"]) for s in found["suspects"]) for found in (alone, shared)]
    assert boxes[0] == boxes[1]
    assert set(boxes[0].values()) == {1}


@pytest.mark.parametrize(("command", "images"), [("validate", 7), ("test", 1), ("predict", 1)])
def test_any_number_of_processes_finds_the_same(
    command: str, images: int, root: Path, runs: Path, tmp_path: Path
) -> None:
    """Also where one process has no image at all."""
    flags = [f"--data.root={root}", f"--runs={tmp_path}", f"--ckpt_path={runs}/two/0/checkpoints/best.ckpt"]
    for more in ((), TWO):
        done = launched(command, *QUICK, *flags, "--data.eval_batch_size=1", *more)
        assert done.code == 0, done.err
    one, two = tmp_path / "run" / "0", tmp_path / "run" / "1"
    assert (one / "detections.json").read_text() == (two / "detections.json").read_text()
    if command != "predict":
        numbers = json.loads((two / "metrics.json").read_text())
        assert numbers["images"] == images
        assert numbers == {**json.loads((one / "metrics.json").read_text()), "loss": pytest.approx(numbers["loss"])}
    if command == "validate":
        assert numbers["AP"] == json.loads((runs / "two/0/metrics.json").read_text())["AP"]


def test_broken_images_end_both_processes(tmp_path: Path) -> None:
    """Whichever process meets them: neither waits for the other."""
    root = painted(tmp_path / "data", {"train": 16, "val": 2}, suffix="jpg")
    for file in sorted((root / "train").iterdir())[::3]:
        damaged(file)
    done = launched("fit", *NET, *QUICK, *TWO, f"--data.root={root}", f"--runs={tmp_path}/runs")
    assert done.code != 0
    assert "images cannot be decoded: train/0" in done.err


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_process_ends_the_other(rank: int, tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 16, "val": 2}, suffix="jpg")
    catalog = read(root).split("train")
    damaged(catalog.path(Augmenter(catalog, Recipe(), 64).draw(0, 8 * rank).item))
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--data.on_bad_image=error"]
    done = launched("fit", *NET, *QUICK, *TWO, *flags, seconds=60)
    assert done.code != 0
    assert "error: " in done.err
    assert "cannot be decoded" in done.err


def test_torchrun_starts_it_too(root: Path, tmp_path: Path) -> None:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    flags = [*TWO, f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=1"]
    done = launched("fit", *NET, *QUICK, *flags, start=start)
    assert done.code == 0, done.err
    assert [p.name for p in (tmp_path / "runs" / "run").iterdir()] == ["0"]
    assert (tmp_path / "runs/run/0/metrics.json").is_file()


def test_a_killed_process_is_no_longer_there() -> None:
    """The harness itself: a time limit ends the whole group."""
    with pytest.raises(subprocess.TimeoutExpired):
        launched("fit", "--print_config", seconds=0.2)
