"""Which training images are looked at whole, beside the validation split."""

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Streams


def some_rows(images: int, most: int, seed: int, name: str) -> NDArray[np.int64]:
    """Rows of at most so many images, drawn without replacement, rising; the same for the same seed and name.

    >>> some_rows(10, 3, seed=0, name="clean").tolist() == some_rows(10, 3, seed=0, name="clean").tolist()
    True
    >>> some_rows(4, 9, seed=0, name="clean").tolist()
    [0, 1, 2, 3]
    """
    rows = Streams(seed).of(0, 0, name).permutation(images)[: max(0, most)]
    return np.sort(rows).astype(np.int64)
