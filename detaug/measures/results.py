"""Detections read back from the file that a run wrote."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from detaug.errors import InputError
from detaug.measures.truth import Found
from detaug.readers.catalog import Catalog


def read_results(results: Sequence[Any], catalog: Catalog, source: str = "detections.json") -> Found:
    """COCO results, as `Found.coco` makes them, packed again; every image of the catalog counts as scored.

    Args:
        results: `image_id`, `category_id` (the class index plus 1), `bbox` x y width height, `score` of each.
        catalog: the evaluated split.
        source: what an error names.

    Raises:
        InputError: an entry is none, or names an image or a class that the catalog does not have.
    """
    row_of = {int(i): row for row, i in enumerate(catalog.ids)}
    rows, labels = np.empty(len(results), np.int64), np.empty(len(results), np.int64)
    boxes, scores = np.empty((len(results), 4)), np.empty(len(results), np.float32)
    for n, result in enumerate(results):
        try:
            rows[n], labels[n] = row_of[result["image_id"]], int(result["category_id"]) - 1
            boxes[n], scores[n] = result["bbox"], result["score"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{source}: entry {n} is no detection in an image of {catalog.root}: {error!r}."
            ) from error
        numbers = math.isfinite(scores[n]) and bool(np.isfinite(boxes[n]).all())
        if not (0 <= labels[n] < len(catalog.classes) and numbers and boxes[n, 2:].min() >= 0):
            raise InputError(f"{source}: entry {n} has a class, box or score that cannot be: {str(result)[:200]}.")
    order = np.argsort(rows, kind="stable")
    boxes[:, 2:] += boxes[:, :2]
    starts = np.searchsorted(rows[order], np.arange(len(catalog) + 1)).astype(np.int64)
    every = np.arange(len(catalog))
    return Found(every, boxes[order].astype(np.float32), scores[order], labels[order], starts)
