"""The saved index: catalogs in files that every process maps, and what they were read from.

A `*.catalog` holds one catalog and is called by its digest, so it never changes. An `*.index` says for one way of
reading a dataset which catalog that gave and the stamps of the files it came from.
"""

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.arrays import DIGEST, packed, unpacked
from detaug.readers.catalog import Catalog
from detaug.readers.kept import catalog_from, content_of
from detaug.readers.root import Root, status
from detaug.readers.stamps import Stamps, Tree
from detaug.writing import write_whole

FOLDER = ".detaug"
KEPT = 16  # files of a kind in a folder; the ones unused for longest go
TAG = "CACHEDIR.TAG"
_ANY_WRITE = 0o222
_DAY = 86_400_000_000_000  # ns
_USER: int = getattr(os, "getuid", int)()
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder can be made again from the dataset beside it.\n"


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


def folders(root: Path) -> list[Path]:
    """Where a dataset's index may lie, the best first: in the dataset, in the user's cache folder.

    A dataset whose folder nobody may write is left alone, also by a user who could all the same.
    """
    asked = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        cache_folder: Path | None = asked if asked.is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # this user has no home
        cache_folder = None
    own = [root / FOLDER] if root.is_dir() and root.stat().st_mode & _ANY_WRITE else []
    if cache_folder is None:
        return own
    real = os.fsencode(os.path.realpath(root))
    return [*own, cache_folder / "detaug" / hashlib.blake2b(real, digest_size=DIGEST).hexdigest()]


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
        content, token = unpacked(folder / f"{name}.index"), _token(folder)
        if content is None or token is None or content[0].get("token") != token:
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
        if fresh is not stamps and (now := _clock(folder)) is not None:
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
        now = _clock(folder)
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
    _touch(path)
    _prune(folder, ".catalog")
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
    for folder in (*folders(catalog.root), _temporary()):
        if _clock(folder) is not None:
            with suppress(OSError):
                return save(catalog, folder)
    return None


def _mapped(path: Path, root: Path) -> Catalog | None:
    content = unpacked(path, path.stem)
    catalog = None if content is None else catalog_from(content, root)
    if catalog is not None:
        # set past the frozen class: no copy that `replace` makes of the catalog may carry the path
        object.__setattr__(catalog, "index", path.absolute())
        _touch(path)
    return catalog


def _write(folder: Path, names: list[str], reading: Reading, stamps: Stamps) -> None:
    index = reading.catalog.index
    header, arrays = stamps.packed()
    header |= {"token": _token(folder), "format": reading.format, "reason": reading.reason}
    header["catalog"] = "" if index is None else index.stem
    data = packed(header, arrays)
    for name in names:
        write_whole(folder / f"{name}.index", data)
    _prune(folder, ".index")


def _clock(folder: Path) -> int | None:
    """The file system's time in ns; None where the folder cannot be written. It is made, and marked as a cache."""
    try:
        folder.mkdir(parents=folder.name != FOLDER, exist_ok=True, mode=0o777 if folder.name == FOLDER else 0o700)
        if folder.is_symlink() or (folder == _temporary() and folder.lstat().st_uid != _USER):
            return None  # someone else says where it is and what stands there
        with suppress(FileExistsError), (folder / TAG).open("x") as tag:
            tag.write(_TAG_TEXT)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"1")
            probe.flush()
            return os.fstat(probe.fileno()).st_mtime_ns
    except OSError:
        return None


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"detaug-{_USER}"


def _token(folder: Path) -> list[int] | None:
    """What tells this folder from a copy: no archive can set a file's status time, so a foreign index is never used."""
    try:
        tag = (folder / TAG).lstat()
    except OSError:
        return None
    return [tag.st_ino, tag.st_ctime_ns]


def _touch(path: Path) -> None:
    with suppress(OSError):
        os.utime(path)


def _prune(folder: Path, kind: str) -> None:
    """Remove all but the `KEPT` files of a kind that were used last; who has mapped one keeps it.

    What killed processes left half written goes after a day.
    """
    aged = []
    for path in folder.glob(f"*{kind}"):
        with suppress(OSError):
            aged.append((path.stat().st_mtime_ns, path))
    unfinished = [path for path in folder.glob(f".*{kind}.*") if status(path)[1] < time.time_ns() - _DAY]
    for path in [path for _, path in sorted(aged, reverse=True)[KEPT:]] + unfinished:
        path.unlink(missing_ok=True)


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
