"""What a YOLO dataset says of itself: class names, and where the images of each split may lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detaug.errors import InputError
from detaug.readers.catalog import Split
from detaug.readers.content import read_text, read_yaml
from detaug.readers.image import SUFFIXES
from detaug.readers.root import SPLITS, Root, suffix

NOT_LABELS = frozenset(("classes.txt", "labels.txt", "names.txt", "notes.txt", "readme.txt", "requirements.txt"))
_SPLIT_KEYS = {"train": Split.TRAIN, "val": Split.VAL, "valid": Split.VAL, "test": Split.TEST, "none": Split.NONE}
_NOTHING = ("", "~", "null", "Null", "NULL")
_LONGEST = 200  # characters of a foreign value in an error


@dataclass(frozen=True, slots=True)
class Description:
    """What data.yaml says, or what stands for it.

    Attributes:
        file: its name, relative to the root.
        names: class name by id; empty where no file names the classes, which are then called by their numbers.
        base: the value of `path`, or an empty string.
        entries: folders or lists of images, with their split.
        faults: what is odd in it, as kind and value of a finding.
    """

    file: str
    names: dict[int, str]
    base: str
    entries: list[tuple[Split, str]]
    faults: tuple[tuple[str, str], ...] = ()


def describe(root: Root) -> Description | None:
    """What the dataset's YAML file says, or its list of class names; None where there is neither.

    Raises:
        InputError: no YAML file can be used, and one is broken.
    """
    broken: InputError | None = None
    for file in sorted(root.listed("", {".yaml", ".yml"}), key=lambda name: (name.lower() != "data.yaml", name)):
        try:
            content = read_yaml(root.file(file))
            if isinstance(content, dict) and "names" in content:
                return _described(root, file, content, () if broken is None else (("broken-description", str(broken)),))
        except InputError as error:
            broken = broken or error
    if broken is not None:
        raise broken
    for file in _name_lists(root):
        entries = _folders(root)
        if entries:
            lines = [line.strip() for line in read_text(root.file(file)).splitlines()]
            return Description(file, dict(enumerate(line for line in lines if line)), "", entries)
    return None


def guess(root: Root) -> Description | None:
    """A description of a folder with label files that nothing describes; None where there is no label file."""
    entries = _folders(root)
    if not entries:
        return None
    fault = ("unnamed-classes", "no data.yaml or classes.txt names the classes; they are called by their numbers")
    return Description(".", {}, "", entries, (fault,))


def _described(root: Root, file: str, content: dict[Any, Any], faults: tuple[tuple[str, str], ...]) -> Description:
    names = _names(root.path / file, content["names"])
    count = content.get("nc")
    if isinstance(count, str) and count.strip().isdigit() and count.strip() != str(len(names)):
        faults = (*faults, ("class-count", f"`nc` is {count[:_LONGEST]}, but `names` has {len(names)} classes"))
    return Description(file, names, _word(content.get("path")), _entries(content), faults)


def _names(path: Path, value: object) -> dict[int, str]:
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
    names: dict[int, str] = {}
    for key, name in pairs:
        number = int(key) if isinstance(key, int) or (isinstance(key, str) and _is_id(key)) else None
        if number is None or not isinstance(name, str):
            kind = type(name).__name__  # never the value itself: a YAML bomb is small until it is printed
            shown = str(key)[:_LONGEST] if isinstance(key, str | int) else type(key).__name__
            raise InputError(f"{path}: `names` has the entry {shown!r} of kind {kind}, not a number with a name.")
        names[number] = name
    if not names:
        raise InputError(f"{path}: `names` is neither a list nor a mapping of class names.")
    return dict(sorted(names.items()))


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10


def _entries(content: dict[Any, Any]) -> list[tuple[Split, str]]:
    entries = []
    for key, split in _SPLIT_KEYS.items():
        value = content.get(key)
        entries += [(split, _word(v)) for v in (value if isinstance(value, list) else [value]) if _word(v)]
    return entries


def _word(value: object) -> str:
    return value.replace("\\", "/") if isinstance(value, str) and value not in _NOTHING else ""


def _name_lists(root: Root) -> list[str]:
    """Files with a class name per line, those of the root first."""
    found = [name for name in root.listed("", {".txt", ".names"}) if _is_name_list(name)]
    for folder in ("labels", *_split_folders(root, "labels/"), *_split_folders(root)):
        found += [name for name in root.listed(folder, {".txt", ".names", ".labels"}) if _is_name_list(name)]
    return found


def _is_name_list(name: str) -> bool:
    return name.rpartition("/")[2] == "classes.txt" or suffix(name) in (".names", ".labels")


def _split_folders(root: Root, base: str = "") -> list[str]:
    return [base + name for name in SPLITS if root.is_folder(base + name)]


def _folders(root: Root) -> list[tuple[Split, str]]:
    """Folders of images that have label files, in the usual layouts; the images themselves may be missing."""
    split_of = {name: SPLITS[name.rpartition("/")[2]] for name in _split_folders(root)}
    found = [(code, f"{name}/images") for name, code in split_of.items() if _has_labels(root, f"{name}/labels")]
    if found:
        return found
    inner = [name.rpartition("/")[2] for name in _split_folders(root, "labels/")]
    found = [(SPLITS[name], f"images/{name}") for name in inner if _has_labels(root, f"labels/{name}")]
    if found:
        return found
    if _has_labels(root, "labels"):
        return [(Split.NONE, "images")]
    found = [(code, name) for name, code in split_of.items() if _has_labels(root, name)]
    if not found and any(_has_labels(root, folder) for folder in ("images", "")):
        return [(Split.NONE, "images" if _has_labels(root, "images") else ".")]
    return found


def _has_labels(root: Root, folder: str) -> bool:
    """Whether a folder holds label files: in a folder of that name any text, elsewhere one beside its image."""
    texts = [name for name in root.listed(folder, {".txt"}) if name.rpartition("/")[2].lower() not in NOT_LABELS]
    if "labels" in folder.split("/"):
        return bool(texts)
    stems = {name.rpartition(".")[0] for name in root.listed(folder, SUFFIXES)}
    return any(name.rpartition(".")[0] in stems for name in texts)


def places(base: str, entry: str) -> list[str]:
    """Where an entry may lie, the best first, all relative to the root.

    What is absolute or leads out of the root is looked for by its longest end that exists below the root.

    >>> places("", "../train/images"), places("D", "images/val")
    (['train/images'], ['D/images/val', 'images/val'])
    >>> places("", "/content/a/train/images")
    ['content/a/train/images', 'a/train/images', 'train/images']
    >>> places("D:/sets/signs", "./images/val")
    ['sets/signs/images/val', 'signs/images/val', 'images/val']
    """
    foreign = _is_foreign(entry)
    above, parts = [] if foreign else _parts(base), _parts(entry)
    whole = [*above, *parts]
    fewest = min(2, len(parts)) if foreign else len(parts)
    ends = ["/".join(whole[i:]) for i in range(len(whole) - fewest + 1)]
    beside = [] if not above or _is_foreign(base) else [f"{base}/{entry}".replace("/./", "/")]
    return list(dict.fromkeys([*beside, *ends]))


def _is_foreign(path: str) -> bool:
    """Whether a path is absolute, on whatever system."""
    return path.startswith("/") or path[1:2] == ":"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".", "..") and not part.endswith(":")]
