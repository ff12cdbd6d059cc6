"""What all operations have in common: a probability and one method from scene to scene."""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array
from detaug.scenes.block import Block
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


@dataclass(frozen=True, kw_only=True)
class BlockOperation(Operation):
    """A step that is planned for many scenes at once."""

    def numbers(self, block: Block, stage: Stage) -> int:
        """How many random numbers a scene of this block may need."""
        raise NotImplementedError

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """The block with some of its scenes changed.

        Args:
            block: the scenes.
            stage: what they are planned on.
            on: (B,) which scenes get the operation.
            chance: (B, `numbers`) random numbers, 0 to 1; those of a scene are its own.
        """
        raise NotImplementedError

    def picks(self, first: Array) -> NDArray[np.bool_]:
        """(B,) which scenes get the operation, by a random number of each."""
        return first < self.p

    def happens(self, rng: np.random.Generator) -> bool:
        """Whether this scene gets the operation; one random number is drawn."""
        return bool(self.picks(rng.random(1))[0])

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The changed scene; `scene` stays as it is."""
        block = Block.of(scene)
        chance = rng.random((1, self.numbers(block, stage)))
        (made,) = self.plan(block, stage, np.ones(1, bool), chance).scenes()
        return made.changed(erased=scene.erased, erased_group=scene.erased_group, fill=scene.fill)


Number = TypeVar("Number", float, Array)


def between(value_range: tuple[float, float], chance: Number) -> Number:
    """The place in a range.

    >>> between((2.0, 4.0), 0.25)
    2.5
    """
    return value_range[0] + chance * (value_range[1] - value_range[0])


def between_logs(value_range: tuple[float, float], chance: float) -> float:
    """The place in a range of factors, even in the logarithm.

    >>> between_logs((0.5, 2.0), 0.5)
    1.0
    """
    low, high = value_range
    return float(low * (high / low) ** chance)


def wider_log(value_range: tuple[float, float], factor: float) -> tuple[float, float]:
    """A range of factors about 1, so many times as wide in its logarithm.

    >>> wider_log((0.5, 2.0), 2.0)
    (0.25, 4.0)
    """
    return value_range[0] ** factor, value_range[1] ** factor
