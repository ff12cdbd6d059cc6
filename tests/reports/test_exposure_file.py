"""The run folder says what each epoch has really shown."""

import json
from pathlib import Path

import numpy as np
import pytest

from detaug.batches.augmenter import Augmenter
from detaug.readers.read import read
from detaug.scenes import solver
from detaug.scenes.exposure import BUCKETS, Came, exposure
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from tests.batches.painting import NAMES, painted
from tests.running import NET, QUICK, program

pytestmark = pytest.mark.timeout(90)


def test_training_shows_what_the_ledger_plans(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 16, "val": 3}, size=(96, 128))
    recipe = ["--data.recipe.mosaic.p=0.5", "--data.recipe.paste.p=1", "--data.rare=[red]", "--data.mix_until_epoch=1"]
    done = program(
        "fit", *NET, *QUICK, *recipe, "--trainer.max_epochs=2", f"--data.root={root}", f"--runs={tmp_path}/r"
    )
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "r" / "run" / "0" / "exposure.json").read_text())
    assert found["epochs"] == [0, 1]
    assert found["images"] == [16, 16]
    planned = Augmenter(read(root).split("train"), Recipe(mosaic=Mosaic(p=0.5), paste=Paste(p=1)), 64, rare=["red"])
    for epoch, mixing in ((0, True), (1, False)):
        expected = exposure(planned.stage, planned.recipe, [epoch], mixing).shown
        for c, name in enumerate(NAMES):
            row = found["classes"][name]
            assert row["shown"][epoch] == expected[c].sum()
            assert [row[came.name.lower()][epoch] for came in Came] == expected[c].sum(1).tolist()
            assert [row["sides"][bucket][epoch] for bucket in BUCKETS] == expected[c].sum(0).tolist()
        assert (np.sum([found["classes"][n]["partner"][epoch] for n in NAMES]) > 0) == mixing


def test_a_floor_is_a_setting_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "SCENES", 50)
    root = painted(tmp_path / "data", {"train": 8, "val": 2}, size=(96, 128))
    words = [
        "--data.balance.floor=900",
        "--data.balance.most=2",
        "--data.recipe.mosaic.p=0.5",
        "--trainer.max_epochs=1",
    ]
    with pytest.warns(UserWarning, match="of 900; stopped by"):
        done = program("fit", *NET, *QUICK, *words, f"--data.root={root}", f"--runs={tmp_path}/r")
    assert done.code == 0, done.err
