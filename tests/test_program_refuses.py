"""Wrong use and unreadable input: exit code 2 and one sentence that names the file and the value."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.batches.painting import damaged, painted
from tests.running import NET, QUICK, Done, program

pytestmark = pytest.mark.timeout(60)
CONFIGS = sorted((Path(__file__).parent.parent / "configs").rglob("*.yaml"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted(tmp_path_factory.mktemp("data"), {"train": 8, "val": 2})


@pytest.fixture(scope="module")
def saved(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    done = fit(root, folder, "--trainer.limit_train_batches=1")
    assert done.code == 0, done.err
    return folder / "run" / "0" / "checkpoints" / "last.ckpt"


def fit(root: Path, runs: Path, *more: str) -> Done:
    return program("fit", *NET, *QUICK, "--trainer.max_epochs=1", f"--data.root={root}", f"--runs={runs}", *more)


def refused(done: Done, *words: str) -> None:
    assert done.code == 2, done.err
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in last, last


@pytest.mark.parametrize("key", ["model.dropuot", "data.recipe.mosaic.probability", "data.sise", "trainer.epochs"])
def test_a_misspelt_key_is_named(key: str, root: Path, tmp_path: Path) -> None:
    done = fit(root, tmp_path, f"--{key}=1")
    assert done.code == 2
    assert key.rsplit(".", 1)[1] in done.err
    config = tmp_path / "wrong.yaml"
    parts = key.split(".")
    config.write_text("".join("  " * i + f"{p}:{' 1' if p is parts[-1] else ''}\n" for i, p in enumerate(parts)))
    done = fit(root, tmp_path, f"--config={config}")
    assert done.code == 2
    assert parts[-1] in done.err


@pytest.mark.parametrize("setting", ["data.size=16", "data.fold=6/5", "data.recipe.mosaic.p=2", "data.rare=[rde]"])
def test_a_wrong_value_is_named(setting: str, root: Path, tmp_path: Path) -> None:
    done = fit(root, tmp_path, f"--{setting}")
    assert done.code == 2
    value = setting.split("=")[1].strip("[]")
    assert value in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["fit", "test"])
def test_data_that_is_not_there(command: str, root: Path, saved: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "none" / "annotations").mkdir(parents=True)
    nothing = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "red"}]}
    (tmp_path / "none" / "annotations" / "instances_train.json").write_text(json.dumps(nothing))
    checkpoint = [] if command == "fit" else [f"--ckpt_path={saved}"]
    for name in ("absent", "empty", "none"):
        flags = [f"--data.root={tmp_path / name}", f"--runs={tmp_path}/runs", *checkpoint]
        refused(program(command, *QUICK, *flags), str(tmp_path / name))
    assert not [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]


@pytest.mark.parametrize("command", ["fit", "predict"])
def test_a_checkpoint_that_cannot_be_used(command: str, root: Path, saved: Path, tmp_path: Path) -> None:
    cut, text, plain = tmp_path / "cut.ckpt", tmp_path / "text.ckpt", tmp_path / "plain.ckpt"
    cut.write_bytes(saved.read_bytes()[:-2000])
    text.write_text("no checkpoint")
    torch.save({"state_dict": {}}, plain)
    flags = [*NET, *QUICK, f"--data.root={root}", f"--runs={tmp_path}/runs"]
    for path in ("last", str(tmp_path / "none.ckpt"), "http://127.0.0.1/a.ckpt", str(cut), str(text), str(plain)):
        done = program(command, *flags, f"--ckpt_path={path}")
        refused(done, path, "files only" if "://" in path else "")


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_scoring_without_a_checkpoint(command: str, root: Path, tmp_path: Path) -> None:
    refused(program(command, *QUICK, f"--data.root={root}", f"--runs={tmp_path}"), "--ckpt_path")


def test_settings_that_differ_from_the_checkpoints(root: Path, saved: Path, tmp_path: Path) -> None:
    done = fit(root, tmp_path, f"--ckpt_path={saved}", "--model.dropout=0.5")
    refused(done, str(saved), "model.dropout", "0.5", "0.1")
    assert fit(root, tmp_path, f"--ckpt_path={saved}", "--trainer.max_epochs=2").code == 0


def test_resuming_where_validation_would_hold_what_was_learnt(root: Path, saved: Path, tmp_path: Path) -> None:
    refused(fit(root, tmp_path, f"--ckpt_path={saved}", "--data.fold=2/3", "--trainer.max_epochs=2"), "data.fold None")
    assert fit(root, tmp_path, f"--ckpt_path={saved}", "--data.seed=5", "--trainer.max_epochs=2").code == 0


def test_other_classes_than_the_checkpoints(saved: Path, tmp_path: Path) -> None:
    other = painted(tmp_path / "other", {"train": 4, "val": 2}, names=("red", "white"))
    refused(fit(other, tmp_path / "runs", f"--ckpt_path={saved}"), "white")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_breaks_the_run_is_named(workers: int, tmp_path: Path) -> None:
    """Also where the error is raised in a worker process."""
    root = painted(tmp_path / "data", {"train": 4, "val": 1}, suffix="jpg")
    for file in (root / "train").iterdir():
        damaged(file)
    for mode in ("skip", "error"):
        done = fit(root, tmp_path / mode, f"--data.workers={workers}", f"--data.on_bad_image={mode}")
        refused(done, "train/0", ".jpg", "decoded")


def test_what_the_trainer_refuses_is_one_sentence(root: Path, tmp_path: Path) -> None:
    refused(fit(root, tmp_path, "--trainer.devices=0"), "devices", "0")


@pytest.mark.parametrize(
    "settings",
    [
        ["--trainer.fast_dev_run=1"],
        ["--trainer.limit_val_batches=0"],
        ["--trainer.enable_checkpointing=false"],
        ["--trainer.logger=false"],
        ["--trainer.overfit_batches=1"],
        ["--data.recipe.mosaic.p=0"],
        ["--data.recipe.mosaic=null", "--data.balance.threshold=0.3"],
    ],
)
def test_unusual_runs_end_well(
    settings: list[str], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without a logger, Lightning writes where it is
    done = fit(root, tmp_path / "runs", *settings)
    assert done.code == 0, done.err
    scored = not any(word in settings[0] for word in ("fast_dev_run", "limit_val", "logger"))
    assert (tmp_path / "runs/run/0/metrics.json").is_file() == scored


@pytest.mark.parametrize("config", CONFIGS, ids=[str(c.relative_to(CONFIGS[0].parent.parent)) for c in CONFIGS])
def test_every_configuration_parses(config: Path) -> None:
    overlay = config.parent.name == "ablate" or config.stem in ("plain", "ddp")
    first = [f"--config={config.parent.parent / 'configs' / 'road_signs.yaml'}"] if overlay else []
    if config.parent.name == "ablate":
        first = [f"--config={config.parent.parent / 'road_signs.yaml'}"]
    done = program("fit", *first, f"--config={config}", "--print_config")
    assert done.code == 0, done.err
    assert "max_epochs" in done.out
    if config.stem == "plain":
        parsed: Any = done.out
        assert "mosaic: null" in parsed
