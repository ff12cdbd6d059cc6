"""One place in an epoch's order, and the random numbers that belong to it."""

import zlib
from dataclasses import dataclass

import numpy as np


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
        self._made: dict[str, tuple[np.random.Philox, np.random.Generator, int]] = {}

    def __reduce__(self) -> tuple[type["Streams"], tuple[int]]:
        return Streams, (self.seed,)

    def of(self, epoch: int, slot: int, name: str) -> np.random.Generator:
        """The generator of one operation in one place."""
        if name not in self._made:
            philox = np.random.Philox(key=0)
            self._made[name] = philox, np.random.Generator(philox), zlib.crc32(name.encode())
        philox, generator, code = self._made[name]
        # Setting the state costs a fifth of making a generator; buffer_pos 4 says that no number is left over.
        philox.state = {
            "bit_generator": "Philox",
            "state": {
                "counter": np.array([0, code, slot, epoch], np.uint64),
                "key": np.array([self.seed, 0], np.uint64),
            },
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        return generator
