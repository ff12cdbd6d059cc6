"""Decoys: patches without a sign, so that the traces of pasting alone do not mean a sign."""

from dataclasses import replace

import numpy as np

from detaug.outline import Array
from detaug.readers.catalog import spans
from detaug.scenes.patches import NO_LABEL, Patches
from detaug.scenes.stage import Stage

_TRIES = 16
NUMBERS = 1 + 2 * _TRIES
_MARGIN = 0.3  # distance to every box, as a share of the patch's own sides
_LARGEST = 0.5  # of the image's sides
_CHUNK = 1 << 16


def backgrounds(stage: Stage, like: Patches, chance: Array) -> Patches:
    """Pieces of training images, away from every box of them, as large as signs and with their outlines.

    Args:
        stage: whose images and places are used: a piece stands in rows where signs stand.
        like: the signs; a piece is smaller where its image is too small for it. One for which no try was free is left
            out.
        chance: (R, `NUMBERS`) random numbers.
    """
    catalog, count = stage.catalog, len(like)
    image = (chance[:, 0] * len(catalog)).astype(np.int64)
    tries = chance[:, 1:].reshape(count, 2, _TRIES)
    whole = catalog.sizes[image][:, ::-1].astype(np.float64)
    sides = 2 * like.half
    sides = sides * np.minimum(1.0, (_LARGEST * whole / sides).min(1))[:, None]
    rows = (tries[:, 0] * len(stage.places)).astype(np.int64)
    # A place learned elsewhere, moved along the row: its height in the picture is what matters.
    middle = np.stack([tries[:, 1], stage.places.rows[rows, 1]], 2) * whole[:, None]
    low, high = middle - sides[:, None] / 2, middle + sides[:, None] / 2
    free = ((low >= 0) & (high <= whole[:, None])).all(2)
    boxes = np.diff(catalog.starts)[image]
    owner, box = np.repeat(np.arange(count), boxes), catalog.boxes[spans(catalog.starts[image], boxes)]
    for k in range(0, len(owner), _CHUNK):  # so that an image of a million boxes takes little memory
        own, some = owner[k : k + _CHUNK], box[k : k + _CHUNK, None]
        margin = (_MARGIN * sides)[own, None]
        meets = (some[..., :2] < high[own] + margin) & (some[..., 2:] > low[own] - margin)
        pair, place = np.nonzero(meets[..., 0] & meets[..., 1])
        free[own[pair], place] = False
    if stage.replaced:
        free[[row in stage.replaced for row in image.tolist()]] = False
    found, first = np.flatnonzero(free.any(1)), free.argmax(1)
    return replace(
        like.take(found),
        image=image[found],
        box=np.concatenate([low, high], axis=2)[found, first[found]],
        label=np.full(len(found), NO_LABEL),
        origin=np.full(len(found), -1),
    )
