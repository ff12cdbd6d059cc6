"""Which image-only transforms are run after joining; their pixels are the renderer's matter."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation
from detaug.scenes.scene import Effect
from detaug.scenes.stage import Stage

WEATHER = ("rain", "fog", "glare", "shadow")
LENS = ("motion_blur", "blur", "jpeg", "downscale")
NAMES = WEATHER + LENS


def _usual() -> dict[str, float]:
    return {"rain": 0.03, "fog": 0.04, "glare": 0.03, "shadow": 0.03, "motion_blur": 0.06, "blur": 0.05, "jpeg": 0.03}


@dataclass(frozen=True, kw_only=True)
class Effects(BlockOperation):
    """Weather before the noise, lens and storage after it.

    Attributes:
        chances: probability of each effect by name; names left out do not occur.
    """

    p: float = 1.0
    chances: dict[str, float] = field(default_factory=_usual)

    def __post_init__(self) -> None:
        BlockOperation.__post_init__(self)
        for name, chance in self.chances.items():
            if name not in NAMES:
                raise InputError(f"effects.chances names {name!r}; known are {', '.join(NAMES)}.")
            if not 0 <= chance <= 1:
                raise InputError(f"effects.chances.{name} is a probability between 0 and 1, not {chance}.")

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """Two for each effect."""
        return 2 * len(NAMES)

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:  # noqa: ARG002
        """The scenes with the effects that their draws pick, each with a seed of its own."""
        chances = np.array([self.chances.get(name, 0.0) for name in NAMES])
        scenes, which = np.nonzero((chance[:, : len(NAMES)] < chances) & on[:, None])
        found: list[list[Effect]] = [[] for _ in block.draws]
        for scene, effect in zip(scenes.tolist(), which.tolist(), strict=True):
            found[scene].append(Effect(NAMES[effect], int(chance[scene, len(NAMES) + effect] * 2**31)))
        every = zip(on.tolist(), found, block.effects, strict=True)
        return block.changed(effects=tuple(tuple(new) if own else old for own, new, old in every))
