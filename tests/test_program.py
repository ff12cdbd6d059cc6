"""The training program from its command line: what it writes, and what others read from it."""

import contextlib
import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import yaml
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.batches.painting import painted
from tests.running import NET, QUICK, program

pytestmark = pytest.mark.timeout(90)
CALLBACK = "--trainer.callbacks+=detaug.learning.ema.Ema"


@dataclass(frozen=True)
class Trained:
    """A run that has learnt something.

    Attributes:
        root: its data.
        folder: its run folder.
    """

    root: Path
    folder: Path

    @property
    def best(self) -> Path:
        return self.folder / "checkpoints" / "best.ckpt"


def test_the_group_of_processes_has_ended_when_the_program_has(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of gloo that outlive the interpreter abort the process."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(find_free_network_port()))
    with patch.object(torch.distributed, "init_process_group", wraps=torch.distributed.init_process_group) as begun:
        flags = [f"--data.root={trained.root}", f"--runs={tmp_path}", "--trainer.max_epochs=1"]
        done = program("fit", *NET, *QUICK, "--trainer.strategy=ddp", *flags)
    assert done.code == 0, done.err
    begun.assert_called_once()
    assert not torch.distributed.is_initialized()
    names = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in names if "gloo" in name]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    root = painted(folder / "data", {"train": 24, "val": 6, "test": 5}, size=(96, 128))
    settings = ["--data.epoch_length=96", "--trainer.max_epochs=3", "--model.learning_rate=4e-3"]
    done = program("fit", *NET, *QUICK, CALLBACK, *settings, f"--data.root={root}", f"--runs={folder}/runs")
    assert done.code == 0, done.err
    return Trained(root, folder / "runs" / "run" / "0")


def metrics(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "metrics.json").read_text()))


def pycocotools_ap(truth: Path, found: Path) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(str(truth))
        evaluation = COCOeval(reference, reference.loadRes(str(found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def score(trained: Trained, command: str, runs: Path, root: Path, *more: str) -> Path:
    """Run a command on the trained weights; its run folder."""
    flags = [f"--ckpt_path={trained.best}", f"--data.root={root}", f"--runs={runs}", *more]
    done = program(command, *QUICK, *flags)
    assert done.code == 0, done.err
    return runs / "run" / str(len(list((runs / "run").iterdir())) - 1)


def test_a_run_folder_is_whole(trained: Trained) -> None:
    names = {str(p.relative_to(trained.folder)) for p in trained.folder.rglob("*") if p.is_file()}
    expected = {"config.yaml", "metrics.csv", "metrics.json", "detections.json"}
    assert names >= expected | {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    config = yaml.safe_load((trained.folder / "config.yaml").read_text())
    assert config["data"]["root"] == str(trained.root)
    assert set(torch.load(trained.best, weights_only=True)["SignData"]["training"]["boxes"]) == {
        "red",
        "green",
        "yellow",
    }


def test_the_numbers_are_the_best_validations(trained: Trained) -> None:
    """With averaged weights: what is saved is what was validated."""
    with (trained.folder / "metrics.csv").open() as file:
        logged = [float(row["val/AP"]) for row in csv.DictReader(file) if row.get("val/AP")]
    assert len(logged) == 3 + 1  # three epochs, and the best once more at the end
    assert max(logged) > 0.2
    assert metrics(trained.folder)["AP"] == pytest.approx(max(logged), abs=1e-6)
    assert metrics(trained.folder)["checkpoint"] == str(trained.best)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_pycocotools_agrees_in_original_pixels(trained: Trained, command: str, tmp_path: Path) -> None:
    folder = score(trained, command, tmp_path, trained.root)
    split = {"validate": "val"}.get(command, command)
    truth = trained.root / "annotations" / f"instances_{split}.json"
    numbers = metrics(folder)
    assert numbers["split"] == split
    assert numbers["AP"] == pytest.approx(pycocotools_ap(truth, folder / "detections.json"), abs=1e-12)
    if command == "validate":
        assert numbers["AP"] == pytest.approx(metrics(trained.folder)["AP"], abs=1e-6)
        assert folder.joinpath("detections.json").read_text() == trained.folder.joinpath("detections.json").read_text()


@pytest.mark.parametrize("names", [("yellow", "red"), ("white", "yellow", "green", "red")])
def test_another_folder_is_scored_whole_and_by_name(trained: Trained, names: tuple[str, ...], tmp_path: Path) -> None:
    """Fewer, more and reordered classes, without splits."""
    root = painted(tmp_path / "other", {"all": 7}, names=names, size=(80, 120))
    folder = score(trained, "test", tmp_path / "runs", root)
    numbers = metrics(folder)
    assert (numbers["split"], numbers["images"]) == ("all", 7)
    assert set(numbers["per_class"]) == set(names)
    assert sum(c["boxes"] for c in numbers["per_class"].values()) == 14
    assert numbers["per_class"]["red"]["training_boxes"] == 16
    truth = root / "annotations" / "instances_all.json"
    assert numbers["AP"] == pytest.approx(pycocotools_ap(truth, folder / "detections.json"), abs=1e-12)
    again = score(trained, "validate", tmp_path / "runs", root)
    assert metrics(again)["AP"] == numbers["AP"]


def test_a_checkpoint_is_scored_at_the_size_it_was_validated_at(trained: Trained, tmp_path: Path) -> None:
    flags = [f"--ckpt_path={trained.best}", f"--data.root={trained.root}", f"--runs={tmp_path}"]
    done = program("validate", *[q for q in QUICK if "size" not in q], *flags)
    assert done.code == 0, done.err
    found = (tmp_path / "run" / "0" / "detections.json").read_text()
    assert found == (trained.folder / "detections.json").read_text()
    other = score(trained, "validate", tmp_path, trained.root, "--data.eval_size=96")
    assert (other / "detections.json").read_text() != found


def test_predict_writes_detections_and_runs_count_up(trained: Trained, tmp_path: Path) -> None:
    for number in range(2):
        folder = score(trained, "predict", tmp_path, trained.root)
        assert folder.name == str(number)
    found = json.loads((folder / "detections.json").read_text())
    truth = json.loads((trained.root / "annotations/instances_test.json").read_text())
    assert {f["image_id"] for f in found} <= {i["id"] for i in truth["images"]}
    assert found
    assert not (folder / "metrics.json").exists()


def test_the_saved_configuration_runs_again(trained: Trained, tmp_path: Path) -> None:
    flags = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", f"--runs={tmp_path}", "--name=again"]
    done = program("fit", f"--config={trained.folder}/config.yaml", *flags)
    assert done.code == 0, done.err
    assert (tmp_path / "again" / "0" / "metrics.json").is_file()


def test_training_images_are_not_scored_as_unseen(tmp_path: Path) -> None:
    """Data without splits: `test` on the training's own folder scores what was held back."""
    root = painted(tmp_path / "data", {"all": 15})
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=1"]
    assert program("fit", *NET, *QUICK, *flags, "--data.seed=3").code == 0
    run = tmp_path / "runs" / "run"
    held = metrics(run / "0")
    shutil.move(root, tmp_path / "moved")
    flags = [f"--data.root={tmp_path}/moved", f"--runs={tmp_path}/runs", f"--ckpt_path={run}/0/checkpoints/best.ckpt"]
    assert program("test", *QUICK, *flags).code == 0
    scored = metrics(run / "1")
    assert scored["split"] == held["split"] == "val"
    assert scored["images"] == held["images"] < 5
    assert (run / "1/detections.json").read_text() == (run / "0/detections.json").read_text()
