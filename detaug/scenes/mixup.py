"""A second image shining through (Zhang et al., "mixup", 2018; for detection Zhang et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation, between
from detaug.scenes.stage import Stage
from detaug.scenes.window import Layout, Look, windowed


@dataclass(frozen=True, kw_only=True)
class Mixup(BlockOperation):
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
        BlockOperation.__post_init__(self)
        if self.opacity_range[0] < 0.4 or self.opacity_range[1] > 0.6:
            raise InputError(f"mixup.opacity_range stays within 0.4 and 0.6, not {self.opacity_range}.")

    @property
    def _look(self) -> Look:
        return Look(self.scale_range, self.focus, self.candidates)

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """The opacity, the partner, and what one window needs."""
        return 2 + self._look.numbers(1, 1)

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """The scenes with one more opacity group on top."""
        scenes = np.flatnonzero(on)
        if len(scenes) == 0:
            return block
        opacity = list(block.opacity)
        group = np.array([len(opacity[scene]) for scene in scenes], np.uint8)
        for scene, share in zip(scenes.tolist(), chance[scenes, 0].tolist(), strict=True):
            opacity[scene] = (*opacity[scene], between(self.opacity_range, share))
        rows = stage.partners(block.draws, scenes, chance[scenes, 1:2])[:, 0]
        partner = stage.bases(rows, scenes, block.draws)
        layout = Layout.whole(block.size, len(scenes))
        partner = windowed(partner, layout, stage, self._look, chance[scenes, 2:])
        return block.joined(partner.changed(group=group)).changed(opacity=tuple(opacity))
