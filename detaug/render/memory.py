"""Where decoded images lie."""

import contextlib
import math
import mmap
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Memory = Callable[[tuple[int, ...]], NDArray[np.uint8]]

_CHUNK = 1 << 26  # bytes
_LINE = 64  # bytes of the processor's cache lines


def passing(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Room for what is soon let go: it comes faster from what was let go before."""
    return np.empty(shape, np.uint8)


def apart(shape: tuple[int, ...], large: bool = False) -> NDArray[np.uint8]:
    """Room for what is kept long, in pages of its own: among what is not it would leave holes that nothing else fills.

    Args:
        shape: of the array.
        large: whether the system is asked for large pages.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros(shape, np.uint8)
    pages = mmap.mmap(-1, math.prod(shape), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if large and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8).reshape(shape)


class Chunks:
    """Room for what is never let go one by one: side by side in large pages.

    An image that is not in the processor's cache is read a quarter faster from them: a page of 4 KB holds one or two of
    its rows, and each page must be looked up.
    """

    def __init__(self) -> None:
        self._left: NDArray[np.uint8] = np.empty(0, np.uint8)

    def __reduce__(self) -> tuple[type["Chunks"], tuple[()]]:
        """Another process begins chunks of its own."""
        return Chunks, ()

    def __call__(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of that shape."""
        size = math.prod(shape)
        if size > _CHUNK // 8:
            return apart(shape, large=True)
        if size > len(self._left):
            self._left = apart((_CHUNK,), large=True)
        made, self._left = self._left[:size], self._left[-(-size // _LINE) * _LINE :]
        return made.reshape(shape)
