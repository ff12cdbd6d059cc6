"""Where each image goes in the new dataset, and what it is called there."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from detaug.readers.catalog import Catalog, Split
from detaug.readers.image import SUFFIXES
from detaug.readers.root import HIDDEN, suffix
from detaug.readers.split import PART_FOLDERS

_UNSAFE = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")  # in XML, or in a terminal
_SIGNATURES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"), (b"BM", ".bmp"), (b"P", ".ppm"))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A dataset to be written.

    Attributes:
        catalog: its images and boxes.
        names: M names of the images in the new dataset's folder, all different.
        renamed: how many have another name than the layout gives them, the first of them, and its new name.
    """

    catalog: Catalog
    names: list[str]
    renamed: tuple[int, str, str]

    @property
    def splits(self) -> dict[Split, list[int]]:
        """The rows of each split that has any."""
        rows: dict[Split, list[int]] = {}
        for row, code in enumerate(self.catalog.splits.tolist()):
            rows.setdefault(Split(code), []).append(row)
        return dict(sorted(rows.items()))


def below(name: str) -> str:
    """An image's name without the folders that formats bring: those called like a split or `images`.

    >>> below("train/images/city/a.jpg"), below("images/val/a.jpg")
    ('city/a.jpg', 'a.jpg')
    """
    folder, _, file = name.rpartition("/")
    kept = [part for part in folder.split("/") if part and part.lower() not in PART_FOLDERS]
    return "/".join([*kept, file])


def planned(catalog: Catalog, folder: Callable[[Split], str], key: Callable[[str], str], plain: bool) -> Plan:
    """Name the images.

    Each keeps its name below the folders of its old format; all keep their whole names where that would make two equal.

    Args:
        catalog: the dataset.
        folder: where the images of a split go.
        key: what no two images may share beside their name, such as the name of the label file.
        plain: the format finds images by listing folders, so that hidden names, control characters and endings that
            are not an image's are changed.
    """
    old = [catalog.name(row) for row in range(len(catalog))]
    usual = [_usual(catalog, row, name) if plain else name for row, name in enumerate(old)]
    places = [folder(Split(code)) for code in catalog.splits.tolist()]
    names = [f"{place}/{below(name)}" for place, name in zip(places, usual, strict=True)]
    wanted = [f"{place}/{below(name)}" for place, name in zip(places, old, strict=True)]
    if _clash(names):
        names = [f"{place}/{name}" for place, name in zip(places, usual, strict=True)]
        wanted = [f"{place}/{name}" for place, name in zip(places, old, strict=True)]
    names = _distinct(names, key)
    changed = [row for row, name in enumerate(names) if name != wanted[row]]
    first = (old[changed[0]], names[changed[0]]) if changed else ("", "")
    return Plan(catalog, names, (len(changed), *first))


def _usual(catalog: Catalog, row: int, name: str) -> str:
    """The name as a listing of its folder finds it and an XML file can hold it."""
    name = "/".join(_usual_part(part) for part in _UNSAFE.sub("_", name).split("/"))
    return name if suffix(name) in SUFFIXES else name + _ending(catalog.path(row))


def _usual_part(part: str) -> str:
    part = re.sub(r"^\s+|\s+$", "_", part)
    part = part[:1] + "_" + part[2:] if part[1:2] == ":" else part  # not a drive of Windows
    return "_" + part if part.startswith(HIDDEN) else part


def is_plain(text: str) -> bool:
    """Whether XML can hold a text and give it back: no control characters, no blanks at its ends, not empty."""
    return bool(text) and text == text.strip() and _UNSAFE.search(text) is None


def _ending(file: Path) -> str:
    """The ending that the file's first bytes ask for; `.jpg` where there is no file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(4)
    except OSError:
        head = b""
    return next((ending for signature, ending in _SIGNATURES if head.startswith(signature)), ".jpg")


def _clash(names: Iterable[str]) -> bool:
    """Whether two names are equal, or one is a folder of another."""
    seen: set[str] = set()
    folders: set[str] = set()
    count = 0
    for name in names:
        count += 1
        seen.add(name)
        folders.add(name.rpartition("/")[0])
    above = {
        parent.as_posix() for folder in folders for parent in (PurePosixPath(folder), *PurePosixPath(folder).parents)
    }
    return len(seen) < count or bool(seen & above)


def _distinct(names: list[str], key: Callable[[str], str]) -> list[str]:
    """The names, with `_2`, `_3` and so on before the ending where two have the same key."""
    taken = set(names)
    keys: set[str] = set()
    distinct = []
    for name in names:
        new, number = name, 1
        while key(new) in keys or (new != name and new in taken):
            number += 1
            path = PurePosixPath(name)
            new = path.with_name(f"{path.stem}_{number}{path.suffix}").as_posix()
        keys.add(key(new))
        taken.add(new)
        distinct.append(new)
    return distinct
