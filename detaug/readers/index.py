"""The saved index: catalogs in files that every process maps, and what they were read from.

A `*.catalog` holds one catalog and is called by its digest, so it never changes. An `*.index` says for one way of
reading a dataset which catalog that gave and the stamps of the files it came from.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.arrays import DIGEST, packed, unpacked
from detaug.readers.catalog import Catalog
from detaug.readers.kept import catalog_from, content_of
from detaug.readers.root import Root
from detaug.readers.shelf import clock, folders, prune, temporary, token, touch
from detaug.readers.stamps import Stamps, Tree
from detaug.writing import write_whole


@dataclass(frozen=True, slots=True)
class Reading:
    """A dataset as it was read.

    Attributes:
        catalog: its images and boxes.
        format: the reader that was used.
        reason: why that one.
    """

    catalog: Catalog
    format: str
    reason: str


def key(format: str, classes: str | Path | None, follow_links: bool) -> str | None:
    """What an index file is called: by all that a catalog depends on beside the dataset; None without a usable table.

    The package's own code and tables count too: a newer reader or table gives a new catalog.
    """
    try:
        table = b"" if classes is None else b"+" + Path(classes).read_bytes()
    except (OSError, ValueError):
        return None
    whole = hashlib.blake2b(_package() + bytes([follow_links]) + table, digest_size=DIGEST)
    return f"{format}-{whole.hexdigest()}"


def find(root: Root, name: str) -> Reading | None:
    """What was saved under a key, if it still is what reading would give; stamps are brought up to date.

    Args:
        root: the dataset; nothing is asked of it that a reader would ask.
        name: what `key` gave.
    """
    for folder in folders(root.path):
        content, mark = unpacked(folder / f"{name}.index"), token(folder)
        if content is None or mark is None or content[0].get("token") != mark:
            continue
        header, arrays = content
        try:
            stamps = Stamps.unpacked(header, arrays)
            digest, format, reason = str(header["catalog"]), str(header["format"]), str(header["reason"])
        except (ValueError, TypeError, LookupError):
            continue
        fresh = stamps.renewed(root)
        catalog = None if fresh is None else _mapped(folder / f"{digest}.catalog", root.path)
        if fresh is None or catalog is None:
            continue
        reading = Reading(catalog, format, reason)
        if fresh is not stamps and (now := clock(folder)) is not None:
            with suppress(OSError):
                _write(folder, [name], reading, fresh.settled(now))
        return reading
    return None


def keep(root: Root, names: list[str], reading: Reading, before: Tree) -> Reading:
    """Save what was just read; nothing is saved where no folder can be written or the dataset changed meanwhile.

    Args:
        root: what the reader asked for its files.
        names: the keys to save it under.
        reading: what it gave.
        before: the dataset's folders before it began.

    Returns:
        The same, with the saved catalog.
    """
    stamps: Stamps | None = None
    for folder in folders(root.path):
        now = clock(folder)
        if now is None:
            continue
        # not before the folder is there, since making it changes the root's own time
        stamps = stamps or Stamps.of(root, before, reading.catalog.findings)
        if stamps is None:
            return reading
        with suppress(OSError):
            catalog = _mapped(save(reading.catalog, folder), root.path)
            if catalog is not None:
                saved = Reading(catalog, reading.format, reading.reason)
                _write(folder, names, saved, stamps.settled(now))
                return saved
    return reading


def save(catalog: Catalog, folder: Path) -> Path:
    """Write a catalog under its digest.

    Raises:
        OSError: it cannot be written.
    """
    data = packed(*content_of(catalog))
    path = folder / f"{data[-DIGEST:].hex()}.catalog"
    if unpacked(path, path.stem) is None:
        write_whole(path, data)
    touch(path)
    prune(folder, ".catalog")
    return path


def load(path: Path, root: Path) -> Catalog:
    """A saved catalog: what unpickling calls in another process.

    Raises:
        InputError: the file is gone or damaged.
    """
    catalog = _mapped(path, root)
    if catalog is None:
        raise InputError(
            f"{path}: the saved index of {root} is no longer there or was damaged; read the dataset again."
        )
    return catalog


def spare(catalog: Catalog) -> Path | None:
    """Save a catalog that has no file, such as a part of a dataset, for other processes; None where it cannot be.

    It goes beside the dataset's own index, or into the folder for temporary files.
    """
    for folder in (*folders(catalog.root), temporary()):
        if clock(folder) is not None:
            with suppress(OSError):
                return save(catalog, folder)
    return None


def _mapped(path: Path, root: Path) -> Catalog | None:
    content = unpacked(path, path.stem)
    catalog = None if content is None else catalog_from(content, root)
    if catalog is not None:
        # set past the frozen class: no copy that `replace` makes of the catalog may carry the path
        object.__setattr__(catalog, "index", path.absolute())
        touch(path)
    return catalog


def _write(folder: Path, names: list[str], reading: Reading, stamps: Stamps) -> None:
    index = reading.catalog.index
    header, arrays = stamps.packed()
    header |= {"token": token(folder), "format": reading.format, "reason": reading.reason}
    header["catalog"] = "" if index is None else index.stem
    data = packed(header, arrays)
    for name in names:
        write_whole(folder / f"{name}.index", data)
    prune(folder, ".index")


@cache
def _package() -> bytes:
    """A digest of the code and tables that make a catalog."""
    package = resources.files("detaug")
    whole = hashlib.blake2b(digest_size=DIGEST)
    for place in (package, package / "readers", package / "tables"):
        for file in sorted(place.iterdir(), key=lambda file: file.name):
            if file.name.endswith((".py", ".yaml")):
                whole.update(file.name.encode() + b"\0" + file.read_bytes())
    return whole.digest()
