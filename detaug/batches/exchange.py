"""Shared memory that workers make the pictures of a batch in, used again and again.

PyTorch gives each batch new shared memory, and the system clears its pages, maps them in both processes and takes them
back: at 640 pixels about as much time as it takes to make the pictures. Here a worker has a few slots. A slot that it
has written is its no longer, until the training lets go of the last tensor that shows it.
"""

import itertools
import math
import mmap
import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Shape = tuple[int, int, int, int]
# What was sent names its exchange by a number, since a process may have several loaders.
_open: "weakref.WeakValueDictionary[int, Exchange]" = weakref.WeakValueDictionary()
_numbers = itertools.count()
_FREE, _TAKEN = 0, 1
_HELD = 3  # batches in a training's hands: the one it learns from, one fetched beforehand, one being let go


class Exchange:
    """Slots for batches of pictures, which a loader's process and its workers share.

    Args:
        shape: of a batch, (B, 3, H, W) uint8.
        workers: how many write.
        each: slots of each worker. While all of them are taken a batch goes the usual way, so nobody ever waits.

    Attributes:
        worker: in a worker, which one this process is; None in the loader's process, which only reads.
    """

    worker: int | None = None

    def __init__(self, shape: Shape, workers: int, each: int) -> None:
        file = os.memfd_create("detaug")
        # A slot begins on a page of its own; the states of all come first. Pages are there once they are written.
        self._map(file, shape, workers, each, next(_numbers))

    def _map(self, file: int, shape: Shape, workers: int, each: int, number: int) -> None:
        page, slots = mmap.PAGESIZE, workers * each
        self._step = -(-math.prod(shape) // page) * page
        self._first = -(-slots // page) * page
        os.ftruncate(file, self._first + slots * self._step)
        self._pages = mmap.mmap(file, self._first + slots * self._step)
        self._file, self._settings, self.number = file, (shape, workers, each), number
        self._states = np.frombuffer(self._pages, np.uint8, slots)
        self._leases: dict[int, weakref.finalize[Any, Any]] = {}
        self._closed = weakref.finalize(self, os.close, file)
        _open[number] = self

    def __reduce__(self) -> tuple[Callable[..., "Exchange"], tuple[Any, ...]]:
        """For workers that are not forked."""
        from multiprocessing.reduction import DupFd  # not on Windows, which has no exchange

        return _attached, (DupFd(self._file), *self._settings, self.number)

    @property
    def shape(self) -> Shape:
        """Of a batch."""
        return self._settings[0]

    def free(self) -> int:
        """How many slots nobody holds."""
        return int(np.count_nonzero(self._states == _FREE))

    def take(self, shape: Shape) -> Tensor | None:
        """A free slot of this worker as a tensor of old content, to be written and sent.

        Returns:
            None if all are taken, or where batches have another shape.
        """
        if self.worker is None or shape != self.shape:
            return None
        each = self._settings[2]
        free = np.flatnonzero(self._states[self.worker * each : (self.worker + 1) * each] == _FREE)
        if len(free) == 0:
            return None
        slot = self.worker * each + int(free[0])
        self._states[slot] = _TAKEN
        return self.held(slot)

    def held(self, slot: int) -> Tensor:
        """The tensor of a taken slot; the slot is free again when the last tensor that shows it is gone."""
        shape = self.shape
        array: NDArray[np.uint8] = np.frombuffer(
            self._pages, np.uint8, math.prod(shape), self._first + slot * self._step
        ).reshape(shape)
        tensor = torch.from_numpy(array)
        # The tensor's memory holds the array as long as anything shows it.
        self._leases[slot] = weakref.finalize(array, _release, self._states, slot, os.getpid())
        return tensor

    def sent(self, images: Tensor) -> int | None:
        """The slot that a tensor is, which is no longer this process's to free; None if it is none of them."""
        begin = self._states.ctypes.data + self._first
        slot, rest = divmod(images.data_ptr() - begin, self._step)
        whole = rest == 0 and images.shape == self.shape and images.dtype == torch.uint8 and images.is_contiguous()
        lease = self._leases.pop(slot, None) if whole else None
        if lease is None:
            return None
        lease.detach()
        return int(slot)


def _release(states: NDArray[np.uint8], slot: int, process: int) -> None:
    """Free a slot; not from a copy of the holder that a later fork has made."""
    if os.getpid() == process:
        states[slot] = _FREE


def _attached(file: Any, shape: Shape, workers: int, each: int, number: int) -> Exchange:
    made = Exchange.__new__(Exchange)
    made._map(file.detach(), shape, workers, each, number)
    return made


def parcel(images: Tensor) -> tuple[int, int] | Tensor:
    """What a worker sends of pictures: their place where they lie in its exchange, else themselves."""
    for exchange in list(_open.values()):
        if exchange.worker is not None and (slot := exchange.sent(images)) is not None:
            return exchange.number, slot
    return images


def unpacked(sent: tuple[int, int] | Tensor) -> Tensor:
    """The pictures that `parcel` was given."""
    return sent if isinstance(sent, Tensor) else _open[sent[0]].held(sent[1])


def exchange_for(shape: Shape, workers: int, ahead: int) -> Exchange | None:
    """An exchange for a loader, where the system has memory without a name to share.

    Args:
        shape: of a batch.
        workers: how many.
        ahead: batches that a worker may have begun before they are asked for.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        return Exchange(shape, workers, ahead + -(-_HELD // workers))
    except OSError:  # forbidden here, or more than the process may have
        return None
