"""Differences between arms that were scored on the same images, with their 95 % intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.measures.bootstrap import class_mean, resampled
from detaug.measures.matches import match
from detaug.measures.truth import Found, GroundTruth

FIGURES = ("AP", "AP50", "rare", "common")
_BLOCK = 100  # draws that are scored at once

Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Unit:
    """Images on which every arm was scored: those of a seed, or of all folds together.

    Attributes:
        truth: what there is to find.
        found: what each arm found, in the same order of images.
        rare: (C,) bool, the rare classes.
    """

    truth: GroundTruth
    found: Mapping[str, Found]
    rare: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Gain:
    """A difference, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def drawn(unit: Unit, draws: int, rng: np.random.Generator) -> dict[str, Values]:
    """Each arm's figures on the images as they are, then on sets drawn with replacement, the same for every arm.

    Returns:
        arm to figure to (1 + draws,).
    """
    images = len(unit.truth)
    times = rng.multinomial(images, np.full(images, 1 / images), draws)
    times = np.concatenate([np.ones((1, images), np.int64), times])
    return {arm: _figures(unit, found, times) for arm, found in unit.found.items()}


def _figures(unit: Unit, found: Found, times: NDArray[np.int64]) -> Values:
    matches = match(unit.truth, found, len(unit.rare))
    parts = [resampled(matches, times[k : k + _BLOCK]) for k in range(0, len(times), _BLOCK)]
    ap = np.concatenate([np.stack([p.mean(2), p[:, :, 0]], 2) for p in parts])
    return {
        "AP": class_mean(ap[:, :, 0]),
        "AP50": class_mean(ap[:, :, 1]),
        "rare": class_mean(ap[:, unit.rare, 0]),
        "common": class_mean(ap[:, ~unit.rare, 0]),
    }


def gain(units: Sequence[dict[str, Values]], more: str, less: str, figure: str, rng: np.random.Generator) -> Gain:
    """The mean difference of two arms over units.

    Units are drawn with replacement, and within each the images (Field and Welsh, "Bootstrapping clustered data",
    2007); with a single unit only the images.

    Args:
        units: what `drawn` gave for each.
        more: the arm with the part.
        less: the arm without it.
        figure: AP, AP50, rare or common.
        rng: draws units, and which of each unit's draws.
    """
    gaps = np.array([u[more][figure] - u[less][figure] for u in units])
    value, images = float(gaps[:, 0].mean()), gaps[:, 1:]
    count, draws = images.shape
    unit = rng.integers(count, size=(draws, count))
    picked = images[unit, rng.integers(draws, size=(draws, count))].mean(axis=1)
    low, high = np.nanpercentile(picked, [2.5, 97.5])
    return Gain(value, float(low), float(high))
