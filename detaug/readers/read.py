"""Any dataset by its folder: which format it is in, and its catalog."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.coco import read_coco
from detaug.readers.formats import BESIDE, LOOKED_FOR, PROBES, strange_table
from detaug.readers.gtsdb import read_gtsdb
from detaug.readers.image import SUFFIXES
from detaug.readers.index import Reading, find, keep, key
from detaug.readers.lisa import read_lisa
from detaug.readers.mtsd import read_mtsd
from detaug.readers.root import Root
from detaug.readers.stamps import Tree
from detaug.readers.tt100k import read_tt100k
from detaug.readers.voc import read_voc
from detaug.readers.yolo import read_yolo

Reader = Callable[[str | Path | Root, str | Path | None], Catalog]


def read_drawn(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """The drawn scenes, made first where the folder is missing or empty; COCO layout."""
    if not isinstance(root, Root):
        _draw(Path(root))
    return read_coco(root, classes)


def _draw(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        from detaug.readers.drawn.dataset import draw_dataset

        draw_dataset(folder)


def read_images(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """All images in a folder and below it, without a box or a class: something to predict on."""
    builder = Builder(Root.of(root), unit="line")
    for name in builder.root.listed("", SUFFIXES, deep=True):
        builder.add_image(name, Split.NONE)
    return builder.catalog([], classes)


READERS: dict[str, Reader] = {
    "voc": read_voc,
    "coco": read_coco,
    "yolo": read_yolo,
    "gtsdb": read_gtsdb,
    "tt100k": read_tt100k,
    "mtsd": read_mtsd,
    "lisa": read_lisa,
    "drawn": read_drawn,
    "images": read_images,
}


def read(
    root: str | Path,
    format: str = "auto",
    classes: str | Path | None = None,
    *,
    follow_links: bool = False,
    index: bool = True,
) -> Catalog:
    """Read a dataset, or its saved index while no annotation file has changed and no file was added or removed.

    An image that is overwritten in place is noticed only where the last reading found something wrong with it.

    Args:
        root: its folder; nothing outside of it is read.
        format: a name in `READERS`, or `auto` for what `detect` finds.
        classes: a class table's file; without it a built-in table that knows the names.
        follow_links: also read what links lead to outside of the folder.
        index: use the index, in `root/.detaug` or the user's cache folder, and save one; False reads every file.

    Returns:
        All images that can be used; what cannot is in `findings`.

    Raises:
        InputError: no such folder or format, no annotations, or no usable image.
    """
    return reading(root, format, classes, follow_links=follow_links, index=index).catalog


def reading(
    root: str | Path,
    format: str = "auto",
    classes: str | Path | None = None,
    *,
    follow_links: bool = False,
    index: bool = True,
) -> Reading:
    """A dataset with the format it was read in and the reason for that; otherwise as `read`."""
    if format not in ("auto", *READERS):
        raise InputError(f"{root}: the format {format!r} is not one of auto, {', '.join(READERS)}.")
    if format == "drawn":
        _draw(Path(root))
    name = key(format, classes, follow_links) if index and format != "images" else None
    folder = Root(root, follow_links)
    if name is not None and (saved := find(folder, name)) is not None:
        return saved
    before = Tree.of(folder) if name is not None else None
    found, reason = detect(folder) if format == "auto" else (format, "as told")
    new = Reading(READERS[found](folder, classes), found, reason)
    if name is None or before is None:
        return new
    names = {name, key(found, classes, follow_links) or name}
    return keep(folder, sorted(names), new, before)


def detect(root: str | Path | Root) -> tuple[str, str]:
    """The format of a dataset and the reason: the file that shows it, and what else is there.

    Raises:
        InputError: no such folder, or no format is recognised; the text says what was looked for.
    """
    folder = Root.of(root)
    fault: InputError | OSError | None = None
    for format, probe in PROBES:
        try:
            reason = probe(folder)
        except (InputError, OSError) as error:
            fault = fault or error
            continue
        if reason is not None:
            return format, reason + _beside(folder, format)
    if isinstance(fault, OSError):
        raise InputError(f"{fault.filename or folder.path}: this cannot be read ({fault.strerror}).") from fault
    if fault is not None:
        raise fault
    raise InputError(f"{folder.path}: no dataset is recognised here: looked for {LOOKED_FOR}{strange_table(folder)}.")


def _beside(taken: Root, format: str) -> str:
    """Words on what other formats are there; a root of its own, since no index depends on them."""
    root = Root(taken.path, taken.follow_links)
    found = []
    for other, probe in BESIDE:
        with suppress(InputError, OSError):
            if other != format and (reason := probe(root)) is not None:
                found.append(f"{reason} ({other})")
    return f"; not read: {'; '.join(found)}" if found else ""
