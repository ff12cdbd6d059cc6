"""The law of every reader: whatever lies in a folder gives a catalog or one clear error."""

from collections.abc import Callable
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from tests.readers.making import obeys


def obeys_or_tells(reader: Callable[[str | Path], Catalog], root: Path) -> None:
    """Check the catalog's laws, or that the error names the folder."""
    told = ""
    try:
        obeys(reader(root))
    except InputError as error:
        told = str(error)
    assert not told or str(root) in told
