"""How a pasted patch passes into what lies beneath: its alpha from the depth inside the outline, and its light.

Every alpha is 0.5 on the outline itself, whatever the edge's softness, so that the box stays true.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.outline import Array
from detaug.scenes.scene import Blend

Canvas = NDArray[np.uint8]
MOST_CHANGED = 12.0  # grey levels that Poisson blending may move the mean of any channel by


def margin(blend: int, soft: float) -> int:
    """Canvas pixels that a soft edge reaches beyond the outline, and one for a pixel that is covered in part."""
    if blend in (Blend.FEATHER, Blend.POISSON):
        return 1 + math.ceil(soft / 2)
    return 1 + math.ceil(2.5 * soft) if blend == Blend.GAUSSIAN else 1


def alpha(inside: Array, blend: int, soft: float) -> NDArray[np.float32]:
    """The opacity of each pixel of a patch.

    Args:
        inside: (h, w) canvas pixels that each centre lies inside the outline, negative outside.
        blend: a `Blend` code; Poisson's own alpha is the feathered one.
        soft: the ramp's width or the Gaussian's sigma in canvas pixels; less than a pixel's own width is hard.

    Returns:
        (h, w) float32: a linear ramp, or the hard edge blurred by a Gaussian (exact for a straight edge).

    >>> alpha(np.array([[-1.0, 0.0, 1.0]]), Blend.FEATHER, 4.0).tolist()
    [[0.25, 0.5, 0.75]]
    """
    if blend == Blend.GAUSSIAN:
        # The pixel itself blurs by a box of one pixel, whose variance is 1/12.
        x = inside / math.sqrt(soft * soft + 1 / 12)
        # Page, "Approximations to the cumulative normal function", 1977; within 0.0002.
        share = 0.5 + 0.5 * np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    else:
        share = np.minimum(np.maximum(inside / max(soft, 1.0) + 0.5, 0), 1)
    return share.astype(np.float32)


def with_gain(patch: Canvas, gain: NDArray[np.float32]) -> Canvas:
    """A patch (h, w, 4) with its red, green and blue times a factor each."""
    factors = gain.tolist()
    if factors == [1.0, 1.0, 1.0]:
        return patch
    made = cv2.multiply(patch, (*factors, 1.0))  # type: ignore[call-overload]  # a number for each channel
    return np.asarray(made, np.uint8)


def blended(patch: Canvas, beneath: Canvas, inside: Array, blend: int, soft: float) -> Canvas:
    """What is seen where a patch (h, w, 4) lies over the canvas (h, w, 4).

    Poisson blending (Perez et al., 2003) keeps the patch's gradients and takes its colour from the rim, which can wash
    out the very colour that a sign means: where it would move the mean by more than `MOST_CHANGED`, or the patch does
    not lie inside the canvas window with room to spare, the edge is feathered instead.
    """
    share = alpha(inside, blend, soft)
    if blend == Blend.POISSON:
        cloned = _cloned(patch, beneath, inside)
        patch = patch if cloned is None else cloned
    return np.asarray(cv2.blendLinear(patch, beneath, share, 1 - share), np.uint8)


def _cloned(patch: Canvas, beneath: Canvas, inside: Array) -> Canvas | None:
    """The patch with its colours solved for, or None where that is refused."""
    mask = inside > 0
    rim = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    if rim or np.count_nonzero(mask) < 16:
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # OpenCV centres the mask's bounding box on the point that it is given.
    centre = (int(columns[0] + columns[-1] + 1) // 2, int(rows[0] + rows[-1] + 1) // 2)
    try:
        rgb = cv2.seamlessClone(
            np.ascontiguousarray(patch[..., :3]),
            np.ascontiguousarray(beneath[..., :3]),
            mask.astype(np.uint8) * np.uint8(255),
            centre,
            cv2.NORMAL_CLONE,
        )
    except cv2.error:
        return None  # it needs more room round the mask than a paste at the canvas's border has
    moved = np.abs(rgb[mask].mean(0) - patch[..., :3][mask].mean(0))
    if float(moved.max()) > MOST_CHANGED:
        return None
    return np.dstack([np.asarray(rgb, np.uint8), patch[..., 3]])
