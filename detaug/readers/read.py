"""Any dataset by its folder: which format it is in, and its catalog."""

from collections.abc import Callable
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Catalog, Split
from detaug.readers.coco import annotation_files, read_coco
from detaug.readers.description import describe
from detaug.readers.image import SUFFIXES
from detaug.readers.root import Root
from detaug.readers.voc import parts, read_voc
from detaug.readers.yolo import read_yolo

Reader = Callable[[str | Path | Root, str | Path | None], Catalog]


def read_drawn(root: str | Path | Root, classes: str | Path | None = None) -> Catalog:
    """The drawn scenes, made first where the folder is missing or empty; COCO layout."""
    if isinstance(root, Root):
        return read_coco(root, classes)
    folder = Path(root)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        from detaug.readers.drawn.dataset import draw_dataset

        draw_dataset(folder)
    return read_coco(folder, classes)


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
    "drawn": read_drawn,
    "images": read_images,
}


def read(
    root: str | Path, format: str = "auto", classes: str | Path | None = None, *, follow_links: bool = False
) -> Catalog:
    """Read a dataset.

    Args:
        root: its folder; nothing outside of it is read.
        format: a name in `READERS`, or `auto` for what `detect` finds.
        classes: a class table's file; without it a built-in table that knows the names.
        follow_links: also read what links lead to outside of the folder.

    Returns:
        All images that can be used; what cannot is in `findings`.

    Raises:
        InputError: no such folder or format, no annotations, or no usable image.
    """
    if format not in ("auto", *READERS):
        raise InputError(f"{root}: the format {format!r} is not one of auto, {', '.join(READERS)}.")
    if format == "drawn":
        return read_drawn(root, classes)
    folder = Root(root, follow_links)
    if format == "auto":
        format, _ = detect(folder)
    return READERS[format](folder, classes)


def detect(root: str | Path | Root) -> tuple[str, str]:
    """The format of a dataset and the reason: the file that shows it.

    Raises:
        InputError: no such folder, or no format is recognised.
    """
    folder = Root.of(root)
    if (description := describe(folder)) is not None:
        return "yolo", f"{description.file} names the classes"
    if found := parts(folder):
        return "voc", f"{found[0].xmls[0]} is an XML annotation"
    if files := annotation_files(folder):
        return "coco", f"{files[0]} lists images and annotations"
    looked = (
        "data.yaml (YOLO), *.xml in annotations/ (VOC), annotations/instances_*.json or _annotations.coco.json (COCO)"
    )
    raise InputError(f"{folder.path}: no dataset is recognised here: looked for {looked}.")
