"""Light and colour as one matrix and one tone curve for the whole picture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.operation import BlockOperation, between, between_logs
from detaug.scenes.stage import Stage

_PIVOT = 128.0
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LOG_SHARES = np.log(np.maximum(np.arange(256), 1e-9) / 255)


@dataclass(frozen=True, kw_only=True)
class Colour(BlockOperation):
    """Brightness, contrast, saturation, hue, white balance and tone.

    Attributes:
        brightness_range: factor.
        contrast_range: factor about a fixed grey of 128.
        saturation_range: factor; 0 is grey.
        hue_range: degrees about the grey axis. Small: colour is what many signs mean.
        white_range: factor on red and on blue, each drawn.
        tone_range: exponent of the tone curve; above 1 is darker.
        multiply: how many times as wide the ranges of brightness, contrast and tone are where a rare class is in the
            scene; what carries a sign's meaning, its hue, is not widened. Off by default for the reason that
            `Affine` gives.
    """

    p: float = 0.8
    brightness_range: tuple[float, float] = (0.7, 1.35)
    contrast_range: tuple[float, float] = (0.75, 1.3)
    saturation_range: tuple[float, float] = (0.6, 1.4)
    hue_range: tuple[float, float] = (-6.0, 6.0)
    white_range: tuple[float, float] = (0.92, 1.09)
    tone_range: tuple[float, float] = (0.75, 1.35)
    multiply: float = 1.0

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """Brightness, contrast, saturation, hue, two of white balance, tone."""
        return 7

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """The scenes with their colour matrices and tone curves set."""
        factor = stage.varied(block, self.multiply).tolist()
        colour, curve = list(block.colour), list(block.curve)
        for scene in np.flatnonzero(on).tolist():
            drawn, wide = chance[scene].tolist(), factor[scene]
            colour[scene] = colour_matrix(
                brightness=between_logs(self.brightness_range, drawn[0]) ** wide,
                contrast=between_logs(self.contrast_range, drawn[1]) ** wide,
                saturation=between(self.saturation_range, drawn[2]),
                hue=between(self.hue_range, drawn[3]),
                white=(between_logs(self.white_range, drawn[4]), between_logs(self.white_range, drawn[5])),
            )
            curve[scene] = tone_curve(between_logs(self.tone_range, drawn[6]) ** wide)
        return block.changed(colour=tuple(colour), curve=tuple(curve))


def tone_curve(exponent: float) -> NDArray[np.uint8]:
    """(256,) uint8: 255 (x / 255) ** exponent."""
    curve = np.exp(exponent * _LOG_SHARES)
    curve[0] = 0
    return np.asarray(np.rint(255 * curve), np.uint8)


def colour_matrix(
    *, brightness: float, contrast: float, saturation: float, hue: float, white: tuple[float, float]
) -> Array:
    """(3, 4): brightness, contrast about 128, saturation, hue, then white balance, applied in this order to RGB.

    Args:
        brightness: factor.
        contrast: factor on the distance to 128.
        saturation: factor on the distance to the pixel's luma (ITU-R BT.601).
        hue: degrees about the grey axis (Rodrigues' formula).
        white: factors on red and on blue.

    Saturation and hue leave greys as they are, so the offset that contrast makes only meets the white balance.
    """
    turn = math.radians(hue)
    even, cross = (1 - math.cos(turn)) / 3, math.sin(turn) / math.sqrt(3)
    same, next_, last = math.cos(turn) + even, even - cross, even + cross
    turned = (same, next_, last), (last, same, next_), (next_, last, same)
    offset, gain = _PIVOT * (1 - contrast), contrast * brightness
    grey = [(1 - saturation) * share for share in _LUMA]  # a row of the turn sums to 1, so the grey part stays
    return np.array(
        [
            [*(factor * gain * (saturation * v + g) for v, g in zip(row, grey, strict=True)), factor * offset]
            for factor, row in zip((white[0], 1.0, white[1]), turned, strict=True)
        ]
    )
