"""A pack in the making: a file that grows, and a journal of what in it is safe, so that a stopped build goes on."""

import fcntl
import os
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.arrays import ALIGNED
from detaug.render.pack_file import HEAD, LEVELS

_FIELDS = 2 + LEVELS  # of a record: size and time of the file, the bytes of each level
_LINE = _FIELDS + 2  # in the journal: the row before them and a checksum behind
_BYTES = 1 << 28  # written since the last journal lines, from which on there are new ones
_SECONDS = 5.0

Record = tuple[int, ...]


class Part:
    """The growing file and its journal, locked against a second builder.

    Args:
        path: where the whole pack will lie; `.part` and `.journal` are added to its name.
        key: what the pack is made from and how; a part with another key is begun anew.
        most: records at most.

    Attributes:
        records: what is safely written, in order: size and time of the file, bytes of each level.
        end: bytes written.

    Raises:
        InputError: another process makes this pack now.
        OSError: the files cannot be written.
    """

    def __init__(self, path: Path, key: str, most: int) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        self._handle = _locked(self._part)
        try:
            self._journal = _opened(path.with_name(f"{path.name}.journal"))
        except BaseException:
            os.close(self._handle)
            raise
        self._committed = time.monotonic()
        self._begin(key.encode("ascii") + b"\n", most)

    def _begin(self, head: bytes, most: int) -> None:
        """Take up what an earlier builder left, or nothing."""
        size = os.fstat(self._handle).st_size
        journal = os.pread(self._journal, len(head) + most * _LINE * 8, 0)
        held = _whole_lines(journal[len(head) :]) if journal.startswith(head) and size >= len(HEAD) else []
        self.records: list[Record] = []
        self.end = len(HEAD)
        for record in held:
            end = self.end + sum(map(_aligned, record[2:]))
            if end > size:
                break
            self.records.append(record)
            self.end = end
        os.ftruncate(self._handle, self.end if self.records else 0)
        os.ftruncate(self._journal, len(head) + len(self.records) * _LINE * 8 if self.records else 0)
        if not self.records:
            _write(self._handle, HEAD, 0)
            _write(self._journal, head, 0)
        self._safe, self._safe_end = len(self.records), self.end
        self._journal_end = len(head) + self._safe * _LINE * 8

    def add(self, stamp: tuple[int, int], levels: list[bytes | memoryview]) -> None:
        """Append the levels of the next image."""
        for level in levels:
            _write(self._handle, level, self.end)
            self.end += _aligned(len(level))
        self.records.append((*stamp, *map(len, levels), *[0] * (LEVELS - len(levels))))
        if self.end - self._safe_end >= _BYTES or time.monotonic() - self._committed >= _SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make what was added safe, and say so in the journal."""
        os.ftruncate(self._handle, self.end)  # the last level's filling
        os.fsync(self._handle)
        lines = b"".join(_line(row, self.records[row]) for row in range(self._safe, len(self.records)))
        _write(self._journal, lines, self._journal_end)
        os.fsync(self._journal)
        self._journal_end += len(lines)
        self._safe, self._safe_end, self._committed = len(self.records), self.end, time.monotonic()

    def finish(self, closing: bytes) -> None:
        """Append what comes after the levels and give the file its name, in one step."""
        _write(self._handle, closing, self.end)
        os.fsync(self._handle)
        os.fchmod(self._handle, 0o644)
        self._part.replace(self._path)
        self._path.with_name(f"{self._path.name}.journal").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of both files."""
        os.close(self._journal)
        os.close(self._handle)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)


def _locked(path: Path) -> int:
    """The open file of that name, which no other process has locked.

    Raises:
        InputError: one has.
    """
    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise InputError(f"{path}: another `detaug pack` is making this pack now.") from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # it was finished and renamed between these steps


def _write(handle: int, data: bytes | memoryview, start: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(handle, left, start)
        left, start = left[written:], start + written


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def _line(row: int, record: Record) -> bytes:
    data = np.array([row, *record], "<i8").tobytes()
    return data + np.array([zlib.crc32(data)], "<i8").tobytes()


def _whole_lines(journal: bytes) -> list[Record]:
    """The records of a journal up to the first that was not wholly written."""
    count = len(journal) // (_LINE * 8)
    lines: NDArray[Any] = np.frombuffer(journal, "<i8", count * _LINE).reshape(count, _LINE)
    records: list[Record] = []
    for row, line in enumerate(lines):
        if line[0] != row or line[-1] != zlib.crc32(line[:-1].tobytes()) or (line[3:-1] < 0).any():
            break
        records.append(tuple(line[1:-1].tolist()))
    return records


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 2) the first byte of each level, from the bytes of all levels in order."""
    taken = -(-lengths.reshape(-1) // ALIGNED) * ALIGNED
    return np.asarray((np.cumsum(taken) - taken + len(HEAD)).reshape(lengths.shape), np.int64)
