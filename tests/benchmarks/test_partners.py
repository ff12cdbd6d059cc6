"""The counts of benchmarks/partners.py, against counts by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import partners
from tests.batches.painting import painted


def test_a_pair_is_counted_once_whatever_its_order() -> None:
    """Two epochs of two mosaics of six images, batches of two mosaics."""
    tiles = np.array([[0, 1, 2, 3], [3, 4, 5, 0], [5, 5, 1, 1], [1, 3, 5, 2]])
    found = partners.variety(tiles, 6, epochs=2, batch=2)
    pairs = {tuple(sorted((a, b))) for row in tiles.tolist() for i, a in enumerate(row) for b in row[i + 1 :]}
    assert found.pairs == len(pairs)
    assert found.batch == (6 + 4) / 2  # {0 to 5}, then {1, 2, 3, 5}
    assert found.twice == 1 / 4
    assert found.again == 2 / 4  # 0 with 3 in epoch 0, 1 with 5 in epoch 1
    assert found.ever == 2 / 4


def test_a_pair_of_an_earlier_epoch_counts_as_ever_alone() -> None:
    tiles = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [7, 4, 0, 8], [1, 5, 8, 9]])
    found = partners.variety(tiles, 10, epochs=2, batch=1)
    assert (found.again, found.ever) == (0, 1 / 4)


def test_it_prints_a_line_for_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(painted(tmp_path, {"train": 40})), "--size", "64", "--epochs", "2", "--blocks", "8", "16"]
    monkeypatch.setattr(sys, "argv", ["partners", *words])
    partners.main()
    lines = capsys.readouterr().out.splitlines()
    batch = {line[:14].strip(): float(line[14:].split()[0]) for line in lines if line.startswith(("any", "block"))}
    assert batch["block of 8"] <= 16
    assert batch["block of 16"] <= 16 < batch["any"] <= 40
