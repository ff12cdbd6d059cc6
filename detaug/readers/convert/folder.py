"""A folder that is built beside its place and then put there as a whole."""

import ctypes
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from detaug.errors import InputError

MANIFEST = ".detaug/converted.json"
_OWN = ".detaug/"  # what detaug keeps in a dataset's folder for itself and can make again
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD

State = tuple[int, int]


def writable(target: Path, force: bool) -> None:
    """Refuse a place where the new folder cannot go.

    Args:
        target: free, an empty folder, or with `force` one that holds only what an earlier conversion wrote.
        force: whether that may be replaced.

    Raises:
        InputError: something else is there; it is named.
    """
    if target.is_symlink():
        raise InputError(f"{target}: this is a link; name the folder that it leads to.")
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target}: this is a file, and a dataset is a folder.")
    states = _states(target)
    if not states:
        return
    if not force:
        raise InputError(f"{target}: the folder is not empty; --force replaces what an earlier conversion wrote there.")
    written = _manifest(target)
    for name, state in states.items():
        if name not in written and not name.startswith(_OWN):
            raise InputError(f"{target / name}: detaug did not write this, so {target} is not replaced.")
        if written.get(name) is not None and written[name] != state:
            raise InputError(f"{target / name}: this was changed after detaug wrote it, so {target} is not replaced.")


@contextmanager
def replaced(target: Path, force: bool) -> Iterator[Path]:
    """Give an empty folder beside `target` to build in; when all is well it takes the target's place in one step.

    Whatever happens before that step, and the end of the process too, leaves the target as it was.

    Raises:
        InputError: as for `writable`, or the disk refuses.
    """
    writable(target, force)
    new = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        yield new
        writable(target, force)
        _put(new, target)
    except OSError as error:
        reason = f"{error.strerror or error}"
        raise InputError(f"{target}: it cannot be written ({reason}); nothing was changed.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what was there ends up under the name `new`."""
    if not target.exists() or not any(target.iterdir()):
        new.replace(target)
    elif not _exchanged(new, target):
        old = new.with_name(new.name + ".old")
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        old.rename(new)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, where the system can."""
    if not sys.platform.startswith("linux"):
        return False
    function = getattr(ctypes.CDLL(None), "renameat2", None)
    return function is not None and function(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def write_manifest(folder: Path, linked: bool) -> None:
    """Write down which files are in a new folder, with size and time, and see that they are on the disk.

    Args:
        folder: the new folder.
        linked: images are links to the dataset's own, whose change says nothing about this folder.
    """
    files: dict[str, State | None] = dict(_states(folder))
    for name in files:
        if linked and os.stat(folder / name).st_nlink > 1:
            files[name] = None
    file = folder / MANIFEST
    file.parent.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8") as opened:
        json.dump({"files": files}, opened, ensure_ascii=False, indent=0)
        opened.flush()
        os.fsync(opened.fileno())


def _manifest(folder: Path) -> Mapping[str, State | None]:
    """The files that an earlier conversion wrote; none where there was no such."""
    file = folder / MANIFEST
    try:
        files = json.loads(file.read_text(encoding="utf-8"))["files"] if not file.is_symlink() else {}
        return {str(name): None if state is None else (int(state[0]), int(state[1])) for name, state in files.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{file}: this is no list of converted files, so {folder} is not replaced.") from error


def _states(folder: Path) -> dict[str, State]:
    """Size and time of every file below a folder, and -1 0 for links and what is neither file nor folder."""
    states: dict[str, State] = {}
    for place, folders, files in os.walk(folder):
        for name in sorted(files + [inner for inner in folders if os.path.islink(os.path.join(place, inner))]):
            whole = os.path.join(place, name)
            status = os.lstat(whole)
            short = os.path.relpath(whole, folder).replace(os.sep, "/")
            plain = os.path.isfile(whole) and not os.path.islink(whole)
            states[short] = (status.st_size, status.st_mtime_ns) if plain else (-1, 0)
    return states
