"""Any dataset by its folder: which format it is in, and its catalog."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from detaug.errors import Finding, InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.coco import read_coco
from detaug.readers.detect import candidates, placed, unrecognised
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
        format: a name in `READERS`, or `auto`: the first that `detect.candidates` finds and that can be read. Where the
            folder itself shows none, the dataset may lie in the one folder below it that does.
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
    if format == "auto":
        new = _recognised(folder, classes, index)
    else:
        new = Reading(READERS[format](folder, classes), format, "as told")
    if name is None or before is None or new.catalog.root != folder.path:
        return new  # a folder below keeps its own index
    names = {name, key(new.format, classes, follow_links) or name}
    return keep(folder, sorted(names), new, before)


def _recognised(folder: Root, classes: str | Path | None, index: bool) -> Reading:
    """The dataset in the first of the formats recognised that can be read; why the ones before cannot is a finding."""
    faults: list[InputError] = []
    for found in candidates(folder, faults):
        try:
            if found.folder:
                place = folder.path / found.folder
                inner = reading(place, classes=classes, follow_links=folder.follow_links, index=index)
                new = replace(inner, reason=placed(found.folder, inner.reason))
            else:
                new = Reading(READERS[found.format](folder, classes), found.format, found.reason)
        except InputError as error:
            faults.append(error)
            continue
        if not faults:
            return new
        findings = new.catalog.findings
        unsaid = [text for text in dict.fromkeys(map(str, faults)) if all(text != f.value for f in findings)]
        findings += tuple(_finding(folder, text) for text in unsaid)
        return replace(new, catalog=replace(new.catalog, findings=findings))
    raise unrecognised(folder, faults)


def _finding(root: Root, fault: str) -> Finding:
    """An error as a finding, told of the file that it names."""
    file, _, value = fault.removeprefix(f"{root.path}/").partition(": ")
    if not root.is_file(file):
        file, value = ".", fault
    return Finding("unread-annotation", file, f"it is not used: {value.removesuffix('.')}")
