"""Files are whole or absent."""

from pathlib import Path

import pytest

from detaug.writing import write_whole


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "metrics.json"
    write_whole(file, b"first")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(file, b"second")
    assert file.read_bytes() == b"first"
    assert [p.name for p in file.parent.iterdir()] == ["metrics.json"]
