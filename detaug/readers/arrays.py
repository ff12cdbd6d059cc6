"""Named arrays in one file: written whole, mapped into memory, never trusted."""

import hashlib
import json
import math
import mmap
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

ALIGNED = 64  # bytes; a cache line, and enough for every dtype
DIGEST = 16  # bytes of blake2b
_MAGIC = b"detaug\r\n"
_VERSION = 1
_HEAD = struct.Struct("<8sQQ")  # magic, version, length of the JSON header
_DTYPES = frozenset(("|u1", "<i4", "<i8", "<f4"))

Arrays = Mapping[str, NDArray[Any]]
Kind = tuple[np.dtype[Any], tuple[int, ...]]  # dtype and shape
Content = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def packed(header: Mapping[str, Any], arrays: Arrays) -> bytes:
    """A file's bytes: head, JSON, the arrays from the next multiple of `ALIGNED` on, and the digest of all that.

    Args:
        header: what JSON can hold.
        arrays: C-contiguous uint8, int32, int64 or float32 arrays; stored with the smallest byte first.
    """
    ordered = {name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    kinds = {name: (array.dtype, array.shape) for name, array in ordered.items()}
    return b"".join(pieces(header, kinds, ([array.tobytes()] for array in ordered.values())))


def pieces(
    header: Mapping[str, Any], kinds: Mapping[str, Kind], contents: Iterable[Iterable[bytes]]
) -> Iterator[bytes]:
    """What `packed` makes, one piece after the other, for arrays that are too large to be held.

    Args:
        header: what JSON can hold.
        kinds: dtype and shape of each array.
        contents: for each array its bytes in pieces; they are asked for in order, when they are written.

    Raises:
        ValueError: the bytes of an array are not as many as its shape says.
    """
    found = hashlib.blake2b(digest_size=DIGEST)
    for piece in _laid(header, kinds, contents):
        found.update(piece)
        yield piece
    yield found.digest()


def _laid(header: Mapping[str, Any], kinds: Mapping[str, Kind], contents: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """The pieces without the digest."""
    starts, ends = list[int](), [0]
    for dtype, shape in kinds.values():
        starts.append(_aligned(ends[-1]))
        ends.append(starts[-1] + math.prod(shape) * dtype.itemsize)
    table = {n: [k[0].newbyteorder("<").str, list(k[1]), at] for (n, k), at in zip(kinds.items(), starts, strict=True)}
    text = json.dumps({"header": header, "arrays": table}).encode()
    head = _HEAD.pack(_MAGIC, _VERSION, len(text)) + text
    yield head + bytes(_aligned(len(head)) - len(head))
    for name, before, start, end, content in zip(kinds, ends[:-1], starts, ends[1:], contents, strict=True):
        yield bytes(start - before)
        for piece in content:
            start += len(piece)
            yield piece
        if start != end:
            raise ValueError(f"the array {name} has {start - end} bytes more than its shape says")


def unpacked(path: Path, digest: str | None = None) -> Content | None:
    """A file's header and arrays; the arrays are read-only and share one map of the file, nothing is copied.

    Args:
        path: the file.
        digest: what the file's digest must be, as hexadecimal digits; None takes any.

    Returns:
        None where there is no such file, or one that is not exactly as `packed` makes it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return None
    with os.fdopen(handle, "rb") as file:
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or not _is_whole(file, status.st_size - DIGEST, digest):
                return None
            return _content(mmap.mmap(handle, 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
            return None  # a forged header can be anything that JSON can


def unpacked_part(handle: int, start: int, size: int) -> Content | None:
    """What `packed` made, as a part of a larger file; as `unpacked`.

    Args:
        handle: the open file.
        start: where the part begins, a multiple of `mmap.ALLOCATIONGRANULARITY`.
        size: its bytes.
    """
    try:
        data = mmap.mmap(handle, size, access=mmap.ACCESS_READ, offset=start)
        with memoryview(data) as whole:
            found = hashlib.blake2b(whole[:-DIGEST], digest_size=DIGEST).digest()
        if size < _HEAD.size + DIGEST or found != data[-DIGEST:] or _HEAD.unpack_from(data)[:2] != (_MAGIC, _VERSION):
            return None
        return _content(data)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, struct.error):
        return None


def _is_whole(file: BinaryIO, size: int, digest: str | None) -> bool:
    """Whether the file ends with the digest of its first `size` bytes; reading leaves nothing in this process."""
    if size < _HEAD.size or _HEAD.unpack(file.read(_HEAD.size))[:2] != (_MAGIC, _VERSION):
        return False
    file.seek(0)
    found = hashlib.blake2b(digest_size=DIGEST)
    while size > 0 and (piece := file.read(min(size, 1 << 20))):
        found.update(piece)
        size -= len(piece)
    return file.read() == found.digest() and digest in (None, found.hexdigest())


def _content(data: mmap.mmap) -> Content:
    """The map's header and arrays.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: they are not what they should be.
    """
    length = _HEAD.unpack_from(data)[2]
    if length > len(data):
        raise ValueError("the header is longer than the file")
    content = json.loads(data[_HEAD.size : _HEAD.size + length])
    first, last = _aligned(_HEAD.size + length), len(data) - DIGEST
    arrays = {}
    for name, (dtype, shape, start) in content["arrays"].items():
        if dtype not in _DTYPES or not all(type(n) is int and n >= 0 for n in (start, *shape)):
            raise ValueError(f"the array {name} is not described well")
        count = 1
        for side in shape:
            count *= side
        if start % ALIGNED or first + start + count * np.dtype(dtype).itemsize > last:
            raise ValueError(f"the array {name} leaves the file")
        flat = np.frombuffer(data, dtype, count, first + start) if count else _nothing(dtype)
        arrays[name] = flat.reshape(shape)
    if not isinstance(content["header"], dict):
        raise TypeError("the header is no mapping")
    return content["header"], arrays


def _nothing(dtype: str) -> NDArray[Any]:
    empty = np.empty(0, dtype)
    empty.flags.writeable = False
    return empty


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
