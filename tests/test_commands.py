"""The commands `split` and `convert` from end to end, and the word `--splits` wherever it is taken."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from detaug.batches.datamodule import SignData
from detaug.batches.parts import fingerprint
from detaug.cli import main
from detaug.errors import InputError
from detaug.readers.read import read
from detaug.readers.split_file import with_split_file
from tests.batches.painting import painted
from tests.batches.test_datamodule import data, names, scored, scoring
from tests.readers.making import voc

BOX = (5, 5, 25, 25)
OTHER = (30, 5, 50, 25)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """30 images, each a group of its own, one class on all, one on 6, one on 2."""
    objects = {
        f"a{i * 20:03}": [
            ("stop", BOX),
            *([("rare", OTHER)] if i % 5 == 0 else []),
            *([("two", (1, 30, 9, 39))] * (i < 2)),
        ]
        for i in range(30)
    }
    return voc(tmp_path / "set", objects)


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_split_writes_a_file_that_every_command_takes(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "split.csv"
    assert main(["split", str(root), "--out", str(file), "--val", "0.2", "--test", "0.1"]) == 0
    said = capsys.readouterr().out
    assert "two: it has 2 groups for 3 splits and is not in test" in said
    rows = table(file)
    catalog = read(root)
    assert [row["image"] for row in rows] == [catalog.name(i) for i in range(len(catalog))]
    assert Counter(row["split"] for row in rows) == {"train": 21, "val": 6, "test": 3}
    assert len({row["group"] for row in rows}) == 30
    assert main(["check", str(root), "--splits", str(file), "--fast", "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["splits"] == {"train": 21, "val": 6, "test": 3}
    assert main(["convert", str(root), str(tmp_path / "new"), "--to", "yolo", "--splits", str(file)]) == 0
    assert len(list((tmp_path / "new" / "images" / "val").iterdir())) == 6
    sheet = ["preview", str(root), "--recipe", "plain", "--count", "1", "--size", "64", "--splits", str(file)]
    capsys.readouterr()
    assert main([*sheet, "--out", str(tmp_path / "s.png"), "--split", "test"]) == 0
    assert "1 samples of 3 images" in capsys.readouterr().out


def test_a_seed_gives_a_division_and_another_seed_another(root: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.csv" for i in range(3)]
    for file, seed in zip(files, ("0", "0", "1"), strict=True):
        assert main(["split", str(root), "--out", str(file), "--seed", seed]) == 0
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_folds_are_files_and_each_image_is_validated_once(root: Path, tmp_path: Path) -> None:
    assert main(["split", str(root), "--out", str(tmp_path / "s.csv"), "--folds", "3", "--run", "40"]) == 0
    folds = [table(tmp_path / f"s-{k}of3.csv") for k in (1, 2, 3)]
    assert not (tmp_path / "s.csv").exists()
    times = Counter(row["image"] for fold in folds for row in fold if row["split"] == "val")
    assert set(times.values()) == {1}
    assert len(times) == 30
    assert len({row["group"] for row in folds[0]}) == 15


def test_kept_test_images(root: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    assert main(["split", str(root), "--out", str(first)]) == 0
    words = ["split", str(root), "--splits", str(first), "--out", str(second), "--keep-test", "--seed", "8"]
    assert main(words) == 0
    tests = [{row["image"] for row in table(file) if row["split"] == "test"} for file in (first, second)]
    assert tests[0] == tests[1] != set()
    assert first.read_bytes() != second.read_bytes()


def test_groups_edited_by_hand_stay_together(root: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "groups.csv", tmp_path / "out.csv"
    catalog = read(root)
    lines = [f"{catalog.name(i)},none,{'north' if i < 9 else f'place {i // 2}'}\n" for i in range(30)]
    file.write_text("image,split,group\n" + "".join(lines))
    assert main(["split", str(root), "--splits", str(file), "--out", str(out)]) == 0
    assert len({row["split"] for row in table(out)[:9]}) == 1
    assert len({(row["group"], row["split"]) for row in table(out)}) == len({row["group"] for row in table(out)})


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["split", "ROOT"], "--out"),
        (["split", "ROOT", "--out", "OUT.txt"], ".csv"),
        (["split", "ROOT", "--out", "OUT.csv", "--val", "1"], "'1'"),
        (["split", "ROOT", "--out", "OUT.csv", "--val", "0.5", "--test", "0.5"], "0.5"),
        (["split", "ROOT", "--out", "OUT.csv", "--folds", "1"], "'1'"),
        (["split", "ROOT", "--out", "OUT.csv", "--folds", "31"], "31"),
        (["split", "ROOT", "--out", "OUT.csv", "--folds", "3", "--val", "0.1"], "--folds"),
        (["split", "ROOT", "--out", "OUT.csv", "--keep-test", "--test", "0.1"], "--keep-test"),
        (["split", "ROOT", "--out", "OUT.csv", "--run", "0"], "'0'"),
        (["check", "ROOT", "--splits", "absent.csv"], "absent.csv"),
        (["convert", "ROOT"], "DST"),
        (["convert", "ROOT", "OUT"], "--to"),
        (["convert", "ROOT", "OUT", "--to", "lisa"], "'lisa'"),
        (["convert", "ROOT", "ROOT", "--to", "coco"], "--force"),
        (["convert", "ROOT", "ROOT/inner", "--to", "coco"], "inner"),
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
    assert err.count("\n") == 1
    assert named in err
    assert not list(root.glob("out*"))


def test_no_file_is_replaced_unless_told(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "s-2of2.csv"
    file.write_text("mine")
    words = ["split", str(root), "--out", str(tmp_path / "s.csv"), "--folds", "2"]
    assert main(words) == 2
    assert file.read_text() == "mine"
    assert not (tmp_path / "s-1of2.csv").exists()
    assert main([*words, "--force"]) == 0
    assert len(table(file)) == 30


def test_convert_says_what_was_lost(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "images" / "a000.jpg").unlink()
    assert main(["convert", str(root), str(tmp_path / "new"), "--to", "coco", "--images", "none"]) == 0
    said = capsys.readouterr().out
    assert "29 images and 35 boxes as coco, without image files" in said
    assert "1 images and 3 boxes" in said
    assert not read(tmp_path / "new").has_images


def test_training_takes_the_file_and_its_checkpoint_remembers_it(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"images": 15})
    file = tmp_path / "split.csv"
    assert main(["split", str(root), "--out", str(file), "--val", "0.3", "--test", "0.2"]) == 0
    learnt = data(root, splits=str(file))
    wanted = with_split_file(read(root), file)
    for part in ("train", "val", "test"):
        catalog = wanted.split(part)
        assert names(learnt, part) == [catalog.name(row) for row in range(len(catalog))]
    assert fingerprint(learnt.catalog) == fingerprint(read(root))
    state = learnt.state_dict()
    file.unlink()
    assert scored(scoring(data(root), state), "test") == names(learnt, "test")
    assert scored(scoring(data(root), state), "validate") == names(learnt, "val")


def test_a_fold_and_a_file_exclude_each_other(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"images": 6})
    (tmp_path / "s.csv").write_text("image,split\nimages/0000.png,train\n")
    with pytest.raises(InputError, match=r"data\.fold 1/2 and data\.splits .*s\.csv exclude each other"):
        SignData(str(root), splits=str(tmp_path / "s.csv"), fold="1/2").setup("fit")
    with pytest.raises(InputError, match="no image into val"):
        SignData(str(root), splits=str(tmp_path / "s.csv")).setup("fit")
