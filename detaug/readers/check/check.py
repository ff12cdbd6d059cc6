"""What is wrong with a dataset, before anything is trained on it."""

from pathlib import Path

import numpy as np

from detaug.errors import Finding
from detaug.readers.catalog import Catalog, Split
from detaug.readers.check.boxes import images_without_boxes, rare_classes, sides, small_boxes
from detaug.readers.check.copies import leaking_groups, near_duplicates, same_files
from detaug.readers.check.names import similar_names
from detaug.readers.check.pixels import Watched, look
from detaug.readers.check.report import Report, ordered
from detaug.readers.findings import bounded
from detaug.readers.read import reading


def check(
    root: str | Path,
    format: str = "auto",
    classes: str | Path | None = None,
    *,
    follow_links: bool = False,
    fast: bool = False,
) -> Report:
    """Read a dataset and report what was found.

    Args:
        root: its folder.
        format: as for `detaug.readers.read.read`; every file is read, whatever index there is.
        classes: a class table's file, or None.
        follow_links: also read what links lead to outside of the folder.
        fast: leave out what needs the pixels: damage inside files, and copies.

    Raises:
        InputError: the dataset cannot be read at all.
    """
    found = reading(root, format, classes, follow_links=follow_links, index=False)
    return inspect(found.catalog, found.format, found.reason, fast=fast)


def inspect(catalog: Catalog, format: str, reason: str, *, fast: bool = False, watched: Watched = iter) -> Report:
    """Look at a dataset that was read.

    Args:
        catalog: the dataset.
        format: the reader's name.
        reason: why this reader.
        fast: leave out what needs the pixels.
        watched: sees each image when it is decoded, as a progress bar does.
    """
    present = [split for split in Split if (catalog.splits == split).any()]
    parts = {s.name.lower(): catalog.take(np.flatnonzero(catalog.splits == s)) for s in present}
    names = catalog.classes.names
    findings = [*similar_names(names, catalog.class_counts().tolist()), *small_boxes(catalog)]
    findings += [*rare_classes(catalog), *leaking_groups(catalog)]
    pixels = "all images decoded and compared"
    if not catalog.has_images:
        pixels = "not looked at, since no image file is here"
    elif fast:
        pixels = "not looked at, as told"
    else:
        findings += _of_pixels(catalog, watched)
    return Report(
        root=str(catalog.root),
        format=format,
        reason=reason,
        images=len(catalog),
        boxes=len(catalog.boxes),
        images_in=catalog.images_in,
        boxes_in=catalog.boxes_in,
        splits={name: len(part) for name, part in parts.items()},
        without_boxes={name: images_without_boxes(part) for name, part in parts.items()},
        classes={name: dict(zip(names, part.class_counts().tolist(), strict=True)) for name, part in parts.items()},
        sides=sides(catalog),
        pixels=pixels,
        findings=ordered((*catalog.findings, *bounded(findings))),
    )


def _of_pixels(catalog: Catalog, watched: Watched) -> list[Finding]:
    looks = look(catalog, watched)
    return [*looks.findings, *same_files(catalog, looks), *near_duplicates(catalog, looks)]
