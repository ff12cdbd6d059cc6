"""Indexes of tests go into folders of their own; what is read and compared can be counted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.readers import read as reading_module
from detaug.readers import stamps
from detaug.readers.catalog import Catalog
from detaug.readers.root import Root


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats that were read from the dataset's own files, in order."""
    made: list[str] = []

    def counted(format: str, reader: reading_module.Reader) -> reading_module.Reader:
        def run(root: object, classes: object) -> Catalog:
            made.append(format)
            return reader(root, classes)  # type: ignore[arg-type]

        return run

    counting = {format: counted(format, reader) for format, reader in reading_module.READERS.items()}
    monkeypatch.setattr(reading_module, "READERS", counting)
    return made


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files were compared by their contents, each time that any were."""
    counts: list[int] = []
    digests = stamps._digests

    def counted(root: Root, names: Sequence[str]) -> NDArray[np.uint8]:
        counts.append(len(names))
        return digests(root, names)

    monkeypatch.setattr(stamps, "_digests", counted)
    return counts
