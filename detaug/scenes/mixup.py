"""A second image shining through (Zhang et al., "mixup", 2018; for detection Zhang et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from detaug.errors import InputError
from detaug.scenes.operation import Operation, within
from detaug.scenes.scene import Scene, joined
from detaug.scenes.stage import Stage
from detaug.scenes.window import Layout, Look, windowed


@dataclass(frozen=True, kw_only=True)
class Mixup(Operation):
    """Blend a window of a partner image over the whole scene; both keep their boxes.

    Attributes:
        opacity_range: the partner's share of the picture; within 0.4 to 0.6, so that neither label becomes a lie.
        scale_range: the partner's scale relative to its image fitted to the canvas.
        focus: probability that its window is placed round one of its signs, rare classes first.
        candidates: places that are tried; the one at which most of the signs are kept is taken.
    """

    mixes: ClassVar[bool] = True

    p: float = 0.1
    opacity_range: tuple[float, float] = (0.4, 0.6)
    scale_range: tuple[float, float] = (0.8, 1.4)
    focus: float = 0.8
    candidates: int = 4

    def __post_init__(self) -> None:
        Operation.__post_init__(self)
        if self.opacity_range[0] < 0.4 or self.opacity_range[1] > 0.6:
            raise InputError(f"mixup.opacity_range stays within 0.4 and 0.6, not {self.opacity_range}.")

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene with one more opacity group on top."""
        opacity = within(self.opacity_range, rng)
        look = Look(self.scale_range, self.focus, self.candidates)
        partner = stage.base(stage.partner(rng), scene.draw)
        partner = windowed(partner, Layout.whole(scene.size), stage, look, rng)
        partner = partner.changed(group=np.full(1, len(scene.opacity), np.uint8))
        return joined([scene, partner]).changed(opacity=(*scene.opacity, opacity))
