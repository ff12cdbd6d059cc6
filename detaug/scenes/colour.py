"""Light and colour as one matrix and one tone curve for the whole picture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.operation import Operation
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage

_PIVOT = 128.0
_UNIT = np.eye(3)
_LUMAS = np.tile([0.299, 0.587, 0.114], (3, 1))  # ITU-R BT.601
_MEAN = np.full((3, 3), 1 / 3)
_CROSS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
_LOG_SHARES = np.log(np.maximum(np.arange(256), 1e-9) / 255)


@dataclass(frozen=True, kw_only=True)
class Colour(Operation):
    """Brightness, contrast, saturation, hue, white balance and tone.

    Attributes:
        brightness_range: factor.
        contrast_range: factor about a fixed grey of 128.
        saturation_range: factor; 0 is grey.
        hue_range: degrees about the grey axis. Small: colour is what many signs mean.
        white_range: factor on red and on blue, each drawn.
        tone_range: exponent of the tone curve; above 1 is darker.
        multiply: how many times as wide the ranges of brightness, contrast and tone are where a rare class is in the
            scene; what carries a sign's meaning, its hue, is not widened.
    """

    p: float = 0.8
    brightness_range: tuple[float, float] = (0.7, 1.35)
    contrast_range: tuple[float, float] = (0.75, 1.3)
    saturation_range: tuple[float, float] = (0.6, 1.4)
    hue_range: tuple[float, float] = (-6.0, 6.0)
    white_range: tuple[float, float] = (0.92, 1.09)
    tone_range: tuple[float, float] = (0.75, 1.35)
    multiply: float = 1.0

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene with its colour matrix and tone curve set."""
        chance = rng.random(7).tolist()
        factor = self.multiply if self.multiply != 1 and stage.multiplies(scene) else 1.0
        matrix = colour_matrix(
            brightness=_log(self.brightness_range, chance[0]) ** factor,
            contrast=_log(self.contrast_range, chance[1]) ** factor,
            saturation=self.saturation_range[0] + chance[2] * (self.saturation_range[1] - self.saturation_range[0]),
            hue=self.hue_range[0] + chance[3] * (self.hue_range[1] - self.hue_range[0]),
            white=(_log(self.white_range, chance[4]), _log(self.white_range, chance[5])),
        )
        return scene.changed(colour=matrix, curve=tone_curve(_log(self.tone_range, chance[6]) ** factor))


def _log(value_range: tuple[float, float], chance: float) -> float:
    low, high = value_range
    return float(low * (high / low) ** chance)


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
    cosine, sine = math.cos(turn), math.sin(turn)
    turned = cosine * _UNIT + (1 - cosine) * _MEAN + sine * _CROSS
    linear = turned @ (saturation * _UNIT + (1 - saturation) * _LUMAS)
    balance = np.array([[white[0]], [1.0], [white[1]]])
    offset = np.full((3, 1), _PIVOT * (1 - contrast))
    return np.asarray(balance * np.concatenate([contrast * brightness * linear, offset], axis=1), np.float64)
