"""The form of a pack: a head, the images' levels one after the other, a table of them, and where that table lies."""

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.arrays import DIGEST, packed, unpacked_part
from detaug.render.blocks import SIDE
from detaug.render.picture import PAD
from detaug.scenes.levels import levels

RAW, JPEG = "raw", "jpeg"
FORM = [2, PAD, SIDE]  # the first changes when the same image gives other levels
LEVELS = 2  # most sizes that an image is kept at
HEAD = b"detaugpk" + struct.pack("<Q", 1) + bytes(48)  # what it is, and the form's version
TABLE = 1 << 16  # the table begins at a multiple of this, which every system can map
CUT = "it was cut short or changed"
_TAIL = struct.Struct("<QQ8s")  # the table's first byte, its bytes, what the file is

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a pack holds: N images.

    Attributes:
        size: the canvas, height and width, that the levels are made for.
        kind: `raw` or `jpeg`.
        quality: of the JPEGs; 0 for raw.
        key: a digest of what the pack was made from and how.
        token: tells the folder that it was made in from a copy; None where that is of no use.
        text: all names, UTF-8.
        ends: (N,) int64, where each name ends in `text`.
        sizes: (N, 2) int32, the images' height and width.
        stamps: (N, 2) int64, size in bytes and time of change in ns of each file.
        starts: (N, 2) int64, the first byte of each level.
        lengths: (N, 2) int64, its bytes; 0 where there is no such level, or the image could not be decoded.
        hashes: (N,) int64, `name_hash` of the names, ascending.
        order: (N,) int64, whose hash each is.
    """

    size: tuple[int, int]
    kind: str
    quality: int
    key: str
    token: list[int] | None
    text: NDArray[np.uint8]
    ends: Numbers
    sizes: NDArray[np.int32]
    stamps: Numbers
    starts: Numbers
    lengths: Numbers
    hashes: Numbers
    order: Numbers

    def name(self, record: int) -> bytes:
        """The name of an image, UTF-8."""
        return bytes(self.text[int(self.ends[record - 1]) if record else 0 : int(self.ends[record])])

    def closing(self, end: int) -> bytes:
        """What comes after the last level.

        Args:
            end: the bytes before it.
        """
        arrays = {name: getattr(self, name) for name in _DTYPES}
        header = {"size": list(self.size), "kind": self.kind, "quality": self.quality, "key": self.key}
        table = packed({**header, "token": self.token, "form": FORM}, arrays)
        first = -(-end // TABLE) * TABLE
        return bytes(first - end) + table + _TAIL.pack(first, len(table), HEAD[:8])


_DTYPES: dict[str, Any] = {
    "text": np.uint8,
    "ends": np.int64,
    "sizes": np.int32,
    "stamps": np.int64,
    "starts": np.int64,
    "lengths": np.int64,
    "hashes": np.int64,
    "order": np.int64,
}


def raw_bytes(sizes: NDArray[np.integer], size: tuple[int, int]) -> Numbers:
    """(N, 2) int64, the bytes that the padded pixels of each level of each image take.

    >>> raw_bytes(np.array([[400, 300]]), (320, 320)).tolist()
    [[368448, 0]]
    """
    kinds, which = np.unique(sizes, axis=0, return_inverse=True)
    each = np.zeros((len(kinds), LEVELS), np.int64)
    for kind, (height, width) in enumerate(kinds.tolist()):
        for index, level in enumerate(levels(height, width, size)):
            each[kind, index] = (level.height + 2 * PAD) * (level.width + 2 * PAD) * 3
    return np.asarray(each[which.reshape(-1)], np.int64)


def opened(path: Path) -> tuple[int, Table]:
    """A pack's open file and its table, every place in it checked; the file is the caller's to close.

    Raises:
        InputError: it cannot be read or is not a whole pack.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such pack.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r}: the pack cannot be read ({getattr(error, 'strerror', error)}).") from error
    try:
        return handle, _table(handle)
    except (OSError, ValueError, TypeError, LookupError, OverflowError, struct.error) as error:
        os.close(handle)
        raise InputError(f"{path}: not a pack that can be used ({error}); `detaug pack` makes one.") from error


def _table(handle: int) -> Table:
    """The table of an open file.

    Raises:
        ValueError, TypeError, LookupError, OverflowError, OSError, struct.error: it is not as `closing` makes it.
    """
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or os.pread(handle, 16, 0) != HEAD[:16]:
        raise ValueError("it does not begin like one of this version")
    first, length, kind = _TAIL.unpack(os.pread(handle, _TAIL.size, max(status.st_size - _TAIL.size, 0)))
    if kind != HEAD[:8] or first % TABLE or first < len(HEAD) or length < DIGEST:
        raise ValueError(CUT)
    content = unpacked_part(handle, first, length) if first + length + _TAIL.size == status.st_size else None
    if content is None:
        raise ValueError(CUT)
    header, arrays = content
    for name, dtype in _DTYPES.items():
        if arrays[name].dtype != dtype:
            raise ValueError(f"{name} is {arrays[name].dtype}")
    height, width = header["size"]
    if type(height) is not int or type(width) is not int or min(height, width) < 1 or header["form"] != FORM:
        raise ValueError("another version made it")
    said: dict[str, Any] = {"kind": str(header["kind"]), "quality": int(header["quality"]), "key": str(header["key"])}
    said |= {"size": (height, width), "token": header["token"], **{name: arrays[name] for name in _DTYPES}}
    table = Table(**said)
    if not _is_sound(table, first):
        raise ValueError("its table leads out of it")
    return table


def _is_sound(table: Table, end: int) -> bool:
    """Whether every place lies between the head and `end`, and every level has its bytes."""
    count = len(table.ends)
    if any(getattr(table, name).shape != (count, 2) for name in ("sizes", "stamps", "starts", "lengths")):
        return False
    if table.hashes.shape != (count,) or table.order.shape != (count,) or table.kind not in (RAW, JPEG):
        return False
    ends, held = np.concatenate([[0], table.ends]), table.lengths > 0
    if ends[-1] != len(table.text) or (ends[1:] < ends[:-1]).any() or (table.lengths < 0).any():
        return False
    if ((table.order < 0) | (table.order >= count)).any() or (table.sizes < 1).any():
        return False
    starts, lengths = table.starts[held], table.lengths[held]
    if ((starts < len(HEAD)) | (starts > end) | (lengths > end - starts)).any():
        return False
    needed = raw_bytes(table.sizes, table.size)
    asked = table.lengths.any(1, keepdims=True) & (needed > 0)
    return bool((held == asked).all() and (table.kind != RAW or (table.lengths[held] == needed[held]).all()))
