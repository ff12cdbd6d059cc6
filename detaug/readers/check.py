"""What is wrong with a dataset, before anything is trained on it."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from detaug.errors import Finding
from detaug.readers.catalog import Catalog, Split
from detaug.readers.read import detect, read
from detaug.readers.root import Root

FEW = 10  # training boxes; with fewer a class is hardly learnt and its AP says little
_SHOWN = 20  # findings of one kind in the text


@dataclass(frozen=True, slots=True)
class Report:
    """A dataset's counts and faults.

    Attributes:
        root: its folder.
        format: the reader that was used.
        reason: why that one.
        images, boxes: what can be used.
        images_in, boxes_in: what the files name.
        splits: images per split.
        classes: boxes per split and class; every class is in every split.
        findings: all faults, those of the reader first.
    """

    root: str
    format: str
    reason: str
    images: int
    boxes: int
    images_in: int
    boxes_in: int
    splits: dict[str, int]
    classes: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 without findings, 1 with."""
        return 1 if self.findings else 0

    def json(self) -> str:
        """The report as a JSON object, with the attributes' names as keys."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def text(self) -> str:
        """The report for people: counts, a table of classes, findings by kind."""
        lines = [f"{self.root}: {self.format} ({self.reason})"]
        lines.append(f"{self.images} of {self.images_in} images and {self.boxes} of {self.boxes_in} boxes can be used")
        lines += ["", *self._table(), ""]
        kinds = Counter(finding.kind for finding in self.findings)
        for kind, count in kinds.most_common():
            lines.append(f"{kind}: {count}")
            alike = [finding for finding in self.findings if finding.kind == kind]
            lines += [f"  {finding.file}: {finding.value}" for finding in alike[:_SHOWN]]
            if count > _SHOWN:
                lines.append(f"  and {count - _SHOWN} more")
        return "\n".join(lines if kinds else [*lines, "no findings"])

    def _table(self) -> list[str]:
        names = list(next(iter(self.classes.values()), {}))
        wide = max([len(name) for name in [*names, "images"]])
        head = " " * wide + "".join(f"{split:>9}" for split in self.splits)
        rows = [f"{'images':<{wide}}" + "".join(f"{count:>9}" for count in self.splits.values())]
        for name in names:
            rows.append(f"{name:<{wide}}" + "".join(f"{counts[name]:>9}" for counts in self.classes.values()))
        return [head, *rows]


def check(
    root: str | Path, format: str = "auto", classes: str | Path | None = None, *, follow_links: bool = False
) -> Report:
    """Read a dataset and report what was found.

    Args:
        root: its folder.
        format: as for `detaug.readers.read.read`.
        classes: a class table's file, or None.
        follow_links: also read what links lead to outside of the folder.

    Raises:
        InputError: the dataset cannot be read at all.
    """
    reason = "as told"
    if format == "auto":
        format, reason = detect(Root(root, follow_links))
    catalog = read(root, format, classes, follow_links=follow_links)
    present = [split for split in Split if (catalog.splits == split).any()]
    per_split = {split: catalog.take(np.flatnonzero(catalog.splits == split)) for split in present}
    names = catalog.classes.names
    return Report(
        root=str(root),
        format=format,
        reason=reason,
        images=len(catalog),
        boxes=len(catalog.boxes),
        images_in=catalog.images_in,
        boxes_in=catalog.boxes_in,
        splits={split.name.lower(): len(part) for split, part in per_split.items()},
        classes={
            split.name.lower(): dict(zip(names, part.class_counts().tolist(), strict=True))
            for split, part in per_split.items()
        },
        findings=catalog.findings + rare_classes(catalog),
    )


def rare_classes(catalog: Catalog) -> tuple[Finding, ...]:
    """Classes with too few training boxes; without a training split all images count."""
    training = catalog.splits == Split.TRAIN
    used = (training if training.any() else ~training)[catalog.images_of_boxes()]
    counts = np.bincount(catalog.labels[used], minlength=len(catalog.classes))
    findings = []
    for name, count in zip(catalog.classes.names, counts.tolist(), strict=True):
        if count == 0:
            findings.append(Finding("untrained-class", name, "no training image shows this class"))
        elif count < FEW:
            findings.append(Finding("rare-class", name, f"only {count} training boxes, fewer than {FEW}"))
    return tuple(findings)
