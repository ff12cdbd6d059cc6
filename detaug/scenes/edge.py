"""Which edge a pasted patch gets, and how soft it is."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.scene import Blend

_SOFTEST = 0.12  # of a patch's shorter side, so that a small sign is not all edge
_CODES = {blend.name.lower(): int(blend) for blend in Blend}


def usual_edges() -> dict[str, float]:
    """The weights of the edges by name; Poisson is an option, it changes a sign's colours."""
    return {"hard": 0.2, "feather": 0.4, "gaussian": 0.4}


def edges(
    weights: Mapping[str, float],
    chance: Array,
    feather_range: tuple[float, float],
    sigma_range: tuple[float, float],
    side: Array,
) -> tuple[NDArray[np.uint8], Array]:
    """`Blend` codes of R patches and their widths in canvas pixels.

    Args:
        weights: by name of the edge, not all 0.
        chance: (R, 2) picks the edge and its width.
        feather_range: the ramp's width, also where Poisson falls back to it.
        sigma_range: the Gaussian's sigma.
        side: (R,) the patches' shorter sides in canvas pixels, which bound the width.

    >>> edges({"hard": 1.0, "feather": 3.0}, np.array([[0.5, 0.5]]), (1.0, 3.0), (0.5, 1.0), np.array([100.0]))
    (array([1], dtype=uint8), array([2.]))
    """
    codes = np.array([_CODES[name] for name, weight in weights.items() if weight > 0], np.uint8)
    sums = np.cumsum([weight for weight in weights.values() if weight > 0])
    which = np.searchsorted(sums, chance[:, 0] * sums[-1], side="right")
    code = codes[np.minimum(which, len(codes) - 1)]
    low, high = np.where((code == Blend.GAUSSIAN)[:, None], sigma_range, feather_range).T
    soft = np.minimum(low + (high - low) * chance[:, 1], _SOFTEST * side)
    return code, np.where(code == Blend.HARD, 0.0, soft)
