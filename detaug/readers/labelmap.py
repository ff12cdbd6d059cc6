"""The file labelmap.txt of a VOC dataset, as CVAT and Datumaro write it: a class in each line, in label order."""

from collections.abc import Collection, Sequence

from detaug.readers.content import read_text
from detaug.readers.root import Root

LABELMAP = "labelmap.txt"
_HEAD = "# label:color_rgb:parts:actions"
_BACKGROUND = "background:0,0,0:"  # how other tools begin the list; it is no class


def labelmap_text(names: Sequence[str]) -> str:
    """The file for these classes, without colours or parts."""
    return "".join(f"{line}\n" for line in (_HEAD, *(f"{name}:::" for name in names)))


def in_label_order(root: Root, names: Collection[str]) -> list[str]:
    """The classes that labelmap.txt lists, in its order, and then the others, sorted.

    Args:
        root: the dataset.
        names: the classes of its boxes.

    Raises:
        InputError: the file cannot be read.
    """
    if not root.is_file(LABELMAP):
        return sorted(names)
    lines = read_text(root.file(LABELMAP)).split("\n")
    lines = [line.rstrip("\r") for line in lines if line.count(":") >= 3 and not line.startswith("# label:")]
    listed = [line.rsplit(":", 3)[0].strip() for line in lines if not line.startswith(_BACKGROUND)]
    known = list(dict.fromkeys(listed))
    return [*known, *sorted(set(names) - set(known))]
