"""What `check` found: as text for people and as JSON for programs."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from detaug.errors import Finding

WIDTH = 80  # columns of the text's tables
_SHOWN = 20  # findings of one kind in the text
_NAME = 30  # letters of a class name in the text
_LEAST_BAR = 10  # columns
_DAMAGES = ("truncated-image", "damaged-image", "unreadable-image", "too-large-image", "missing-image")
_LEAKS = ("leaked-image", "near-duplicate", "leaking-group")
_WRONG = ("conflicting-boxes", "similar-class")
_NOTES = ("rare-class", "untrained-class", "small-box")


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
        without_boxes: images per split that have no box.
        classes: boxes per split and class; every class is in every split.
        sides: boxes by their shorter side in pixels.
        pixels: whether the images were decoded and compared; if not, why.
        findings: all faults, what loses data or leaks first.
    """

    root: str
    format: str
    reason: str
    images: int
    boxes: int
    images_in: int
    boxes_in: int
    splits: dict[str, int]
    without_boxes: dict[str, int]
    classes: dict[str, dict[str, int]]
    sides: dict[str, int]
    pixels: str
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 without findings, 1 with."""
        return 1 if self.findings else 0

    def json(self) -> str:
        """The report as a JSON object, with the attributes' names as keys."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def text(self) -> str:
        """The report for people: counts, bars, findings by kind."""
        lines = [
            f"{self.root}: {self.format} ({self.reason})",
            f"{self.images} of {self.images_in} images and {self.boxes} of {self.boxes_in} boxes can be used",
            f"pixels: {self.pixels}",
            "",
            *self._table(),
            "",
            *_bars({"shorter side, pixels": ["boxes"]}, {name: [count] for name, count in self.sides.items()}),
            "",
        ]
        kinds = Counter(finding.kind for finding in self.findings)
        for kind, count in kinds.items():
            lines.append(f"{kind}: {count}")
            alike = [finding for finding in self.findings if finding.kind == kind]
            lines += [f"  {finding.file}: {finding.value}" for finding in alike[:_SHOWN]]
            if count > _SHOWN:
                lines.append(f"  and {count - _SHOWN} more; --json has all")
        return "\n".join(lines if kinds else [*lines, "no findings"])

    def _table(self) -> list[str]:
        counts = {"images": list(self.splits.values()), "  without a box": list(self.without_boxes.values())}
        names = next(iter(self.classes.values()), {})
        boxes = {name: [split[name] for split in self.classes.values()] for name in names}
        return _bars({"": list(self.splits)}, boxes, counts)


def _bars(
    head: dict[str, list[str]], rows: dict[str, list[int]], above: dict[str, list[int]] | None = None
) -> list[str]:
    """A table with a bar for the sum of each row; `above` are rows without one."""
    above = above or {}
    ((title, columns),) = head.items()
    wide = max(len(_short(name)) for name in (title, *rows, *above))
    cells = max(9, *(len(str(count)) + 2 for counts in (*rows.values(), *above.values()) for count in counts), 0)
    room = max(_LEAST_BAR, WIDTH - wide - cells * len(columns) - 2)
    most = max((sum(counts) for counts in rows.values()), default=0)
    lines = [f"{title:<{wide}}" + "".join(f"{column:>{cells}}" for column in columns)]
    for name, counts in (*above.items(), *rows.items()):
        bar = "" if name in above else "#" * -(-sum(counts) * room // max(most, 1))
        line = f"{_short(name):<{wide}}" + "".join(f"{count:>{cells}}" for count in counts) + f"  {bar}"
        lines.append(line.rstrip())
    return lines


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 3] + "..."


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by kind: first the kinds that lose images, then boxes, then leaks; the larger of equal kinds first."""
    findings = list(findings)
    counts = Counter(finding.kind for finding in findings)
    ranks = {kind: min(_rank(f) for f in findings if f.kind == kind) for kind in counts}
    return tuple(sorted(findings, key=lambda f: (ranks[f.kind], -counts[f.kind], f.kind)))


def _rank(finding: Finding) -> int:
    ranks = (
        finding.images_lost or finding.kind in _DAMAGES,
        finding.boxes_lost,
        finding.kind in _LEAKS,
        finding.kind in _WRONG,
        finding.kind not in _NOTES,
        True,
    )
    return next(rank for rank, holds in enumerate(ranks) if holds)
