"""What the batches of a training epoch have really shown."""

import numpy as np
from numpy.typing import NDArray

from detaug.batches.batch import Batch
from detaug.scenes.exposure import counted


class Shown:
    """Counts of one process, since they were last taken."""

    def __init__(self) -> None:
        self._images = 0
        self._counts: NDArray[np.int64] | None = None

    def add(self, batch: Batch, classes: int) -> None:
        """Count a training batch.

        Args:
            batch: in the processor's memory, with `came` for each box.
            classes: how many there are.
        """
        made = counted(batch.labels.numpy(), batch.came.numpy(), batch.boxes.numpy(), classes)
        self._counts = made if self._counts is None else self._counts + made
        self._images += len(batch)

    def take(self) -> tuple[int, NDArray[np.int64] | None]:
        """The number of images, and (C, 4, 6) instances by class, `Came` and size; then counting begins anew."""
        taken = self._images, self._counts
        self._images, self._counts = 0, None
        return taken
