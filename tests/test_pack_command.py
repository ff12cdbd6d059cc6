"""`detaug pack`, and trainings that find what it made."""

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from detaug.batches.datamodule import SignData
from detaug.cli import main
from detaug.commands import pack as command
from detaug.errors import InputError
from detaug.readers.read import read
from detaug.render.pack import Pack, beside
from tests.render.test_pack import LONG_AGO, textured

WORDS = ["--size", "64x96"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return textured(tmp_path / "set", (150, 200))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out


def data(root: Path, **options: object) -> SignData:
    settings = {"size": (64, 96), "workers": 0, "batch_size": 4, "probe": None} | options
    return SignData(str(root), **settings)  # type: ignore[arg-type]


def evaluated(made: SignData) -> NDArray[np.uint8]:
    loader = made.val_dataloader()
    assert isinstance(loader, DataLoader)
    return np.asarray(next(iter(loader)).images.numpy(), np.uint8)


def test_it_packs_says_so_and_leaves_alone_what_is_there(root: Path, said: Callable[[], str]) -> None:
    assert main(["pack", str(root), *WORDS]) == 0
    file = root / ".detaug" / "64x96-raw.pack"
    assert said().startswith(f"{file}: 11 images for samples of 64x96 as raw pixels, 0.00 GB")
    assert main(["pack", str(root), *WORDS]) == 0
    assert "up to date already" in said()
    os.utime(root / "train" / "0000.jpg", (LONG_AGO + 9, LONG_AGO + 9))
    assert main(["pack", str(root), *WORDS]) == 0
    assert "; 10 copied from the older pack" in said()
    assert main(["pack", str(root), *WORDS, "--as", "jpeg", "--quality", "80"]) == 0
    assert "as JPEGs of quality 80" in said()
    assert sorted(path.name for path in file.parent.glob("*.pack*")) == ["64x96-jpeg80.pack", "64x96-raw.pack"]


def test_auto_takes_jpeg_where_raw_would_be_large(
    root: Path, tmp_path: Path, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "MOST", 1000)
    assert main(["pack", str(root), *WORDS, "--out", str(tmp_path / "a.pack")]) == 0
    assert not Pack(tmp_path / "a.pack").is_raw
    assert f"{tmp_path / 'a.pack'}: 11 images" in said()


def test_the_size_is_the_pages(root: Path, tmp_path: Path, said: Callable[[], str]) -> None:
    page = tmp_path / "page.yaml"
    page.write_text("data:\n  size: [64, 96]\n  recipe: {flip: {p: 0.5}}\n")
    assert main(["pack", str(root), "--recipe", str(page)]) == 0
    assert "64x96" in said()


@pytest.mark.parametrize(
    "words", [["--as", "png"], ["--quality", "0"], ["--threads", "0"], ["--out", "/absent/a.pack"], ["--out", "/tmp"]]
)
def test_wrong_use_is_refused(root: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["pack", str(root), *WORDS, *words]) == 2
    assert words[1] in capsys.readouterr().err


def test_bench_measures_the_pack(root: Path, tmp_path: Path, said: Callable[[], str]) -> None:
    bench = ["bench", str(root), *WORDS, "--samples", "4", "--recipe", "plain"]
    assert main(["pack", str(root), *WORDS, "--out", str(tmp_path / "a.pack"), "--as", "jpeg"]) == 0
    said()
    assert main([*bench, "--pack", str(tmp_path / "a.pack"), "--json"]) == 0
    assert json.loads(said())["samples_per_second"]["packed"]["0"] > 0
    assert main(["pack", str(root), *WORDS]) == 0
    assert main(bench) == 0
    assert "read from the pack" in said()


def test_training_finds_the_pack_and_gives_the_same_samples(root: Path) -> None:
    plain = next(iter(data(root, pack=None).train_dataloader())).images.numpy()
    assert main(["pack", str(root), *WORDS]) == 0
    found = data(root)
    batch = next(iter(found.train_dataloader()))
    np.testing.assert_array_equal(batch.images.numpy(), plain)
    assert found._packs[(64, 96), False] is not None
    np.testing.assert_array_equal(evaluated(found), evaluated(data(root, pack=None)))
    none = data(root, pack=None)
    none.train_dataloader()
    assert set(none._packs.values()) == {None}


def test_training_says_how_many_images_are_not_from_the_pack(root: Path) -> None:
    assert main(["pack", str(root), *WORDS]) == 0
    os.utime(root / "train" / "0000.jpg", (LONG_AGO + 9, LONG_AGO + 9))
    with pytest.warns(UserWarning, match="1 of 7 images of training are read from their files.*brings it up to date"):
        data(root).train_dataloader()


def test_evaluation_finds_a_pack_of_its_own(root: Path) -> None:
    for size in ("64x96", "48"):
        assert main(["pack", str(root), "--size", size]) == 0
    found = data(root, eval_size=48)
    found.train_dataloader()
    found.val_dataloader()
    used = {size: pack.size for (size, _), pack in found._packs.items() if pack is not None}
    assert used == {(64, 96): (64, 96), (48, 48): (48, 48)}


def test_jpegs_are_for_training_alone(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.pack"
    assert main(["pack", str(root), *WORDS, "--as", "jpeg", "--out", str(file)]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = data(root, pack=str(file))
        np.testing.assert_array_equal(evaluated(asked), evaluated(data(root, pack=None)))
    trained = next(iter(asked.train_dataloader())).images.numpy().astype(int)
    plain = next(iter(data(root, pack=None).train_dataloader())).images.numpy().astype(int)
    assert 0 < abs(trained - plain).mean() < 4


def test_a_pack_that_does_not_fit_is_an_error(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.pack"
    assert main(["pack", str(root), *WORDS, "--out", str(file)]) == 0
    with pytest.raises(InputError, match=r"a\.pack: this pack is for samples of 64x96, not 32x32"):
        data(root, size=32, pack=str(file)).train_dataloader()
    other = textured(tmp_path / "other", (70, 80))
    for number, path in enumerate(sorted(other.rglob("*.jpg"))):
        path.rename(path.with_name(f"x{number * 20}.jpg"))
    with pytest.raises(InputError, match=r"a\.pack: this pack holds none of the .* images of .*other"):
        SignData(str(other), "images", size=(64, 96), pack=str(file), workers=0).predict_dataloader()
    with pytest.raises(InputError, match=r"absent: there is no such pack"):
        data(root, pack="absent").train_dataloader()


def test_a_damaged_pack_beside_the_dataset_is_told_of_and_not_used(root: Path) -> None:
    assert main(["pack", str(root), *WORDS]) == 0
    found = beside(read(root).root, (64, 96))[0]
    assert found is not None
    os.truncate(found.path, 1000)
    with pytest.warns(UserWarning, match="not a pack that can be used"):
        data(root).train_dataloader()
    assert main(["pack", str(root), *WORDS]) == 0
    assert beside(read(root).root, (64, 96))[0] is not None
