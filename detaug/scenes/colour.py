"""Light and colour as one matrix and one tone curve for the whole picture."""

import math
from dataclasses import dataclass, replace

import numpy as np

from detaug.outline import Array
from detaug.scenes.operation import Operation, within, within_log
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_PIVOT = 128.0


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
    """

    p: float = 0.8
    brightness_range: tuple[float, float] = (0.7, 1.35)
    contrast_range: tuple[float, float] = (0.75, 1.3)
    saturation_range: tuple[float, float] = (0.6, 1.4)
    hue_range: tuple[float, float] = (-6.0, 6.0)
    white_range: tuple[float, float] = (0.92, 1.09)
    tone_range: tuple[float, float] = (0.75, 1.35)

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:  # noqa: ARG002
        """The scene with its colour matrix and tone curve set."""
        matrix = after(
            brightness(within_log(self.brightness_range, rng)),
            contrast(within_log(self.contrast_range, rng)),
            saturation(within(self.saturation_range, rng)),
            hue(within(self.hue_range, rng)),
            white_balance(within_log(self.white_range, rng), within_log(self.white_range, rng)),
        )
        exponent = within_log(self.tone_range, rng)
        curve = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
        return replace(scene, colour=matrix, curve=curve)


def after(*steps: Array) -> Array:
    """One (3, 4) matrix for several, the first one applied first."""
    whole = np.eye(4)
    for step in steps:
        whole = np.vstack([step, [0, 0, 0, 1]]) @ whole
    return whole[:3]


def brightness(factor: float) -> Array:
    """Every channel times a factor."""
    return np.hstack([np.eye(3) * factor, np.zeros((3, 1))])


def contrast(factor: float) -> Array:
    """Every channel's distance to mid grey times a factor.

    >>> (contrast(2.0) @ [128, 100, 228, 1]).tolist()
    [128.0, 72.0, 328.0]
    """
    return np.hstack([np.eye(3) * factor, np.full((3, 1), _PIVOT * (1 - factor))])


def saturation(factor: float) -> Array:
    """Each channel's distance to the pixel's luma times a factor."""
    mixed = factor * np.eye(3) + (1 - factor) * np.tile(_LUMA, (3, 1))
    return np.hstack([mixed, np.zeros((3, 1))])


def hue(degrees: float) -> Array:
    """A turn about the grey axis; greys stay as they are (Rodrigues' formula)."""
    turn, axis = math.radians(degrees), np.full(3, 1 / math.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turned = math.cos(turn) * np.eye(3) + math.sin(turn) * cross + (1 - math.cos(turn)) * np.outer(axis, axis)
    return np.hstack([turned, np.zeros((3, 1))])


def white_balance(red: float, blue: float) -> Array:
    """Red and blue times a factor each."""
    return np.hstack([np.diag([red, 1.0, blue]), np.zeros((3, 1))])
