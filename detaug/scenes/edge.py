"""Which edge a pasted patch gets, and how soft it is."""

from collections.abc import Mapping

from detaug.scenes.scene import Blend

_SOFTEST = 0.12  # of a patch's shorter side, so that a small sign is not all edge
_CODES = {blend.name.lower(): int(blend) for blend in Blend}


def usual_edges() -> dict[str, float]:
    """The weights of the edges by name; Poisson is an option, it changes a sign's colours."""
    return {"hard": 0.2, "feather": 0.4, "gaussian": 0.4}


def edge(
    weights: Mapping[str, float],
    which: float,
    soft: float,
    feather_range: tuple[float, float],
    sigma_range: tuple[float, float],
    side: float,
) -> tuple[int, float]:
    """A `Blend` code and its width in canvas pixels from two random numbers.

    Args:
        weights: by name of the edge, not all 0.
        which: in 0 to 1, picks the edge.
        soft: in 0 to 1, picks the width from its range.
        feather_range: the ramp's width, also where Poisson falls back to it.
        sigma_range: the Gaussian's sigma.
        side: the patch's shorter side in canvas pixels, which bounds the width.

    >>> edge({"hard": 1.0, "feather": 3.0}, 0.5, 0.5, (1.0, 3.0), (0.5, 1.0), 100.0)
    (1, 2.0)
    """
    left = which * sum(weights.values())
    code = int(Blend.HARD)
    for name, weight in weights.items():
        if weight > 0:
            code = _CODES[name]
            if left < weight:
                break
            left -= weight
    if code == Blend.HARD:
        return code, 0.0
    low, high = sigma_range if code == Blend.GAUSSIAN else feather_range
    return code, min(low + (high - low) * soft, _SOFTEST * side)
