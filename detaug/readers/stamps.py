"""What a catalog was read from, so that a saved one is known to be still right."""

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.errors import Finding
from detaug.readers.arrays import DIGEST, Arrays
from detaug.readers.root import Root, status

RACY = 2_000_000_000  # ns; what changed so shortly before it was stamped may change again without a new time
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Tree:
    """The folders of a dataset, hidden ones left out.

    Attributes:
        starts: the folders to walk from: the root, and what lies behind links if these are followed.
        folders: D names of all folders below, relative to the root.
        times: (D, 2) int64, when each changed (contents and status), ns.
        digest: of all names in them, with where links lead.
    """

    starts: tuple[str, ...]
    folders: tuple[str, ...]
    times: NDArray[np.int64]
    digest: str

    @classmethod
    def of(cls, root: Root) -> "Tree":
        """The tree as it is now; to be taken before reading begins and once more afterwards."""
        behind = set()
        if root.follow_links:
            behind = {folder for folder, _, _ in root.folders} | {name.rpartition("/")[0] for name in root.files}
        return cls.walked(root, ("", *sorted(behind - {""})))

    @classmethod
    def walked(cls, root: Root, starts: tuple[str, ...]) -> "Tree":
        """The tree below these folders."""
        found = hashlib.blake2b(digest_size=DIGEST)
        waiting, folders = list(reversed(starts)), dict[str, None]()
        while waiting:
            folder = waiting.pop()
            if folder in folders:
                continue
            folders[folder] = None
            inner, lines = _listing(root, folder)
            found.update("\0".join([folder, *lines, ""]).encode("utf-8", "surrogatepass") + b"\0")
            waiting += reversed(inner)
        return cls(starts, tuple(folders), _times(root, folders), found.hexdigest())

    def renewed(self, root: Root) -> "Tree | None":
        """This tree, or one of the same names with today's times; None where a name was added, removed or relinked."""
        if np.array_equal(_times(root, self.folders), self.times):
            return self
        now = Tree.walked(root, self.starts)
        return now if now.digest == self.digest else None


@dataclass(frozen=True, slots=True)
class Stamps:
    """The state of the files that a catalog was read from.

    Attributes:
        tree: the folders.
        files: names of the annotation files, then of the image files that have findings.
        annotations: how many of them are annotation files.
        states: (F, 3) int64, size in bytes and the times of change (contents, status) in ns; -1 0 0 is absent.
        digests: (F, 16) uint8, of the content; 0 where it is not known: for images, and files that cannot be read.
    """

    tree: Tree
    files: tuple[str, ...]
    annotations: int
    states: NDArray[np.int64]
    digests: NDArray[np.uint8]

    @classmethod
    def of(cls, root: Root, before: Tree, findings: Sequence[Finding]) -> "Stamps | None":
        """The stamps of what was just read through `root`; None where something changed since `before`.

        Args:
            root: what the readers asked for their files.
            before: the tree as it was before they did.
            findings: their files are stamped too, so that a mended image is seen.
        """
        tree = Tree.of(root)
        if (Tree.walked(root, before.starts) if tree.starts != before.starts else tree).digest != before.digest:
            return None
        states = _states(root, root.files)
        if states.tolist() != [list(state) for state in root.files.values()]:
            return None
        named = {root.inside(file) for file in {finding.file for finding in findings}} - {None, "", *root.files}
        images = sorted(name for name in named if name and os.path.isfile(root.path / name))
        digests = np.zeros((len(root.files) + len(images), DIGEST), np.uint8)
        digests[: len(root.files)] = _digests(root, list(root.files))
        files = (*root.files, *images)
        return cls(tree, files, len(root.files), np.concatenate([states, _states(root, images)]), digests)

    def renewed(self, root: Root) -> "Stamps | None":
        """These stamps, or ones with today's times where only times changed; None where the catalog is out of date."""
        tree = self.tree.renewed(root)
        if tree is None:
            return None
        states = _states(root, self.files)
        changed = np.flatnonzero((states != self.states).any(1))
        if (states[changed, 0] != self.states[changed, 0]).any() or (changed >= self.annotations).any():
            return None
        if len(changed):
            digests = _digests(root, [self.files[i] for i in changed])
            if not (digests.any(1) & (digests == self.digests[changed]).all(1)).all():
                return None
        return self if tree is self.tree and not len(changed) else replace(self, tree=tree, states=states)

    def settled(self, now: int) -> "Stamps":
        """The stamps as they are to be kept: times that are too fresh become 0, so that contents are compared.

        Args:
            now: the file system's own clock, ns.
        """
        fresh = _fresh(self.states[:, 1:], now)
        fresh[self.annotations :] = False
        states = self.states.copy()
        states[fresh, 1:] = 0
        times = np.where(_fresh(self.tree.times, now)[:, None], 0, self.tree.times)
        return replace(self, states=states, tree=replace(self.tree, times=times))

    def packed(self) -> tuple[dict[str, Any], Arrays]:
        """Header and arrays of a file that holds the stamps."""
        header = {"tree": self.tree.digest, "starts": self.tree.starts, "annotations": self.annotations}
        arrays: Arrays = {
            "folders": _joined(self.tree.folders),
            "times": self.tree.times,
            "files": _joined(self.files),
            "states": self.states,
            "digests": self.digests,
        }
        return header, arrays

    @classmethod
    def unpacked(cls, header: dict[str, Any], arrays: Arrays) -> "Stamps":
        """What `packed` gave.

        Raises:
            ValueError, TypeError, LookupError: the header or the arrays are not like that.
        """
        folders, files = _divided(arrays["folders"]), _divided(arrays["files"])
        starts = tuple(str(name) for name in header["starts"])
        times, states, digests = arrays["times"], arrays["states"], arrays["digests"]
        shapes = times.shape, states.shape, digests.shape
        if shapes != ((len(folders), 2), (len(files), 3), (len(files), DIGEST)):
            raise ValueError("the stamps do not fit together")
        if any(name.startswith("/") or ".." in name.split("/") for name in (*starts, *folders, *files)):
            raise ValueError("a stamped file lies outside of the dataset's folder")
        return cls(Tree(starts, folders, times, header["tree"]), files, int(header["annotations"]), states, digests)


def _listing(root: Root, folder: str) -> tuple[list[str], list[str]]:
    """A folder's inner folders, and a line for each of its entries; hidden ones are left out."""
    inner, lines = [], []
    try:
        with os.scandir(root.path / folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    lines.append(f"{entry.name}\0{os.readlink(entry.path)}")
                elif entry.is_dir(follow_symlinks=False):
                    inner.append(f"{folder}/{entry.name}" if folder else entry.name)
                else:
                    lines.append(entry.name)
    except OSError as error:
        return [], [f"\0{error.errno}"]
    return sorted(inner), sorted(lines)


def _states(root: Root, names: Iterable[str]) -> NDArray[np.int64]:
    base = f"{root.path}/"
    return np.array([status(base + name) for name in names], np.int64).reshape(-1, 3)


def _times(root: Root, folders: Iterable[str]) -> NDArray[np.int64]:
    return _states(root, folders)[:, 1:]


def _fresh(times: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
    """(F,) whether one of the times is within `RACY` of now; files from the future are as good as old ones."""
    return np.asarray((np.abs(times - now) < RACY).any(1))


def _digests(root: Root, names: Sequence[str]) -> NDArray[np.uint8]:
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda name: _digest(f"{root.path}/{name}"), names, chunksize=64))
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, DIGEST)


def _digest(path: str) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST)).digest()
    except OSError:
        pass
    return bytes(DIGEST)


def _joined(names: Iterable[str]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(os.fsencode(name) + b"\0" for name in names), np.uint8)


def _divided(text: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(os.fsdecode(bytes(text)).split("\0")[:-1])
