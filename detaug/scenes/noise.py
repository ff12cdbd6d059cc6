"""Gaussian sensor noise, and the noise of a diffusion's forward process."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation, between
from detaug.scenes.scene import Noise
from detaug.scenes.stage import Stage

SIGMA_STEP = 1.0  # the renderer keeps one pool per strength, so strengths come in steps
STEPS = 1000  # of a diffusion, as in DDPM
_MOST = 80.0  # grey levels
_HALF = 127.5  # grey levels; diffusion counts from -1 to 1


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(BlockOperation):
    """Independent Gaussian noise on every pixel and channel.

    Attributes:
        sigma_range: standard deviation in grey levels of 0 to 255, rounded to whole ones.
        schedule: null only adds noise; `linear` (Ho et al., "DDPM", 2020) or `cosine` (Nichol and Dhariwal, 2021) is
            the forward process x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e on pixels counted from -1 to 1, so the picture
            fades to mid grey as the noise grows; `sigma_range` is then not used.
        t_range: diffusion steps of 1000 that t is drawn from.
    """

    p: float = 0.3
    sigma_range: tuple[float, float] = (2.0, 12.0)
    schedule: Literal["linear", "cosine"] | None = None
    t_range: tuple[int, int] = (0, 100)

    def __post_init__(self) -> None:
        BlockOperation.__post_init__(self)
        if self.sigma_range[0] < 0 or self.sigma_range[1] > _MOST:
            raise InputError(f"noise.sigma_range lies between 0 and {_MOST:.0f} grey levels, not {self.sigma_range}.")
        if self.schedule is None:
            return
        if self.schedule not in ("linear", "cosine"):
            raise InputError(f"noise.schedule is linear, cosine or null, not {self.schedule!r}.")
        most = next(t for t in range(STEPS, -1, -1) if _HALF * math.sqrt(1 - kept(self.schedule, t)) <= _MOST)
        if not 0 <= self.t_range[0] <= self.t_range[1] <= most:
            raise InputError(
                f"noise.t_range lies between 0 and {most} with the {self.schedule} schedule, where the noise reaches "
                f"{_MOST:.0f} grey levels, not {self.t_range}."
            )

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """Strength, two of place, and the sign."""
        return 4

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:  # noqa: ARG002
        """The scenes with their noise fields set."""
        noise = list(block.noise)
        for scene in np.flatnonzero(on).tolist():
            strength, y, x, sign = chance[scene].tolist()
            sigma, keep = self._strength(strength)
            noise[scene] = Noise(sigma, y, x, sign < 0.5, keep)
        return block.changed(noise=tuple(noise))

    def _strength(self, chance: float) -> tuple[float, float]:
        """Sigma in grey levels, and the factor on the picture's distance to mid grey."""
        if self.schedule is None:
            return _stepped(between(self.sigma_range, chance)), 1.0
        first, last = self.t_range
        t = min(first + int(chance * (last - first + 1)), last)
        sigma = _stepped(_HALF * math.sqrt(1 - kept(self.schedule, t)))
        return sigma, math.sqrt(1 - (sigma / _HALF) ** 2)  # of the stepped strength, so that the two squares sum to 1


def _stepped(sigma: float) -> float:
    return round(sigma / SIGMA_STEP) * SIGMA_STEP


@lru_cache(maxsize=4096)
def kept(schedule: str, t: int) -> float:
    """The share a_t of the picture's variance that is left after t of 1000 steps.

    >>> kept("linear", 0), round(kept("linear", 1), 6), kept("cosine", 1000) < 1e-9
    (1.0, 0.9999, True)
    """
    if schedule == "linear":
        return float(np.prod(1 - np.linspace(1e-4, 0.02, STEPS)[:t]))
    offset = 0.008  # keeps the first steps from being too small
    first, now = (math.cos((s / STEPS + offset) / (1 + offset) * math.pi / 2) ** 2 for s in (0, t))
    return now / first
