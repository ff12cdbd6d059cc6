"""Decoys: patches without a sign, so that the traces of pasting alone do not mean a sign."""

import numpy as np

from detaug.scenes.laid import NO_LABEL, Cut
from detaug.scenes.stage import Stage

_TRIES = 16
_MARGIN = 0.3  # distance to every box, as a share of the patch's own sides
_LARGEST = 0.5  # of the image's sides


def background(stage: Stage, like: Cut, search: np.random.Generator) -> Cut | None:
    """A piece of some training image, away from every box of it, as large as a sign and with its outline.

    Args:
        stage: whose images and places are used: the piece stands in rows where signs stand.
        like: the sign; its sides are made smaller where the image is too small for them.
        search: 1 + 32 random numbers are drawn.

    Returns:
        The piece; None where no try was free.
    """
    row = int(search.random() * len(stage.catalog))
    chance = search.random((2, _TRIES))
    if row in stage.replaced:
        return None
    whole = stage.catalog.sizes[row][::-1].astype(np.float64)
    sides = np.array([like.box[2] - like.box[0], like.box[3] - like.box[1]])
    sides = sides * min(1.0, float((_LARGEST * whole / sides).min()))
    rows = (chance[0] * len(stage.places)).astype(np.int64)
    # A place learned elsewhere, moved along the row: its height in the picture is what matters.
    middle = np.stack([chance[1], stage.places.rows[rows, 1]], 1) * whole
    low, high = middle - sides / 2, middle + sides / 2
    inside = ((low >= 0) & (high <= whole)).all(1)
    boxes = stage.catalog.boxes[stage.catalog.objects(row)]
    margin = _MARGIN * sides
    meets = ((boxes[:, :2] < (high + margin)[:, None]) & (boxes[:, 2:] > (low - margin)[:, None])).all(2)
    free = np.flatnonzero(inside & ~meets.any(1))
    if len(free) == 0:
        return None
    (x1, y1), (x2, y2) = low[free[0]].tolist(), high[free[0]].tolist()
    return Cut(row, (x1, y1, x2, y2), like.outline, NO_LABEL, -1)
