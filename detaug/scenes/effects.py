"""Which image-only transforms are run after joining; their pixels are the renderer's matter."""

from dataclasses import dataclass, field

import numpy as np

from detaug.errors import InputError
from detaug.scenes.operation import Operation
from detaug.scenes.scene import Effect, Scene
from detaug.scenes.stage import Stage

WEATHER = ("rain", "fog", "glare", "shadow")
LENS = ("motion_blur", "blur", "jpeg", "downscale")
NAMES = WEATHER + LENS


def _usual() -> dict[str, float]:
    return {"rain": 0.03, "fog": 0.04, "glare": 0.03, "shadow": 0.03, "motion_blur": 0.06, "blur": 0.05, "jpeg": 0.03}


@dataclass(frozen=True, kw_only=True)
class Effects(Operation):
    """Weather before the noise, lens and storage after it.

    Attributes:
        chances: probability of each effect by name; names left out do not occur.
    """

    p: float = 1.0
    chances: dict[str, float] = field(default_factory=_usual)

    def __post_init__(self) -> None:
        Operation.__post_init__(self)
        for name, chance in self.chances.items():
            if name not in NAMES:
                raise InputError(f"effects.chances names {name!r}; known are {', '.join(NAMES)}.")
            if not 0 <= chance <= 1:
                raise InputError(f"effects.chances.{name} is a probability between 0 and 1, not {chance}.")

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:  # noqa: ARG002
        """The scene with the effects that its draw picks, each with a seed of its own."""
        drawn = rng.random((2, len(NAMES))).tolist()
        picked = [
            Effect(name, int(seed * 2**31))
            for name, chance, seed in zip(NAMES, *drawn, strict=True)
            if chance < self.chances.get(name, 0)
        ]
        return scene.changed(effects=tuple(picked))
