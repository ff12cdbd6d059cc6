"""Frames that tables name: where they lie, and which belong together."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from detaug.readers.root import Root, joined


class Finder:
    """Where the images lie that the rows of tables name.

    Args:
        root: the dataset's folder.
        images: names of all its images, relative to it.

    Attributes:
        ambiguous: images with a name that more than one has, none of which is nearer to the table than the others.
    """

    def __init__(self, root: Root, images: Sequence[str]) -> None:
        self.ambiguous: set[str] = set()
        self._root = root
        self._present = set(images)
        self._by_last: dict[str, list[str]] = {}
        for name in images:
            self._by_last.setdefault(name.rpartition("/")[2], []).append(name)
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def find(self, table: str, image: str) -> tuple[str, str]:
        """The image that a table names, relative to the root, and what forbids to use it, an empty string if nothing.

        It is looked for relative to the table's folder, to the root, and then by the last part of its name: of several
        the one that shares most folders with the table.
        """
        key = table.rpartition("/")[0], image
        if key not in self._known:
            self._known[key] = self._search(*key)
        return self._known[key]

    def _search(self, folder: str, image: str) -> tuple[str, str]:
        beside = joined(folder, image)
        for name in (beside, image):
            clean = self._root.inside(name)
            if clean is None:
                return name, ""  # the builder refuses it and says why
            if clean in self._present:
                return clean, ""
        alike = self._by_last.get(PurePosixPath(beside).name, [])
        shared = [len(set(PurePosixPath(folder).parts) & set(PurePosixPath(name).parts)) for name in alike]
        best = [name for name, count in zip(alike, shared, strict=True) if count == max(shared)]
        if len(best) == 1:
            return best[0], ""
        self.ambiguous.update(best)
        return beside, f"{len(best)} images have this name, such as {best[0]} and {best[1]}" if best else ""


def shared_groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One key for all images that a chain of shared tracks connects.

    Args:
        pairs: image and track; an empty track says nothing.

    >>> shared_groups([("a", "1"), ("b", "1"), ("b", "2"), ("c", "2"), ("d", "3"), ("e", "")])
    {'a': '1', 'b': '1', 'c': '1', 'd': '3'}
    """
    above: dict[str, str] = {}
    first: dict[str, str] = {}

    def top(track: str) -> str:
        while above[track] != track:
            above[track] = track = above[above[track]]
        return track

    for image, track in pairs:
        if track:
            above.setdefault(track, track)
            above[top(track)] = top(first.setdefault(image, track))
    return {image: top(track) for image, track in first.items()}
