"""Bringing a model's classes and a dataset's classes together by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """How a model's C classes and a dataset's D classes correspond.

    Attributes:
        to_data: (C,) int64, the dataset's index of each class of the model, or -1.
        to_model: (D,) int64, the model's index of each class of the dataset, or -1.
        unscored: classes of the model that the dataset does not have; their detections are dropped.
        unknown: classes of the dataset that the model does not know; their boxes cannot be found.
    """

    to_data: NDArray[np.int64]
    to_model: NDArray[np.int64]
    unscored: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both have the same names in the same order."""
        order = np.arange(len(self.to_data))
        return len(self.to_model) == len(self.to_data) and np.array_equal(self.to_data, order)


def class_map(model_names: Sequence[str], data_names: Sequence[str]) -> ClassMap:
    """Match classes by name, exactly.

    >>> found = class_map(["stop", "yield"], ["give way", "stop"])
    >>> found.to_data.tolist(), found.to_model.tolist(), found.unscored, found.unknown
    ([1, -1], [-1, 0], ('yield',), ('give way',))
    """
    of_data = {name: i for i, name in enumerate(data_names)}
    of_model = {name: i for i, name in enumerate(model_names)}
    return ClassMap(
        to_data=np.array([of_data.get(name, -1) for name in model_names], np.int64),
        to_model=np.array([of_model.get(name, -1) for name in data_names], np.int64),
        unscored=tuple(name for name in model_names if name not in of_data),
        unknown=tuple(name for name in data_names if name not in of_model),
    )
