"""A dataset's folder: names inside it, and never a file outside."""

import os
import posixpath
import unicodedata
from collections.abc import Collection
from pathlib import Path

from detaug.errors import InputError
from detaug.readers.catalog import Split

SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "test": Split.TEST,
    "testing": Split.TEST,
}


HIDDEN = (".", "__MACOSX")  # how the names of files and folders begin that are none of the dataset's


class Root:
    """A dataset's folder. Names in it have forward slashes and are relative to it.

    It remembers which files were asked for and which folders were listed: what the catalog's index depends on.

    Args:
        path: the folder.
        follow_links: also read what links lead to outside of the folder.

    Attributes:
        path: the folder as the user gave it.
        follow_links: whether links may lead out of it.
        files: clean names of the files that were asked for with `file`, in order, and the `status` of each before that.
        folders: `(folder, suffixes, deep)` of each listing.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, path: str | Path, follow_links: bool = False) -> None:
        self.path = Path(path)
        self.follow_links = follow_links
        self.files: dict[str, tuple[int, int, int]] = {}
        self.folders: dict[tuple[str, frozenset[str], bool], None] = {}
        if not self.path.exists():
            raise InputError(f"{path}: the dataset's folder does not exist.")
        if not self.path.is_dir():
            raise InputError(f"{path}: a dataset is a folder, and this is a file.")
        self._real = os.path.realpath(path)
        self._folders: dict[str, str] = {}
        self._spellings: dict[str, tuple[frozenset[str], dict[str, str]]] = {}

    @classmethod
    def of(cls, root: "str | Path | Root") -> "Root":
        """The root itself, or the one of that folder."""
        return root if isinstance(root, Root) else cls(root)

    def inside(self, name: str) -> str | None:
        """The name as a clean path below the root, or None where it leads out of it.

        Backslashes count as slashes; `..` and links may stay inside. Absolute names of any system are refused.
        """
        name = name.replace("\\", "/")
        if "\0" in name or _is_absolute(name) or not _is_encodable(name.rpartition("/")[0]):
            return None
        if self.follow_links:
            clean = posixpath.normpath(name).removeprefix(".").lstrip("/") if name else ""
            return None if clean.split("/")[0] == "." or posixpath.normpath(name).startswith("..") else clean
        folder, _, last = name.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(os.path.join(self._real, folder))
        whole = os.path.join(self._folders[folder], last)
        if last in ("", ".", "..") or os.path.islink(whole):
            whole = os.path.realpath(whole)
        if whole != self._real and not whole.startswith(self._real.rstrip("/") + "/"):
            return None
        return whole[len(self._real) :].strip("/")

    def file(self, name: str) -> Path:
        """The file of that name.

        Raises:
            InputError: it lies outside of the root.
        """
        clean = self.inside(name)
        if clean is None:
            raise InputError(f"{self.path}: {printable(name)!r} is not read, since {self.refusal(name)}.")
        if clean not in self.files:
            self.files[clean] = status(self.path / clean)
        return self.path / clean

    def refusal(self, name: str) -> str:
        """Why `inside` gives None for a name, in words."""
        name = name.replace("\\", "/")
        if "\0" in name:
            return "the path holds a NUL byte"
        if not _is_encodable(name.rpartition("/")[0]):
            return "the path holds what no file system can name"
        if _is_absolute(name):
            return "the path is absolute, and only paths below the dataset's folder are read"
        if posixpath.normpath(name).split("/")[0] == "..":
            return "the path leads out of the dataset's folder"
        return "the path leads out of the dataset's folder through a link, which needs the option follow_links"

    def is_linked(self, name: str) -> bool:
        """Whether there is such a file or folder, but only through a link that leads out of the dataset's folder."""
        return self.inside(name) is None and "follow_links" in self.refusal(name) and os.path.exists(self.path / name)

    def spelled(self, clean: str) -> str:
        """A clean name as the disk spells it, where that differs only in case or in Unicode's composed forms.

        Windows and macOS do not tell such names apart, and archives made there mix them.
        """
        folder, slash, last = clean.rpartition("/")
        if folder not in self._spellings:
            try:
                present = os.listdir(self.path / folder)
            except OSError:
                present = []
            self._spellings[folder] = frozenset(present), {_plain(name): name for name in sorted(present)}
        names, by_plain = self._spellings[folder]
        if last in names:
            return clean
        other = folder + slash + by_plain.get(_plain(last), last)
        return other if self.inside(other) == other else clean

    def is_folder(self, name: str) -> bool:
        """Whether there is such a folder, inside the root."""
        clean = self.inside(name)
        return clean is not None and os.path.isdir(self.path / clean)

    def is_file(self, name: str) -> bool:
        """Whether there is such a file, inside the root."""
        clean = self.inside(name)
        return clean is not None and os.path.isfile(self.path / clean)

    def listed(self, folder: str, suffixes: Collection[str], deep: bool = False) -> list[str]:
        """Names of the files in a folder (and those below, if `deep`) with one of these suffixes, sorted.

        Hidden files are left out (`._road1.jpg` is what macOS leaves in archives); linked folders are not entered.

        Raises:
            InputError: a folder cannot be read.
        """
        if not self.is_folder(folder):
            return []
        self.folders[folder, frozenset(suffixes), deep] = None
        names = []
        for place, folders, files in os.walk(self.path / folder, onerror=_refuse):
            folders[:] = sorted(f for f in folders if not f.startswith(HIDDEN)) if deep else []
            short = Path(place).relative_to(self.path).as_posix()
            prefix = "" if short == "." else short + "/"
            names += [prefix + f for f in files if not f.startswith(".") and suffix(f) in suffixes]
        return sorted(names)


def status(path: str | Path) -> tuple[int, int, int]:
    """Size in bytes and the times of change (contents, status) in ns of a file or folder; -1 0 0 where it is absent."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def joined(folder: str, name: str) -> str:
    """A name below a folder; an absolute one, of whatever system, stays absolute, so that `Root.inside` refuses it.

    >>> joined("images", "b/a.jpg"), joined("", "a.jpg"), joined("images", "C:/a.jpg")
    ('images/b/a.jpg', 'a.jpg', 'C:/a.jpg')
    """
    name = name.replace("\\", "/")
    return name if _is_absolute(name) or not folder else f"{folder}/{name}"


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: the folder cannot be read ({error.strerror}).") from error


def _is_encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # half a surrogate pair, as JSON can hold
        return False
    return True


def _is_absolute(name: str) -> bool:
    return name.startswith("/") or name[1:2] == ":"


def suffix(name: str) -> str:
    """The file's suffix in small letters: `.jpg` of `a/B.JPG`."""
    last = name.rpartition("/")[2]
    dot = last.rfind(".")
    return last[dot:].lower() if 0 < dot < len(last) - 1 else ""


def printable(name: str) -> str:
    """The name with question marks for what is not Unicode; a name that this changes cannot be kept in a catalog."""
    return name.encode("utf-8", "replace").decode()
