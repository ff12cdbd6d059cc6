"""Partners from a slot's own block, so that the images of a block serve all its scenes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detaug.draws.balance import Order
from detaug.draws.draw import Draw
from detaug.errors import InputError

BLOCK = 16  # slots; batches of 16, 32, … are whole blocks
_LEAST = 4  # slots, so that a mosaic finds three others


class Neighbours:
    """The blocks of consecutive slots that an epoch is cut into, and a slot's partners among the others of its block.

    The order is balanced, since images are repeated in it by their factors, so partners are as well. A last block that
    would be shorter begins earlier, among the slots of the block before it; so each has as many slots.

    Args:
        order: which image stands in which slot.
        size: slots in a block.

    Raises:
        InputError: a block has too few slots for a mosaic.
    """

    def __init__(self, order: Order, size: int = BLOCK) -> None:
        if size < _LEAST:
            raise InputError(f"data.block is a number of slots, at least {_LEAST}, not {size}.")
        self.order = order
        self.size = min(size, order.length)
        self._items: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def rows(self, epoch: int, slot: int) -> NDArray[np.int64]:
        """(size,) image rows of the block that a slot belongs to, the slot's own included."""
        first = int(self._first(np.array([slot % self.order.length]))[0])
        return self._epoch(epoch)[first : first + self.size]

    def partners(self, draws: Sequence[Draw], chance: NDArray[np.float64]) -> NDArray[np.int64]:
        """Images of other slots of each draw's block, no slot twice as long as there are enough.

        Args:
            draws: S places.
            chance: (S, K) random numbers, 0 to 1.

        Returns:
            (S, K) image rows; an epoch of a single slot has no other, and gives its own.
        """
        slots = np.array([draw.slot for draw in draws], np.int64) % self.order.length
        first = self._first(slots)
        taken = (slots - first)[:, None]
        for column in chance.T[: self.size - 1]:
            pick = (column * (self.size - taken.shape[1])).astype(np.int64)
            for used in np.sort(taken, axis=1).T:
                pick += pick >= used
            taken = np.column_stack([taken, pick])
        others = taken[:, min(1, self.size - 1) :]
        found = first[:, None] + others[:, np.arange(chance.shape[1]) % others.shape[1]]
        epochs = np.array([draw.epoch for draw in draws], np.int64)
        for epoch in np.unique(epochs).tolist():
            found[epochs == epoch] = self._epoch(epoch)[found[epochs == epoch]]
        return found

    def _first(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first slot of each slot's block."""
        return np.asarray(np.minimum(slots // self.size * self.size, self.order.length - self.size))

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        """The images of an epoch; the last one that was asked for is kept."""
        if self._items[0] != epoch:
            self._items = epoch, self.order.items(epoch)
        return self._items[1]
