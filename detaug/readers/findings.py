"""Findings in bounded number, and bad values as they are shown in them."""

import reprlib
from collections.abc import Sequence

from detaug.errors import Finding, InputError

MOST_FINDINGS = 10_000  # of a kind; a million equal faults help nobody


def bounded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, at most `MOST_FINDINGS` of a kind; what is beyond is one more that has their number and losses."""
    kept: list[Finding] = []
    beyond: dict[str, list[Finding]] = {}
    seen: dict[str, int] = {}
    for finding in findings:
        seen[finding.kind] = seen.get(finding.kind, 0) + 1
        if seen[finding.kind] <= MOST_FINDINGS:
            kept.append(finding)
        else:
            beyond.setdefault(finding.kind, []).append(finding)
    for kind, rest in beyond.items():
        lost = sum(f.boxes_lost for f in rest), sum(f.images_lost for f in rest)
        kept.append(Finding(kind, rest[0].file, f"and {len(rest)} more of this kind, beginning here", *lost))
    return tuple(kept)


def shown(value: object) -> str:
    """What stands in a file in place of something usable, in Python's form and shortened where it is long.

    >>> shown(["1", "abc"]), shown({"x": None})
    ("['1', 'abc']", "{'x': None}")
    """
    return _SHORT.repr(value)


def reason(error: InputError) -> str:
    """An error's sentence without the file that it begins with, for a finding of that file.

    >>> reason(InputError("a/b.xml: there is no such file."))
    'there is no such file'
    """
    return str(error).partition(": ")[2].removesuffix(".") or str(error)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = _SHORT.maxdict = 8
