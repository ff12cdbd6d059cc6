"""From what a format says to a checked catalog: the part that all readers share."""

from array import array
from collections.abc import Iterable, Sequence
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detaug.classes import ClassTable, names_in_table
from detaug.errors import Finding, InputError
from detaug.readers.catalog import Catalog, Flag, Split, pack_names
from detaug.readers.findings import MOST_FINDINGS, bounded, shown
from detaug.readers.image import ImageError
from detaug.readers.root import Root, printable
from detaug.readers.screen import GOOD, Fault, screen
from detaug.readers.sizes import Size, headers, reached, usable
from detaug.readers.split import groups_by_runs

_NO_FLAG = Flag(0)
_INT64 = 2**63


class Builder:
    """Collects the images and boxes that a dataset names, as flat arrays, and checks them all at the end.

    Attributes:
        root: the dataset's folder.
        unit: what `place` counts in this format: `object`, `line` or `annotation`.
        normalised: boxes are x1 y1 x2 y2 as shares of the image's width and height.
        assumed: height and width that images have in this format where no file and no annotation says it.
    """

    def __init__(
        self, root: Root, unit: str, normalised: bool = False, assumed: tuple[int, int] = (1024, 1024)
    ) -> None:
        self.root, self.unit, self.normalised, self.assumed = root, unit, normalised, assumed
        self._names: list[str] = []
        self._splits = bytearray()
        self._ids: list[int] = []
        self._stated: list[Size | None] = []
        self._groups: list[str | None] = []
        self._faults: dict[int, tuple[str, str, str]] = {}
        self._rows: dict[str, int] = {}
        self._classes: dict[str | int, int] = {}
        self._boxes, self._owners = array("d"), array("q")
        self._labels, self._places, self._flags = array("q"), array("q"), bytearray()
        self._said: dict[int, str] = {}
        self._findings: list[Finding] = []
        self._unread_images = self._unread_boxes = 0

    def add_image(
        self,
        name: str,
        split: Split,
        image_id: object = None,
        stated: tuple[object, object] | None = None,
        group: str | None = None,
    ) -> int:
        """Take up an image by the name that the dataset gives it, relative to the root.

        Args:
            name: a path below the root; one that leads out of it loses the image.
            split: the part it belongs to.
            image_id: the dataset's own id; anything but a whole number gives the row.
            stated: height and width as they stand in the annotation, compared with the file's header.
            group: what the images of one place share, such as their track; None where only the name can tell.

        Returns:
            The row for `add_box` and `spoil`.
        """
        row = len(self._names)
        clean = self.root.inside(name)
        if clean is not None and (spelled := self.root.spelled(clean)) != clean:
            self.note("renamed-image", printable(clean), f"it is missing, {printable(spelled)} is used")
            clean = spelled
        shown_name = printable(clean or name.replace("\\", "/"))
        self._names.append(shown_name)
        self._splits.append(split)
        whole = isinstance(image_id, int) and -_INT64 <= image_id < _INT64
        self._ids.append(image_id if whole and isinstance(image_id, int) else row)
        size = None if stated is None else usable(*stated)
        if stated is not None and size is None and any(side not in (None, "") for side in stated):
            self.note("bad-size", shown_name, f"the annotation says {shown(stated[1])} x {shown(stated[0])}")
        self._stated.append(size)
        self._groups.append(group)
        if clean is None:
            self.spoil(row, "path-outside", self.root.refusal(name))
        elif clean != shown_name:
            self.spoil(row, "unreadable-name", "the file's name is not UTF-8")
        elif shown_name in self._rows:
            self.spoil(row, "doubled-image", "the image is named twice; the first is used")
        self._rows.setdefault(shown_name, row)
        return row

    def spoil(self, row: int, kind: str, value: str, file: str = "") -> None:
        """Lose an image, with its boxes, for a reason found while reading; `file` is at fault, or else the image."""
        self._faults.setdefault(row, (kind, value, printable(file) or self._names[row]))

    def add_box(
        self,
        row: int,
        label: str | int,
        box: Sequence[float],
        place: int,
        flags: Flag = _NO_FLAG,
        *,
        said: object = None,
    ) -> None:
        """Take up a box of image `row`.

        Args:
            row: what `add_image` returned.
            label: the class name; a number where the dataset has no name for it, or nothing, which loses the box.
            box: x1 y1 x2 y2 in pixels or, if `normalised`, in shares; NaN for what is no number.
            place: the line or the number of the object, for findings.
            flags: what the annotation says beside the class.
            said: what stands in the annotation, shown where `box` has what is no number.
        """
        if isnan(sum(box)) and len(self._said) < MOST_FINDINGS:
            self._said[len(self._owners)] = shown(said)
        self._owners.append(row)
        self._labels.append(self._classes.setdefault(label, len(self._classes)))
        self._boxes.extend(box)
        self._places.append(place)
        self._flags.append(flags)

    def note(self, kind: str, file: str, value: str, images: int = 0, boxes: int = 0) -> None:
        """Report a fault, with the images and boxes that it keeps from being taken up at all."""
        self._findings.append(Finding(kind, file, value, boxes_lost=boxes, images_lost=images))
        self._unread_images += images
        self._unread_boxes += boxes

    def names_seen(self) -> list[str]:
        """The class names of the boxes so far, sorted."""
        return sorted(name for name in self._classes if isinstance(name, str) and name)

    def has_image(self, name: str) -> bool:
        """Whether an image of this clean name was taken up."""
        return name in self._rows

    def note_unnamed(self, names: Iterable[str]) -> None:
        """Report image files that lie in the dataset and that no annotation names, once per folder."""
        folders: dict[str, list[str]] = {}
        for name in names:
            if not self.has_image(self.root.inside(name) or name):
                folders.setdefault(name.rpartition("/")[0], []).append(printable(name))
        for folder, left in folders.items():
            few = f"no annotation names {len(left)} of its images, the first is {left[0]}"
            self.note("unannotated-image", folder or ".", few, images=len(left))

    def catalog(self, names: Sequence[str], table: str | Path | None = None) -> Catalog:
        """Check everything and hand over the catalog.

        Args:
            names: the class names in label order.
            table: a class table's file; classes that it lacks are then unknown, and their boxes lost.

        Raises:
            InputError: no image can be used, or the table cannot.
        """
        classes = _table(names, table)
        sizes, has_images = self._sizes()
        good = np.ones(len(sizes), bool)
        good[list(self._faults)] = False
        owners = np.frombuffer(self._owners, np.int64)
        counts = np.bincount(owners, minlength=len(sizes))
        for row, (kind, value, file) in sorted(self._faults.items()):
            self._findings.append(Finding(kind, file, value, boxes_lost=int(counts[row]), images_lost=1))
        if not good.any():
            first = f"; the first fault: {self._findings[0]}" if self._findings else ""
            raise InputError(f"{self.root.path}: none of {len(sizes)} images can be used{first}.")
        boxes, labels, kept = self._screened(classes, sizes, owners, good)
        order = kept[np.argsort(owners[kept], kind="stable")]
        rows = np.flatnonzero(good)
        starts = np.concatenate([[0], np.cumsum(np.bincount(owners[kept], minlength=len(sizes))[rows])])
        image_names = [self._names[row] for row in rows]
        text, ends = pack_names(image_names)
        return Catalog(
            root=self.root.path,
            classes=classes,
            text=text,
            ends=ends,
            sizes=sizes[rows],
            starts=starts.astype(np.int64),
            boxes=boxes[order].astype(np.float32),
            labels=labels[order].astype(np.int32),
            flags=np.frombuffer(bytes(self._flags), np.uint8)[order],
            ids=np.array(self._ids, np.int64)[rows],
            splits=np.frombuffer(bytes(self._splits), np.uint8)[rows],
            groups=_grouped(image_names, [self._groups[row] for row in rows]),
            findings=bounded(self._findings),
            has_images=has_images,
            images_in=len(sizes) + self._unread_images,
            boxes_in=len(owners) + self._unread_boxes,
        )

    def _sizes(self) -> tuple[NDArray[np.int32], bool]:
        """(M, 2) from the headers, and whether there are image files at all; images that cannot be used are spoilt."""
        sizes = np.zeros((len(self._names), 2), np.int32)
        rows = [row for row in range(len(self._names)) if row not in self._faults]
        heads = headers([self.root.path / self._names[row] for row in rows])
        if rows and all(isinstance(head, ImageError) and head.kind == "missing-image" for head in heads):
            return self._sizes_without_images(sizes, rows), False
        for row, head in zip(rows, heads, strict=True):
            if isinstance(head, ImageError):
                self.spoil(row, head.kind, head.fault)
                continue
            sizes[row] = head
            stated = self._stated[row]
            if stated is not None and stated != head:
                value = f"the annotation says {stated[1]} x {stated[0]}, the upright image is {head[1]} x {head[0]}"
                self._findings.append(Finding("size-mismatch", self._names[row], value))
        return sizes, True

    def _sizes_without_images(self, sizes: NDArray[np.int32], rows: list[int]) -> NDArray[np.int32]:
        """The sizes that the annotations state; where they are silent, the format's own, or more if boxes need it."""
        first = self._names[rows[0]]
        value = f"none of the {len(rows)} image files is here, the first is {first}; planning works, drawing does not"
        self._findings.append(Finding("no-images", ".", value))
        silent = [row for row in rows if self._stated[row] is None]
        for row in rows:
            sizes[row] = self._stated[row] or self.assumed
        if silent:
            value = f"no file says the size of {len(silent)} images; {self.assumed[1]} x {self.assumed[0]} is assumed"
            self._findings.append(Finding("assumed-size", self._names[silent[0]], value))
        if silent and not self.normalised:
            corners = np.frombuffer(self._boxes, np.float64).reshape(-1, 4)[:, 2:]
            reach = reached(corners, np.frombuffer(self._owners, np.int64), len(self._names))
            sizes[silent] = np.maximum(sizes[silent], reach[silent])
        return sizes

    def _screened(
        self, classes: ClassTable, sizes: NDArray[np.int32], owners: NDArray[np.int64], good: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Boxes (N, 4) cut to their images, labels (N,) and the indices of those kept; the rest is reported."""
        index = {name: i for i, name in enumerate(classes.names)}
        seen = list(self._classes)
        to_class = np.array([index.get(name, -1) if isinstance(name, str) else -1 for name in seen], np.int64)
        labels = to_class[np.frombuffer(self._labels, np.int64)]
        raw = np.frombuffer(self._boxes, np.float64).reshape(-1, 4)
        if self.normalised:
            with np.errstate(over="ignore", invalid="ignore"):
                raw = raw * sizes[owners][:, [1, 0, 1, 0]]
        boxes, faults = screen(raw, sizes[owners], owners, labels)
        for i in np.flatnonzero((faults != GOOD) & good[owners]):
            fault = Fault(faults[i])
            label = seen[self._labels[i]]
            called = (label or "without a name") if isinstance(label, str) else f"number {label}"
            corners = self._said.get(int(i)) or " ".join(f"{value:.6g}" for value in raw[i])
            value = f"{self.unit} {self._places[i]}: class {called}, box {corners}"
            lost = int(fault is not Fault.CLIPPED_BOX)
            self._findings.append(Finding(fault.kind, self._names[owners[i]], value, boxes_lost=lost))
        kept = np.flatnonzero(((faults == GOOD) | (faults == Fault.CLIPPED_BOX)) & good[owners])
        return boxes, labels, kept


def _grouped(names: Sequence[str], stated: Sequence[str | None]) -> NDArray[np.int32]:
    """(M,) groups: the stated ones, and those that the names suggest where none is stated."""
    runs = groups_by_runs(names)
    seen: dict[int | str, int] = {}
    keys = (int(run) if group is None else group for run, group in zip(runs, stated, strict=True))
    return np.array([seen.setdefault(key, len(seen)) for key in keys], np.int32).reshape(len(names))


def _table(names: Sequence[str], table: str | Path | None) -> ClassTable:
    if table is None:
        return ClassTable.known(names)
    kept = names_in_table(table, names)
    if names and not kept:
        raise InputError(f"{table}: the class table has none of the dataset's classes, such as {names[0]!r}.")
    return ClassTable.from_yaml(table, kept)
