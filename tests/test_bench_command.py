"""`detaug bench`: what it counts, and what it says training would wait for."""

import json
import math
from pathlib import Path

import pytest

from detaug.cli import main
from detaug.commands.bench import Found, some
from detaug.readers.read import read
from tests.batches.painting import painted

STAGES = {"plan", "finish", "warp", "colour", "noise", "effects", "convert", "decode"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return painted(tmp_path / "set", {"train": 6, "val": 5}, size=(150, 200))


def found(read: float, kept: float, workers: int = 0) -> Found:
    rates = {"kept": {workers: kept}, "read": {workers: read}}
    return Found("signs", 9, (64, 96), rates, dict.fromkeys(sorted(STAGES), 0.25))


def test_it_measures_both_ways_and_every_stage(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(root), "--size", "64x96", "--samples", "8"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["images"], said["size"]) == (6, [64, 96])
    assert set(said["milliseconds"]) == STAGES
    assert all(math.isfinite(v) and v >= 0 for v in said["milliseconds"].values())
    assert said["milliseconds"]["warp"] > 0
    assert {name: set(rates) for name, rates in said["samples_per_second"].items()} == {"kept": {"0"}, "read": {"0"}}
    assert all(rate > 0 for rates in said["samples_per_second"].values() for rate in rates.values())
    assert main([*words, "--recipe", "plain", "--split", "val", "--images", "3"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("3 images, plain, samples of 64x96:")
    assert "waits for nothing" in text


@pytest.mark.slow
def test_workers_are_measured_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(root), "--size", "64", "--samples", "8", "--workers", "1", "--json"]
    assert main(words) == 0
    rates = json.loads(capsys.readouterr().out)["samples_per_second"]
    assert all(set(each) == {"0", "1"} for each in rates.values())


def test_the_images_are_spread_over_the_dataset(root: Path) -> None:
    catalog = read(root)
    assert len(some(catalog, 100)) == len(catalog) == 11
    names = [catalog.name(row) for row in range(11)]
    few = some(catalog, 3)
    assert [few.name(row) for row in range(3)] == [names[0], names[5], names[10]]
    assert len(some(catalog, 1)) == 1


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (50, "waits for the network alone"),
        (100, "waits for the network alone"),
        (300, "waits for the data unless the images fit in memory"),
        (900, "waits for the data; about 5 workers would do"),
    ],
)
def test_the_verdict_compares_the_network_with_both_rates(network: int, expected: str) -> None:
    assert expected in found(read=100, kept=400, workers=2).text(network).splitlines()[-1]


def test_the_stages_shares_leave_decoding_out() -> None:
    text = found(read=100, kept=400).text(None)
    assert text.count("14%") == len(STAGES) - 1
    assert "decoding adds 0.250 ms" in text


@pytest.mark.parametrize("words", [["--samples", "0"], ["--recipe", "absent"], ["--workers", "-1"], ["--size", "8"]])
def test_wrong_use_is_refused(root: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["bench", str(root), *words]) == 2
    assert words[1] in capsys.readouterr().err
