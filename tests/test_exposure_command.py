"""`detaug exposure`: the ledger on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detaug.batches.datamodule import SignData
from detaug.cli import main
from detaug.draws.balance import Balance
from detaug.readers.read import read
from detaug.reports.preview import preview
from detaug.scenes import solver
from detaug.scenes.exposure import exposure
from detaug.scenes.ground import ground
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from tests.batches.painting import NAMES, painted
from tests.readers.making import coco


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return painted(tmp_path / "set", {"train": 12, "val": 5}, size=(150, 200))


def said(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main(["exposure", *map(str, words), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_it_prints_the_ledger(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (root, "--recipe", "signs", "--size", "96", "--epochs", "3", "--seed", "4")
    found = said(capsys, *words)
    planned = ground(read(root).split("train"), Recipe.builtin("signs"), 96, 4)
    expected = exposure(planned.stage, planned.recipe, range(3))
    assert found["images"] == found["scenes_per_epoch"] == 12
    for c, name in enumerate(NAMES):
        row = found["classes"][name]
        assert row["boxes"] == expected.present[c]
        assert row["shown"] == pytest.approx(expected.per_epoch()[c], abs=0.01)
        assert sum(row["came"].values()) == pytest.approx(row["shown"], abs=0.05)
        assert sum(row["sides"].values()) == pytest.approx(row["shown"], abs=0.05)
        assert row["factor"] == pytest.approx(row["shown"] / row["boxes"], abs=0.001)
    assert main(["exposure", *map(str, words)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("12 images, 12 scenes an epoch of 96x96")
    assert all(name in text for name in NAMES)


def test_split_length_and_balance_are_heard(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, root, "--recipe", "plain", "--split", "val")["classes"]["red"]["boxes"] < 5
    assert said(capsys, root, "--recipe", "plain", "--length", "30")["scenes_per_epoch"] == 30
    plain, more = (said(capsys, root, "--recipe", "plain", "--epochs", "9", w) for w in ("--no-balance", "--balance"))
    assert plain["classes"]["red"]["factor"] == 1
    factors = Balance().image_factors(read(root).split("train"))
    assert (more["classes"] != plain["classes"]) == bool((factors > 1).any())


def test_a_floor_is_solved_for(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "PILOT", 40)
    monkeypatch.setattr(solver, "SCENES", 80)
    words = (root, "--recipe", "signs", "--size", "96", "--epochs", "4")
    found = said(capsys, *words, "--floor", "10")
    assert found["unreached"] == []
    assert min(row["shown"] for row in found["classes"].values()) >= 9.5
    assert len(said(capsys, *words, "--floor", "5000")["unreached"]) == 3
    assert main(["exposure", *map(str, words), "--floor", "5000"]) == 0
    assert "of 5000; stopped by" in capsys.readouterr().out


def test_wrong_use_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--floor", "3", "--no-balance"], ["--floor", "0"], ["--epochs", "x"], ["--split", "test"]):
        assert main(["exposure", str(root), "--recipe", "signs", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_it_needs_no_image_and_no_torch(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg", "height": 200, "width": 300} for i in range(6)]
    boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [20, 20, 60, 60], "area": 3600} for i in range(6)]
    coco(tmp_path / "set" / "annotations.json", images, boxes)
    program = (
        "import sys; from detaug.cli import main; code = main(sys.argv[1:]); sys.exit(code or 'torch' in sys.modules)"
    )
    words = ["exposure", str(tmp_path / "set"), "--recipe", "signs", "--json"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)["classes"]
    assert shown["stop"]["shown"] > 0
    assert shown["yield"]["factor"] is None
    assert np.isfinite(shown["stop"]["factor"])


def test_the_ledger_is_that_of_the_training(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Blurred signs are no donors in training: the ledger and the sheet must know that too."""
    rng = np.random.default_rng(0)
    for place, path in enumerate(sorted((root / "train").iterdir())):
        picture = rng.integers(0, 255, (150, 200, 3), np.uint8)
        cv2.imwrite(str(path), picture if place % 2 else cv2.blur(picture, (15, 15)))
    recipe = Recipe(paste=Paste(p=1.0))
    page = root.parent / "page.yaml"
    page.write_text("data:\n  size: 96\n  rare: [red, green, yellow]\n  recipe:\n    paste: {p: 1.0}\n")
    data = SignData(str(root), recipe=recipe, size=96, rare=list(NAMES), seed=0)
    stage = data.augmenter().stage
    blurred = ground(read(root).split("train"), recipe, 96, rare=list(NAMES)).stage
    assert 0 < len(stage.donors) < len(blurred.donors)
    found = said(capsys, root, "--recipe", page, "--split", "train")
    expected = exposure(stage, recipe, range(1)).per_epoch()
    assert [found["classes"][name]["shown"] for name in NAMES] == pytest.approx(expected.tolist(), abs=0.01)
    unread = said(capsys, root, "--recipe", page, "--split", "train", "--no-pixels")
    expected = exposure(blurred, recipe, range(1)).per_epoch()
    assert [unread["classes"][name]["shown"] for name in NAMES] == pytest.approx(expected.tolist(), abs=0.01)
    assert main(["preview", str(root), "--recipe", str(page), "--count", "6", "--out", str(root / "sheet.png")]) == 0
    catalog = read(root).split("train")
    colours, title = recipe.colours(catalog), f"{page}, 96x96, seed 0, epoch 0"
    sheet = preview(catalog, recipe, 96, count=6, rare=NAMES, colours=colours, title=title)
    drawn = cv2.imread(str(root / "sheet.png"))
    assert drawn is not None
    np.testing.assert_array_equal(drawn[..., ::-1], sheet)
