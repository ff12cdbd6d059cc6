"""Where a saved index lies: in the dataset's folder, in the user's cache folder, in the one for temporary files."""

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from detaug.readers.arrays import DIGEST
from detaug.readers.root import status

FOLDER = ".detaug"
KEPT = 16  # files of a kind in a folder; the ones unused for longest go
TAG = "CACHEDIR.TAG"
_ANY_WRITE = 0o222
_DAY = 86_400_000_000_000  # ns
_USER: int = getattr(os, "getuid", int)()
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder can be made again from the dataset beside it.\n"


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


def clock(folder: Path) -> int | None:
    """The file system's time in ns; None where the folder cannot be written. It is made, and marked as a cache."""
    try:
        folder.mkdir(parents=folder.name != FOLDER, exist_ok=True, mode=0o777 if folder.name == FOLDER else 0o700)
        if folder.is_symlink() or (folder == temporary() and folder.lstat().st_uid != _USER):
            return None  # someone else says where it is and what stands there
        with suppress(FileExistsError), (folder / TAG).open("x") as tag:
            tag.write(_TAG_TEXT)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"1")
            probe.flush()
            return os.fstat(probe.fileno()).st_mtime_ns
    except OSError:
        return None


def temporary() -> Path:
    """This user's folder among the temporary files."""
    return Path(tempfile.gettempdir()) / f"detaug-{_USER}"


def token(folder: Path) -> list[int] | None:
    """What tells this folder from a copy: no archive can set a file's status time, so a foreign index is never used."""
    try:
        tag = (folder / TAG).lstat()
    except OSError:
        return None
    return [tag.st_ino, tag.st_ctime_ns]


def touch(path: Path) -> None:
    """Mark a file as used now."""
    with suppress(OSError):
        os.utime(path)


def prune(folder: Path, kind: str, kept: int = KEPT) -> None:
    """Remove all but the `kept` files of a kind that were used last; who has mapped one keeps it.

    What killed processes left half written goes after a day.
    """
    aged = []
    for path in folder.glob(f"*{kind}"):
        with suppress(OSError):
            aged.append((path.stat().st_mtime_ns, path))
    unfinished = [path for path in folder.glob(f".*{kind}.*") if status(path)[1] < time.time_ns() - _DAY]
    for path in [path for _, path in sorted(aged, reverse=True)[kept:]] + unfinished:
        path.unlink(missing_ok=True)
