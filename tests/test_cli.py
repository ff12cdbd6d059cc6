import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detaug.batches.page import read_page
from detaug.classes import ClassTable
from detaug.cli import main
from detaug.draws.balance import Balance
from detaug.errors import InputError
from detaug.readers.check.boxes import FEW
from detaug.readers.check.check import check
from detaug.readers.drawn import dataset
from detaug.readers.image import decode
from detaug.scenes.flip import Flip
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from tests.readers.making import voc
from tests.readers.textures import all_different

BOX = (5, 5, 25, 25)
CONFIGS = Path(__file__).parents[1] / "configs"
PAGE = """
model: {dropout: 0.1}
data:
  size: [64, 96]
  balance: {threshold: 0.6}
  rare: [stop]
  recipe: {flip: {p: 0.25}, mosaic: null, extra: {}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    voc(tmp_path / "set" / "train", {f"a{i}": [("stop", BOX)] for i in range(FEW)})
    return all_different(voc(tmp_path / "set" / "val", {"b": [("stop", BOX)]}).parent)


def test_a_sound_dataset_gives_0_and_findings_give_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(root)]) == 0
    assert "no findings" in capsys.readouterr().out
    (root / "train" / "images" / "a0.jpg").unlink()
    assert main(["check", str(root)]) == 1
    assert "missing-image: 1" in capsys.readouterr().out


def test_json_is_all_of_stdout_and_counts_agree(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(root), "--json", "--format", "voc"]) == 0
    content = json.loads(capsys.readouterr().out)
    report = check(root, "voc")
    assert (content["images"], content["boxes"]) == (report.images, report.boxes) == (FEW + 1, FEW + 1)
    assert content["splits"] == report.splits
    assert content["classes"] == report.classes


def test_fast_leaves_the_pixels_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = root / "train" / "images" / "a0.jpg"
    file.write_bytes(file.read_bytes()[:-50] + b"\xff\xd9")
    assert main(["check", str(root), "--fast"]) == 0
    assert "pixels: not looked at" in capsys.readouterr().out
    assert main(["check", str(root)]) == 1
    assert "truncated-image: 1" in capsys.readouterr().out


def test_a_proposed_table_is_one_that_can_be_used(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = root.parent / "table.yaml"
    assert main(["check", str(root), "--propose", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["boxes"] == FEW + 1
    assert ClassTable.from_yaml(out).names == ("stop",)
    assert main(["check", str(root), "--classes", str(out)]) == 0
    out.write_text("mine")
    assert main(["check", str(root), "--propose", str(out)]) == 2
    assert str(out) in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["check", str(root), "--propose", str(out), "--force"]) == 0
    assert str(out) in capsys.readouterr().out
    assert ClassTable.from_yaml(out).names == ("stop",)
    assert main(["check", str(root), "--propose", str(root), "--force"]) == 2


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "command"),
        (["split"], "split"),
        (["check"], "ROOT"),
        (["check", "ROOT", "--jsn"], "--jsn"),
        (["check", "absent"], "absent"),
        (["check", "ROOT", "--format", "vok"], "'vok'"),
        (["check", "ROOT", "--classes", "none.yaml"], "none.yaml"),
        (["preview", "ROOT", "--out", "OUT.png"], "--recipe"),
        (["preview", "ROOT", "--recipe", "sings", "--out", "OUT.png"], "'sings'"),
        (["preview", "ROOT", "--recipe", "no/file.yaml", "--out", "OUT.png"], "no/file.yaml"),
        (["preview", "ROOT", "--recipe", "signs", "--out", "OUT.tiff"], "'.tiff'"),
        (["preview", "ROOT", "--recipe", "signs", "--out", "OUT.png", "--count", "0"], "'0'"),
        (["preview", "ROOT", "--recipe", "signs", "--out", "OUT.png", "--size", "64x"], "'64x'"),
        (["preview", "ROOT", "--recipe", "signs", "--out", "OUT.png", "--size", "16"], "'16'"),
        (["preview", "ROOT", "--recipe", "signs", "--out", "OUT.png", "--seed", "-1"], "'-1'"),
        (["preview", "ROOT", "--recipe", "signs", "--out", "OUT.png", "--split", "test"], "'test'"),
    ],
)
def test_wrong_use_gives_2_and_one_sentence(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str
) -> None:
    argv = [w.replace("ROOT", str(root)).replace("OUT", str(root / "out")) for w in words]
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    assert named in err
    assert not list(root.glob("out*"))


def sheet_of(root: Path, *words: str) -> Any:
    out = root.parent / "sheet.png"
    assert main(["preview", str(root), "--out", str(out), "--force", *words]) == 0
    return decode(out)


def test_the_sheet_has_the_size_that_is_asked_for(root: Path) -> None:
    sheet = sheet_of(root, "--recipe", "signs", "--count", "6", "--size", "64x96")
    assert sheet.shape[1] == 3 * (96 + 8) + 8
    assert sheet_of(root, "--recipe", "signs", "--count", "3", "--size", "80").shape[1] == 2 * (80 + 8) + 8


def test_seed_and_epoch_change_the_sheet_and_nothing_else_does(root: Path) -> None:
    words = ["--recipe", "signs", "--count", "2", "--size", "64"]
    first = sheet_of(root, *words)
    assert np.array_equal(first, sheet_of(root, *words, "--seed", "0", "--epoch", "0"))
    assert not np.array_equal(first, sheet_of(root, *words, "--seed", "1"))
    assert not np.array_equal(first, sheet_of(root, *words, "--epoch", "1"))


def test_a_sheet_is_not_replaced_unless_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = root / "sheet.png"
    out.write_bytes(b"mine")
    words = ["preview", str(root), "--recipe", "plain", "--out", str(out), "--count", "1", "--size", "64"]
    assert main(words) == 2
    assert str(out) in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert main([*words, "--force"]) == 0
    assert decode(out).ndim == 3


def test_without_splits_all_images_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet_of(voc(tmp_path / "set", {"a": [("stop", BOX)], "b": []}), "--recipe", "plain", "--count", "1")
    assert "1 samples of 2 images" in capsys.readouterr().out


def test_missing_drawn_scenes_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = dataset.draw_dataset
    monkeypatch.setattr(dataset, "draw_dataset", lambda root: draw(root, images={"train": 2}))
    sheet_of(tmp_path / "drawn", "--format", "drawn", "--recipe", "signs", "--count", "1", "--size", "64")
    assert (tmp_path / "drawn" / "train" / "000001.jpg").is_file()


def test_a_training_page_gives_recipe_size_and_balance(root: Path) -> None:
    file = root / "page.yaml"
    file.write_text(PAGE)
    page = read_page(str(file))
    assert page.recipe == Recipe(flip=Flip(p=0.25))
    assert page.balance == Balance(threshold=0.6)
    assert (page.size, page.rare) == ((64, 96), ("stop",))
    assert sheet_of(root, "--recipe", str(file), "--count", "1").shape[1] == 96 + 2 * 8
    assert sheet_of(root, "--recipe", str(file), "--count", "1", "--size", "70").shape[1] == 70 + 2 * 8


def test_the_page_balances_unless_told_otherwise(root: Path) -> None:
    voc(root / "train", {"rare": [("yield", BOX), ("stop", (30, 5, 50, 25))]})
    file = root / "page.yaml"
    file.write_text("data: {size: 64, recipe: {}, balance: {threshold: 1, power: 1}}")
    words = ["--recipe", str(file), "--count", "8"]
    balanced, even = sheet_of(root, *words), sheet_of(root, *words, "--no-balance")
    assert balanced.shape != even.shape or not np.array_equal(balanced, even)
    assert np.array_equal(balanced, sheet_of(root, *words, "--balance"))


def test_names_files_and_pages_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("mosaic: {p: 0.5}\n")
    assert read_page("signs").recipe == Recipe.builtin("signs")
    assert read_page(str(tmp_path / "own.yaml")).recipe == Recipe(mosaic=Mosaic(p=0.5))
    assert read_page(str(CONFIGS / "road_signs.yaml")).size == (320, 320)
    assert not read_page(str(CONFIGS / "plain.yaml")).recipe.operations()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("data: {}", "data.recipe"),
        ("data: {recipe: {mosiac: {}}}", "data.recipe.mosiac"),
        ("data: {recipe: {mosaic: {p: 2}}}", "mosaic.p"),
        ("data: {recipe: {extra: {own: {}}}}", "data.recipe.extra"),
        ("data: {recipe: {}, balance: 3}", "data.balance"),
        ("data: {recipe: {}, balance: {treshold: 1}}", "data.balance.treshold"),
        ("data: {recipe: {}, rare: stop}", "data.rare"),
        ("data: {recipe: {}, size: [64]}", "data.size"),
        ("data: {recipe: {}, size: true}", "data.size"),
        ("mosiac: {}", "mosiac"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_faulty_page_is_named(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "page.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=r"page\.yaml") as error:
        read_page(str(file))
    assert named in str(error.value)


def test_no_command_needs_torch(root: Path) -> None:
    program = (
        "import sys; from detaug.cli import main; root = sys.argv[1]; "
        "assert main(['check', root, '--json']) == 0; "
        "assert main(['preview', root, '--recipe', 'signs', '--out', root + '/s.png', '--count', '1']) == 0; "
        "print([m for m in ('torch', 'torchvision', 'pytorch_lightning') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(root)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
