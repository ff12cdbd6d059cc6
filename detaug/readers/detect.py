"""Which format a folder is in and why, or which folder below it holds the dataset."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.formats import BESIDE, LOOKED_FOR, LOOSE, PROBES, strange_table
from detaug.readers.root import HIDDEN, SPLITS, Root

_DEPTH = 2  # folders that an archive may have put round a dataset
_MOST = 50  # folders looked into for a dataset
_PARTS = frozenset((*SPLITS, "images", "labels", "annotations", "jpegimages"))  # never datasets of their own


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset that was recognised.

    Attributes:
        folder: where it lies below the root; empty for the root itself.
        format: the reader for it.
        reason: the file that shows it, and what else is there.
    """

    folder: str
    format: str
    reason: str


def detect(root: str | Path | Root) -> tuple[str, str]:
    """The format of a dataset and the reason: the file that shows it, where it lies, and what else is there.

    Raises:
        InputError: no such folder, or no format is recognised; the text says what was looked for.
    """
    folder, faults = Root.of(root), list[InputError]()
    for found in candidates(folder, faults):
        return found.format, placed(found.folder, found.reason)
    raise unrecognised(folder, faults)


def candidates(root: Root, faults: list[InputError], depth: int = _DEPTH) -> Iterator[Found]:
    """Each format that a folder shows, the likeliest first; where it shows none, the one folder below it that does.

    Args:
        root: the folder.
        faults: takes up what kept a probe from looking.
        depth: how far below the root to go.
    """
    known: set[str] = set()
    for probes in (PROBES, LOOSE):
        for format, probe in probes:
            try:
                reason = probe(root)
            except InputError as error:
                faults.append(error)
            except OSError as error:
                faults.append(InputError(f"{error.filename or root.path}: this cannot be read ({error.strerror})."))
            else:
                if reason is not None and format not in known:
                    known.add(format)
                    yield Found("", format, reason + _beside(root, format))
        if not known and depth:
            yield from _below(root, faults, depth - 1, alone=probes is PROBES)


def placed(folder: str, reason: str) -> str:
    """The reason, with the folder below the root that it holds for."""
    return f"in the folder {folder}: {reason}" if folder else reason


def unrecognised(root: Root, faults: list[InputError]) -> InputError:
    """The error for a folder where nothing is recognised: the first fault, or what was looked for."""
    text = f"{root.path}: no dataset is recognised here: looked for {LOOKED_FOR}{strange_table(root)}."
    return faults[0] if faults else InputError(text)


def _below(root: Root, faults: list[InputError], depth: int, alone: bool) -> Iterator[Found]:
    """What the one folder that holds a dataset shows; `alone` if there is no other folder, which is tried earlier."""
    folders = _folders(root)
    if alone != (len(folders) == 1):
        return
    shown: list[Found] = []
    inner_faults: list[InputError] = []
    for name in [name for name in folders if name.lower() not in _PARTS][:_MOST]:
        below = candidates(Root(root.path / name, root.follow_links), inner_faults, depth if alone else 0)
        if (found := next(below, None)) is not None:
            shown.append(replace(found, folder=f"{name}/{found.folder}".rstrip("/")))
    if len(shown) == 1:
        yield shown[0]
    elif shown:
        told = ", ".join(f"{found.folder} ({found.format})" for found in shown[:5])
        faults.append(InputError(f"{root.path}: {len(shown)} of its folders are datasets: {told}; name one of them."))
    else:
        faults += inner_faults


def _folders(root: Root) -> list[str]:
    """The folders in a folder, hidden ones left out."""
    with suppress(OSError), os.scandir(root.path) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(HIDDEN))
        return [name for name in names if root.is_folder(name)]
    return []


def _beside(taken: Root, format: str) -> str:
    """Words on what other formats are there; a root of its own, since no index depends on them."""
    root = Root(taken.path, taken.follow_links)
    found = []
    for other, probe in BESIDE:
        with suppress(InputError, OSError):
            if other != format and (reason := probe(root)) is not None:
                found.append(f"{reason} ({other})")
    return f"; not read: {'; '.join(found)}" if found else ""
