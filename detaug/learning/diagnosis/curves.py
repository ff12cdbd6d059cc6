"""Noise, trends and levels of one noisy curve."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def normal_scale(residuals: Floats) -> float:
    """The standard deviation of normal residuals from their median size, which outliers hardly move.

    Few residuals have a median that is too small on average; n / (n - 0.8) makes up for that.
    """
    count = len(residuals)
    return 0.0 if count == 0 else float(1.4826 * np.median(np.abs(residuals)) * count / (count - 0.8))


def noise(x: Floats, y: Floats) -> float:
    """Standard deviation of the noise about a smooth curve, from divided differences, which hold for uneven steps.

    Four neighbours at a time: a parabola through them leaves nothing, so that a curve which bends does not seem noisy.
    From fewer than seven points, three at a time. The first third is left out where enough remains: curves bend there.

    >>> round(noise(np.arange(8.0), np.arange(8.0) ** 2), 9)
    0.0
    """
    order = 3 if len(x) >= 7 else 2
    if len(x) <= order:
        return 0.0
    at = np.lib.stride_tricks.sliding_window_view(x, order + 1)
    apart = at[:, :, None] - at[:, None, :] + np.eye(order + 1)
    weights = 1 / apart.prod(2)
    off = (weights * np.lib.stride_tricks.sliding_window_view(y, order + 1)).sum(1) / np.sqrt((weights**2).sum(1))
    return normal_scale(off[min(len(off) // 3, max(0, len(off) - 5)) :])


def smoothed(y: Floats) -> Floats:
    """Running medians of three, of five from 25 values on; the ends by what there is."""
    half = 1 if len(y) < 25 else 2
    return np.array([np.median(y[max(0, i - half) : i + half + 1]) for i in range(len(y))])


@dataclass(frozen=True, slots=True)
class Trend:
    """How much a curve changes over a stretch.

    Attributes:
        change: the Theil-Sen slope times the stretch.
        error: its standard error.
    """

    change: float
    error: float


def trend(x: Floats, y: Floats, sigma: float, side: NDArray[np.bool_]) -> Trend:
    """The trend of a stretch of at least two points.

    The slope is the median of the slopes of all pairs (Theil, 1950; Sen, 1968) on the same side of a jump. Its error
    comes from the noise, not from ranks: ranks say nothing under five points, and the noise is known from the whole
    curve. A slope by medians is about a tenth less exact than one by least squares.

    Args:
        x: (N,) epochs.
        y: (N,) the curve.
        sigma: the noise of a point; that of few is little known, which makes the error larger. Where eight points or
            more lie further off a parabola than that, as noise that lasts from one validation to the next does, that
            counts.
        side: (N,) whether a point comes after the jump.
    """
    first, second = np.triu_indices(len(x), 1)
    same = side[first] == side[second]
    first, second = first[same], second[same]
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first]))) if len(first) else 0.0
    about = [x[side == s] - x[side == s].mean() for s in (False, True) if (side == s).any()]
    spread = math.sqrt(sum(float((a**2).sum()) for a in about))
    span = float(x[-1] - x[0])
    known = 1.1 * (1 + 1.3 / len(x)) * max(sigma, _about_parabola(x, y, side))
    return Trend(slope * span, known * span / spread if spread else math.inf)


def _about_parabola(x: Floats, y: Floats, side: NDArray[np.bool_]) -> float:
    """Standard deviation about a parabola with a jump; 0 for under eight points, which a parabola fits too well."""
    if len(x) < 8:
        return 0.0
    at = (x - x.mean()) / (x[-1] - x[0])
    columns = np.stack([np.ones_like(at), at, at**2, side], 1)
    rest = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    return math.sqrt(float((rest**2).sum()) / (len(x) - 4))


def without_drop(x: Floats, y: Floats, sigma: float, at: float | None, sigmas: float, most: float) -> Floats:
    """The curve with the later part moved up to where the earlier one would have gone on, if it drops beyond noise.

    What goes on is a line through up to five points; the drop is to up to three points. A rise, or a drop by more than
    the share `most`, is something else and stays.
    """
    if at is None or (x < at).sum() < 3 or (x >= at).sum() < 1:
        return y
    before, after = np.flatnonzero(x < at)[-5:], np.flatnonzero(x >= at)[:3]
    slope = trend(x[before], y[before], sigma, np.zeros(len(before), bool)).change / (x[before][-1] - x[before][0])
    offset = float(np.median(y[before] - slope * x[before]))
    drop = offset - float(np.median(y[after] - slope * x[after]))
    error = 1.25 * sigma * math.sqrt(1 / len(before) + 1 / len(after))
    real = sigmas * error < drop < most * float(np.median(y[before]))
    return np.where(x >= at, y + drop, y) if real else y
