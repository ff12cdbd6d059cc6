"""Donors dealt out over the slots of an epoch, so that none is pasted more often than its quota."""

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Streams


class Deck:
    """Which donors are tried in which slot, as many times in an epoch as their quotas say.

    A donor with a quota of 3.4 is dealt three or four times in an epoch, and 3.4 times on average; a whole quota is
    never exceeded. The donors are shuffled into the places of a share of the slots, chosen anew in each epoch.

    Args:
        quotas: (D,) how often each donor is tried in an epoch.
        seed: the run's seed.
        length: slots in an epoch.
        share: of the slots that may get donors; 0 to 1.
        most: donors in one slot.

    Raises:
        ValueError: the quotas do not fit into the slots.
    """

    def __init__(self, quotas: NDArray[np.float64], seed: int, length: int, share: float, most: int) -> None:
        self.length, self.most = length, most
        self._open = round(share * length)
        self._ends = np.cumsum(quotas)
        if len(quotas) and np.floor(self._ends[-1]) > self._open * most:
            raise ValueError(f"deck: expected quotas of at most {self._open * most} together, got {self._ends[-1]}")
        self._streams = Streams(seed)
        self._dealt: tuple[int, list[list[int]]] = (-1, [])

    def hand(self, epoch: int, slot: int) -> list[int]:
        """The donors of a slot."""
        if self._dealt[0] != epoch:
            self._dealt = epoch, self._epoch(epoch)
        return self._dealt[1][slot]

    def _epoch(self, epoch: int) -> list[list[int]]:
        rng = self._streams.of(epoch, 0, "deck")
        start = rng.random()
        counts = np.diff(np.floor(self._ends + start), prepend=0).astype(np.int64)
        cards = np.repeat(np.arange(len(counts)), counts)
        slots = np.repeat(rng.permutation(self.length)[: self._open], self.most)
        places = rng.permutation(slots)[: len(cards)]
        hands: list[list[int]] = [[] for _ in range(self.length)]
        for slot, card in zip(places.tolist(), cards.tolist(), strict=False):
            hands[slot].append(card)
        return hands
