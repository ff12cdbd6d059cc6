"""What all operations have in common: a probability and one method from scene to scene."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from detaug.errors import InputError
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One step of a recipe. It never sees pixels, and all its chance comes from the generator handed in.

    Attributes:
        p: with which probability a scene gets it.
    """

    mixes: ClassVar[bool] = False

    p: float = 1.0

    def __post_init__(self) -> None:
        name = type(self).__name__.lower()
        if not 0 <= self.p <= 1:
            raise InputError(f"{name}.p is a probability between 0 and 1, not {self.p}.")
        for key, value in vars(self).items():
            if key.endswith("_range") and not (len(value) == 2 and value[0] <= value[1]):
                raise InputError(f"{name}.{key} is a range (low, high), not {value}.")

    def happens(self, rng: np.random.Generator) -> bool:
        """Whether this scene gets the operation; one random number is drawn."""
        return bool(rng.random() < self.p)

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The changed scene; `scene` stays as it is."""
        raise NotImplementedError


def within(value_range: tuple[float, float], rng: np.random.Generator) -> float:
    """A uniform number from a range."""
    low, high = value_range
    return low + (high - low) * float(rng.random())


def wider_log(value_range: tuple[float, float], factor: float) -> tuple[float, float]:
    """A range of factors about 1, so many times as wide in its logarithm.

    >>> wider_log((0.5, 2.0), 2.0)
    (0.25, 4.0)
    """
    return value_range[0] ** factor, value_range[1] ** factor
