"""The judged trainings: their datasets are what they say, and the table says what the runs ended with."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from benchmarks.judged import __main__ as program
from benchmarks.judged import data as datasets
from benchmarks.judged.data import Data, folder_of
from benchmarks.judged.setups import PAIRS, SETUPS
from benchmarks.judged.table import judged, verdict_of
from benchmarks.proof.runs import Job, Row, append, claimed, rows
from detaug.learning.diagnosis import State
from detaug.readers.catalog import Catalog
from detaug.readers.drawn.dataset import draw_dataset
from detaug.readers.read import read

IMAGES = {"train": 24, "val": 8}


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for the photographs."""
    root = tmp_path_factory.mktemp("signs") / "signs"
    draw_dataset(root, images=IMAGES, size=(192, 320))
    return root


def size(catalog: Catalog) -> float:
    """The median area of the signs."""
    return float(np.median(np.prod(catalog.boxes[:, 2:] - catalog.boxes[:, :2], axis=1)))


def test_a_few_images_are_learnt_and_validation_stays(signs: Path, tmp_path: Path) -> None:
    chosen = [read(folder_of(Data(source="signs", train=5, seed=s), signs, tmp_path)) for s in (0, 1)]
    whole = read(signs)
    for catalog in chosen:
        assert (len(catalog.split("train")), len(catalog.split("val"))) == (5, IMAGES["val"])
        assert np.array_equal(catalog.split("val").boxes, whole.split("val").boxes)
    names = [{c.split("train").path(k).read_bytes() for k in range(5)} for c in chosen]
    assert names[0] != names[1]


def test_easy_validation_is_copies_of_training_images_with_large_signs(signs: Path, tmp_path: Path) -> None:
    catalog = read(folder_of(Data(source="signs", easy=True), signs, tmp_path))
    train, val = catalog.split("train"), catalog.split("val")
    known = {train.path(k).read_bytes() for k in range(len(train))}
    assert len(val) == IMAGES["val"]
    assert {val.path(k).read_bytes() for k in range(len(val))} <= known
    assert np.diff(val.starts).all()
    assert size(val) > size(train)


def test_training_boxes_lie_beside_their_signs_and_those_of_validation_do_not(signs: Path, tmp_path: Path) -> None:
    made = Data(source="signs", one_class=True, jitter=0.3)
    catalog, whole = read(folder_of(made, signs, tmp_path)), read(signs)
    assert list(catalog.classes.names) == ["sign"]
    assert np.array_equal(catalog.split("val").boxes, whole.split("val").boxes)
    moved, right = catalog.split("train").boxes, whole.split("train").boxes
    assert (moved != right).mean() > 0.8
    assert np.abs(moved - right).max() <= 0.3 * (right[:, 2:] - right[:, :2]).max() + 1e-3
    assert (moved[:, 2:] > moved[:, :2]).all()


def test_drawn_scenes_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MOST", 3)
    few = Data(source="drawn", val=2, seed=3)
    root = folder_of(few, tmp_path / "absent", tmp_path)
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}
    assert folder_of(few, tmp_path / "absent", tmp_path) == root
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()} == before
    assert len(read(root)) == 5


def test_every_state_is_tried_and_every_name_known() -> None:
    names = [setup.name for setup in SETUPS]
    assert len(set(names)) == len(names)
    states = {state for setup in SETUPS for state in setup.expected}
    assert states == set(get_args(State))
    assert sum(bool(setup.expected) for setup in SETUPS) >= 16
    assert {n for pair in PAIRS for n in (pair.wide, pair.narrow)} <= set(names)
    for setup in SETUPS:
        assert setup.begins_with is None or names.index(setup.begins_with) < names.index(setup.name)


def test_pairs_differ_in_the_recipe_alone() -> None:
    by_name = {setup.name: setup for setup in SETUPS}
    for pair in PAIRS:
        wide, narrow = by_name[pair.wide], by_name[pair.narrow]
        assert replace(narrow, name=wide.name, expected=wide.expected, why=wide.why, settings=wide.settings) == wide


def run(out: Path, name: str, state: str, val: Sequence[float], clean: Sequence[float]) -> Row:
    """The row of a run that ended so, its folder made."""
    folder = out / name / "0"
    folder.mkdir(parents=True)
    curves = {"epoch": list(range(len(val))), "val_loss": list(val), "clean_loss": list(clean), "chance_loss": None}
    curves |= {key: [None] * len(val) for key in ("train_loss", "clean_ap50", "val_ap50")}
    verdict = {"state": state, "sentence": f"It is, {state}.", "knobs": [{"setting": "--a 1", "why": "b"}]}
    (folder / "diagnosis.json").write_text(json.dumps({**verdict, "confidence": 0.5, "curves": curves}))
    place = {"arm": name, "unit": "0", "epochs": "4", "steps": "9", "minutes": "1.0"}
    return {**place, **verdict_of(folder), "folder": f"{name}/0"}


def test_the_table_counts_what_was_expected_and_shows_the_rest(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    append(table, run(tmp_path, "few_signs", "overfitting", [9, 3, 2, 1], [9, 1, 1, 1]))
    append(table, run(tmp_path, "few_signs_full", "still_learning", [9, 3, 2, 2.5], [9, 2, 2, 2]))
    append(table, run(tmp_path, "slow_signs", "healthy", [7.25, 7.25, 7.25, 7.25], [7, 7, 7, 7]))
    text = judged(rows(table), tmp_path)
    assert f"1 of 2 as expected; {len(SETUPS) - 3} not trained yet" in text
    assert "few_signs 1.000, few_signs_full 0.500: smaller" in text
    assert "It is, overfitting." in text
    shown = text[text.index("slow_signs: expected underfitting, said healthy") :]
    assert "7.25 7.25 7.25 7.25" in shown
    assert "few_signs" not in shown


def test_a_run_waits_for_the_one_it_begins_with(
    signs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Job] = []
    monkeypatch.setattr(program, "run_all", lambda jobs, *_: ran.extend(jobs))
    words = ["--data", str(signs), "--out", str(tmp_path), "--only", "gentle_signs_one"]
    assert program.main(words) == 0
    assert ran == []
    assert "waits for early_signs_one" in capsys.readouterr().err
    append(tmp_path / "runs.csv", run(tmp_path, "early_signs_one", "still_learning", [3, 2, 1], [3, 2, 1]))
    assert program.main(words) == 0
    (job,) = ran
    where = job.settings.index("--model.init_from") + 1
    assert job.settings[where] == str(tmp_path.resolve() / "early_signs_one/0/checkpoints/last.ckpt")


def test_a_dataset_that_another_process_makes_is_waited_for(tmp_path: Path) -> None:
    with claimed(tmp_path / ".lock", wait=True) as mine, claimed(tmp_path / ".lock") as again:
        assert mine
        assert not again
