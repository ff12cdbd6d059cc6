"""What lies in a dataset's folder that its reader does not read: reported, so that nothing is left out in silence."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from detaug.readers.builder import Builder
from detaug.readers.content import number
from detaug.readers.description import NOT_LABELS
from detaug.readers.image import SUFFIXES
from detaug.readers.root import HIDDEN, printable, suffix

_PICKLES = (".cache", ".pkl", ".pickle", ".joblib")
_OTHER_IMAGES = (".gif", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2", ".svg")
_STRAYS = ("thumbs.db", ".ds_store", "desktop.ini", "__macosx")
_PEEK = 4096  # bytes of a file by which it is judged
_WORDS = {".json": (b'"images"', b'"annotations"', b'"categories"', b'"objects"', b'"shapes"'), ".xml": (b"<object",)}


def note_leftovers(builder: Builder, read: Collection[str]) -> None:
    """Report images that no row names, annotation files that were not read, pickles, and what file managers leave.

    Args:
        builder: its root is looked through, but links are not followed.
        read: clean names of the annotation files that were read or tried.
    """
    images: list[str] = []
    unread: dict[tuple[str, str], list[str]] = {}
    strays: list[str] = []
    for name in _files(builder.root.path, strays):
        ending = suffix(name)
        if ending in SUFFIXES:
            images.append(name)
        elif ending in _PICKLES:
            value = "it may be a pickle, which could run code when loaded; it is never opened"
            builder.note("ignored-pickle", name, value)
        elif ending in _OTHER_IMAGES:
            builder.note("unsupported-image", name, f"images of the kind {ending} are not read")
        elif ending in (".xml", ".json", ".txt") and name not in read:
            unread.setdefault((name.rpartition("/")[0], ending), []).append(name)
    builder.note_unnamed(images)
    for (folder, ending), names in sorted(unread.items()):
        shown = [name for name in names if ending == ".txt" or _is_annotation(builder.root.path / name)]
        if shown and (ending != ".txt" or any(_is_label(builder.root.path / name) for name in shown[:5])):
            value = f"{len(shown)} annotation files *{ending} here are not read, the first is {shown[0]}"
            builder.note("unread-annotation", folder or ".", value)
    if strays:
        value = f"{len(strays)} files or folders that a file manager left, such as this one, are ignored"
        builder.note("stray-file", strays[0], value)


def _files(root: Path, strays: list[str]) -> Iterator[str]:
    """Names of all regular files, relative and sorted; what is left by file managers is put into `strays`."""
    for place, folders, files in os.walk(root):
        base = os.path.relpath(place, root).replace(os.sep, "/")
        prefix = "" if base == "." else base + "/"
        strays += [printable(prefix + n) for n in sorted(folders + files) if n.lower() in _STRAYS or n[:2] == "._"]
        folders[:] = sorted(n for n in folders if not n.startswith(HIDDEN))
        for file in sorted(files):
            if not file.startswith(".") and file.lower() not in _STRAYS:
                yield printable(prefix + file)


def _is_annotation(file: Path) -> bool:
    head = _head(file)
    return any(word in head for word in _WORDS[suffix(file.name)])


def _is_label(file: Path) -> bool:
    """Whether the first line is a class id with at least four numbers, as in YOLO."""
    if file.name.lower() in NOT_LABELS:
        return False
    words = _head(file).decode("latin-1").strip().split("\n")[0].split()
    return len(words) >= 5 and all(value == value for value in map(number, words))


def _head(file: Path) -> bytes:
    """The first bytes of a regular file that is no link; nothing where it cannot be read."""
    if file.is_symlink() or not file.is_file():
        return b""
    try:
        with file.open("rb") as opened:
            return opened.read(_PEEK)
    except OSError:
        return b""
