"""A window into a single image, at full sharpness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation
from detaug.scenes.stage import Stage
from detaug.scenes.window import Layout, Look, windowed


@dataclass(frozen=True, kw_only=True)
class Crop(BlockOperation):
    """Fill the canvas with a window of the image; a mosaic is left as it is, since its tiles are windows already.

    Attributes:
        scale_range: scale relative to the image fitted to the canvas; it is raised as far as filling it needs.
        focus: probability that the window is placed round one of the image's signs, rare classes first.
        multiply: how many times as wide the range of scale is where the image holds a rare class.
        candidates: places that are tried; the one at which most of the signs are kept is taken.
    """

    p: float = 0.5
    scale_range: tuple[float, float] = (1.0, 2.0)
    focus: float = 0.8
    multiply: float = 1.0
    candidates: int = 4

    @property
    def _look(self) -> Look:
        return Look(self.scale_range, self.focus, self.candidates)

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """What one window needs."""
        return self._look.numbers(1, 1)

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """The windows; a scene that shows several images stays as it is."""
        on = on & (block.counts() == 1)
        if not on.any():
            return block
        whole = block.without(~on)
        wide = stage.varied(whole, self.multiply)[on]
        layout = Layout.whole(block.size, len(wide))
        return block.without(on).joined(windowed(whole, layout, stage, self._look, chance[on], wide))
