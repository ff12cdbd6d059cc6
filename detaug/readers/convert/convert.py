"""A dataset written anew in another format, so that our readers read the same from it."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Flag
from detaug.readers.convert.coco import plan_coco, write_coco
from detaug.readers.convert.folder import replaced, write_manifest
from detaug.readers.convert.plan import Plan
from detaug.readers.convert.voc import plan_voc, write_voc
from detaug.readers.convert.yolo import plan_yolo, write_yolo
from detaug.readers.root import printable
from detaug.readers.screen import GOOD, Fault, screen
from detaug.readers.split import groups_by_runs

Images = Literal["copy", "link", "none"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is written.

    Attributes:
        plan: names the images.
        write: writes all but the images into a folder; returns what the format does not hold, in words.
        flags: what it holds of a box beside its class.
    """

    plan: Callable[[Catalog], Plan]
    write: Callable[[Plan, Path], list[str]]
    flags: Flag


FORMATS = {
    "coco": Format(plan_coco, write_coco, Flag.DIFFICULT | Flag.CROWD | Flag.TRUNCATED | Flag.OCCLUDED),
    "yolo": Format(plan_yolo, write_yolo, Flag(0)),
    "voc": Format(plan_voc, write_voc, Flag.DIFFICULT | Flag.TRUNCATED | Flag.OCCLUDED),
}


def convert(
    catalog: Catalog,
    target: str | Path,
    to: str,
    *,
    images: Images = "copy",
    force: bool = False,
    watched: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> list[str]:
    """Write a dataset in another format.

    Classes and their order, splits, boxes as float32, and image files byte by byte stay what they are; images keep
    their names below the format's folders. Read again, the catalog is the same but for what the notes say, for its
    order, and for its findings: what was lost in reading is not written.

    Args:
        catalog: the dataset.
        target: a folder that is absent or empty; it is written beside its place and renamed as a whole.
        to: a name in `FORMATS`.
        images: `copy` them, `link` them (hard links), or leave them out.
        force: replace what an earlier conversion wrote in `target`, and nothing else.
        watched: counts the images while they are copied.

    Returns:
        What the format does not hold, a sentence without its point each.

    Raises:
        InputError: the target cannot be written or lies in the dataset or round it, image files are missing, or the
            format cannot hold a class name.
    """
    place = Path(target)
    _refuse_nesting(catalog.root, place)
    if images != "none" and not catalog.has_images:
        raise InputError(f"{catalog.root}: none of the image files is here; --images none converts without them.")
    for name in catalog.classes.names:
        if not name or name != printable(name):
            raise InputError(f"{catalog.root}: the class name {name!r} cannot be written.")
    plan = FORMATS[to].plan(catalog)
    with replaced(place, force) as folder:
        notes = FORMATS[to].write(plan, folder)
        if images != "none":
            _bring(plan, folder, images, watched)
        write_manifest(folder, linked=images == "link")
    return [*notes, *_losses(plan, to)]


def _refuse_nesting(source: Path, target: Path) -> None:
    one, other = os.path.realpath(source), os.path.realpath(target)
    if os.path.commonpath([one, other]) in (one, other):
        raise InputError(f"{target}: it lies in {source} or round it; a converted dataset needs a folder of its own.")


def _bring(plan: Plan, folder: Path, images: Images, watched: Callable[[Iterable[int]], Iterable[int]]) -> None:
    """Copy or link the image files."""
    made: set[Path] = set()
    for row in watched(range(len(plan.catalog))):
        source, new = plan.catalog.path(row), folder / plan.names[row]
        if new.parent not in made:
            new.parent.mkdir(parents=True, exist_ok=True)
            made.add(new.parent)
        try:
            if images == "link":
                os.link(os.path.realpath(source), new)
            else:
                shutil.copyfile(source, new)
        except FileNotFoundError as error:
            raise InputError(f"{source}: the image file is missing.") from error
        except OSError as error:
            if images == "link" and error.errno in (errno.EXDEV, errno.EPERM, errno.ENOTSUP):
                raise InputError(
                    f"{source}: it cannot be linked to from {folder.parent}; use --images copy."
                ) from error
            raise


def _losses(plan: Plan, to: str) -> list[str]:
    """What the new dataset does not hold, or holds otherwise."""
    catalog, notes = plan.catalog, []
    count, old, new = plan.renamed
    if count:
        notes.append(f"{count} images have a new name, the first is {new} for {old}")
    for flag in Flag:
        lost = int(((catalog.flags & flag) != 0).sum())
        if lost and flag not in FORMATS[to].flags:
            notes.append(f"{lost} boxes are {str(flag.name).lower()}, which {to} does not hold")
    owners = catalog.images_of_boxes()
    faults = screen(catalog.boxes.astype(np.float64), catalog.sizes[owners], owners, catalog.labels.astype(np.int64))[1]
    for code in np.unique(faults[faults != GOOD]):
        lost = int((faults == code).sum())
        notes.append(f"{lost} boxes will not be read again: {Fault(code).kind}")
    if not np.array_equal(_numbered(catalog.groups), _numbered(groups_by_runs(plan.names))):
        notes.append(f"{to} does not hold which images belong together; `detaug split` keeps it in a file")
    return notes


def _numbered(groups: NDArray[np.int32]) -> NDArray[np.int64]:
    """(M,) the groups, numbered in order of appearance."""
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[place]
