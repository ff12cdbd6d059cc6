"""What a dataset's boxes show: too small ones, classes with too few, and how large they are."""

from itertools import pairwise

import numpy as np

from detaug.errors import Finding
from detaug.readers.catalog import Catalog, Split

FEW = 10  # training boxes; with fewer a class is hardly learnt and its AP says little
SMALL = 3.0  # pixels; a shorter side shows nothing that could be learnt
EDGES = (0, 3, 8, 16, 32, 64, 128)  # pixels; lower edges of the histogram's bins


def small_boxes(catalog: Catalog) -> list[Finding]:
    """Boxes with a side under `SMALL` pixels; they are used all the same."""
    sides = catalog.boxes[:, 2:] - catalog.boxes[:, :2]
    owners = catalog.images_of_boxes()
    findings = []
    for i in np.flatnonzero(sides.min(1, initial=np.inf) < SMALL).tolist():
        (width, height), (x, y) = sides[i].tolist(), catalog.boxes[i, :2].tolist()
        value = f"{catalog.classes.names[catalog.labels[i]]}: {width:.3g} x {height:.3g} pixels at {x:.6g} {y:.6g}"
        findings.append(Finding("small-box", catalog.name(int(owners[i])), value))
    return findings


def rare_classes(catalog: Catalog) -> list[Finding]:
    """Classes with too few training boxes; without a training split all images count."""
    training = catalog.splits == Split.TRAIN
    used = (training if training.any() else ~training)[catalog.images_of_boxes()]
    what = "training boxes" if training.any() else "boxes"
    counts = np.bincount(catalog.labels[used], minlength=len(catalog.classes))
    findings = []
    for name, count in zip(catalog.classes.names, counts.tolist(), strict=True):
        if count == 0:
            findings.append(Finding("untrained-class", name, f"no {what} of this class"))
        elif count < FEW:
            findings.append(Finding("rare-class", name, f"{what}: {count}, fewer than {FEW}"))
    return findings


def sides(catalog: Catalog) -> dict[str, int]:
    """Boxes by their shorter side in pixels: the bin's name, such as `8-16` (from 8 to below 16), and its count."""
    shorter = (catalog.boxes[:, 2:] - catalog.boxes[:, :2]).min(1, initial=np.inf)
    bins = np.searchsorted(EDGES, shorter, side="right") - 1
    names = [f"{low}-{high}" for low, high in pairwise(EDGES)] + [f"{EDGES[-1]} and more"]
    return dict(zip(names, np.bincount(bins, minlength=len(EDGES)).tolist(), strict=True))


def images_without_boxes(catalog: Catalog) -> int:
    """How many images show nothing."""
    return int((np.diff(catalog.starts) == 0).sum())
