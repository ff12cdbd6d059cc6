"""One place in an epoch's order, and the random numbers that belong to it."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Draw:
    """One place in an epoch's order; the sampler hands it out as the index.

    Attributes:
        epoch: the epoch, from 0.
        slot: the place in the epoch's global order, over all ranks.
        item: the image's row in the training catalog.
        mixing: whether mosaic, mixup and paste are on.
    """

    epoch: int
    slot: int
    item: int
    mixing: bool = True


class Streams:
    """Generators keyed by (seed, epoch, slot, name): counter-based Philox, so no state passes between samples.

    A generator handed out is valid until the same name is asked for again. Salmon et al., "Parallel random numbers: as
    easy as 1, 2, 3", 2011.

    >>> streams = Streams(seed=7)
    >>> first = streams.of(0, 3, "affine").random()
    >>> _ = streams.of(0, 4, "affine").random()
    >>> streams.of(0, 3, "affine").random() == first
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._made: dict[str, tuple[np.random.Philox, np.random.Generator, dict[str, Any], NDArray[np.uint64]]] = {}

    def __reduce__(self) -> tuple[type["Streams"], tuple[int]]:
        return Streams, (self.seed,)

    def of(self, epoch: int, slot: int, name: str) -> np.random.Generator:
        """The generator of one operation in one place."""
        made = self._made.get(name) or self._make(name)
        philox, generator, state, counter = made
        counter[2], counter[3] = slot, epoch
        philox.state = state  # type: ignore[assignment]  # copies; it costs a fifth of making a generator
        return generator

    def _make(self, name: str) -> tuple[np.random.Philox, np.random.Generator, dict[str, Any], NDArray[np.uint64]]:
        philox = np.random.Philox(key=0)
        counter = np.array([0, zlib.crc32(name.encode()), 0, 0], np.uint64)
        state = {
            "bit_generator": "Philox",
            "state": {"counter": counter, "key": np.array([self.seed, 0], np.uint64)},
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,  # no number is left over
            "has_uint32": 0,
            "uinteger": 0,
        }
        self._made[name] = philox, np.random.Generator(philox), state, counter
        return self._made[name]
