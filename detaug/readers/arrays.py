"""Named arrays in one file: written whole, mapped into memory, never trusted."""

import hashlib
import json
import mmap
import os
import stat
import struct
from collections.abc import Mapping
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
Content = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def packed(header: Mapping[str, Any], arrays: Arrays) -> bytes:
    """A file's bytes: head, JSON, the arrays from the next multiple of `ALIGNED` on, and the digest of all that.

    Args:
        header: what JSON can hold.
        arrays: C-contiguous uint8, int32, int64 or float32 arrays; stored with the smallest byte first.
    """
    table, pieces, end = {}, [], 0
    for name, array in arrays.items():
        ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        start = _aligned(end)
        pieces += [bytes(start - end), ordered.tobytes()]
        end = start + ordered.nbytes
        table[name] = [ordered.dtype.str, list(array.shape), start]
    text = json.dumps({"header": header, "arrays": table}).encode()
    head = _HEAD.pack(_MAGIC, _VERSION, len(text)) + text
    whole = b"".join([head, bytes(_aligned(len(head)) - len(head)), *pieces])
    return whole + hashlib.blake2b(whole, digest_size=DIGEST).digest()


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
