"""Gaussian sensor noise."""

from dataclasses import dataclass, replace

import numpy as np

from detaug.errors import InputError
from detaug.scenes.operation import Operation, within
from detaug.scenes.scene import Noise, Scene
from detaug.scenes.stage import Stage

SIGMA_STEP = 1.0  # the renderer keeps one pool per strength, so strengths come in steps


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Operation):
    """Independent Gaussian noise on every pixel and channel.

    Attributes:
        sigma_range: standard deviation in grey levels of 0 to 255, rounded to whole ones.
    """

    p: float = 0.3
    sigma_range: tuple[float, float] = (2.0, 12.0)

    def __post_init__(self) -> None:
        Operation.__post_init__(self)
        if self.sigma_range[0] < 0 or self.sigma_range[1] > 80:
            raise InputError(f"noise.sigma_range lies between 0 and 80 grey levels, not {self.sigma_range}.")

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:  # noqa: ARG002
        """The scene with its noise field set."""
        sigma = round(within(self.sigma_range, rng) / SIGMA_STEP) * SIGMA_STEP
        place = rng.random(4)
        field = Noise(sigma, float(place[0]), float(place[1]), bool(place[2] < 0.5), bool(place[3] < 0.5))
        return replace(scene, noise=field)
