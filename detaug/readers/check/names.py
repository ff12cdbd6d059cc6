"""Class names that are probably one: they differ in case, spacing or punctuation, or by a slip of one letter."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from detaug.errors import Finding

FEW = 10  # boxes; a name with fewer may be a slip
_LETTERS = 5  # in a word; shorter ones are one letter from many others
_SEPARATOR = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")
_WORD = re.compile(r"[^\W\d_]+")


def similar_names(names: Sequence[str], counts: Sequence[int]) -> list[Finding]:
    """Pairs of class names that are probably one, each with its boxes.

    Names that differ in case, spacing or punctuation are always told of; those that differ by one letter only where
    one has fewer than `FEW` boxes and the other has not. Digits never count as slips, nor does what stands between
    two: speed_30 and speed_80, pl40 and pm40, 3.5 and 35 are different signs.

    Args:
        names: C class names.
        counts: (C,) boxes of each.
    """
    findings = []
    for one, other in _candidates(names):
        frequent, rare = (one, other) if counts[one] >= counts[other] else (other, one)
        alike = plain(names[one]) == plain(names[other])
        if alike or (counts[rare] < FEW <= counts[frequent] and is_slip(names[rare], names[frequent])):
            how = "but for case, spacing or punctuation" if alike else "but for one letter"
            value = f"{names[rare]!r} ({counts[rare]} boxes) is {names[frequent]!r} ({counts[frequent]} boxes) {how}"
            findings.append(Finding("similar-class", names[rare], value))
    return findings


def plain(name: str) -> str:
    """The name without case, spacing and punctuation, but for what stands between digits.

    >>> plain("Traffic_Light"), plain("traffic light"), plain("Weight 3.5t"), plain("weight-3.5 T")
    ('trafficlight', 'trafficlight', 'weight3.5t', 'weight3.5t')
    """
    return _SEPARATOR.sub("", unicodedata.normalize("NFKC", name).casefold())


def is_slip(rare: str, frequent: str) -> bool:
    """Whether one letter within a word of five or more is left out, added, wrong or swapped with the next.

    A wrong last letter is no slip: names that count (laneA, laneB) end so.

    >>> is_slip("pedestrain crossing", "pedestrian crossing"), is_slip("yeild", "yield"), is_slip("signals", "signal")
    (True, True, True)
    >>> is_slip("speed_30", "speed_80"), is_slip("laneA", "laneB"), is_slip("pl40", "pm40"), is_slip("left", "lift")
    (False, False, False, False)
    """
    a, b = rare.casefold(), frequent.casefold()
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    changed, into = a[start : len(a) - end], b[start : len(b) - end]
    one = len(changed) <= 1 and len(into) <= 1 and a != b
    swapped = len(changed) == len(into) == 2 and changed == into[::-1]
    if not (one or swapped) or not all(letter.isalpha() for letter in changed + into):
        return False
    if changed and into and one and not b[start + 1 : start + 2].isalpha():
        return False
    return any(word.start() <= start <= word.end() and len(word[0]) >= _LETTERS for word in _WORD.finditer(b))


def _candidates(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs that share their plain form or what is left of it without one letter: all of one slip, few others."""
    buckets: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        form = plain(name)
        for key in {form, *(form[:i] + form[i + 1 :] for i in range(len(form)) if form[i].isalpha())}:
            buckets[key].append(index)
    return sorted({(a, b) for bucket in buckets.values() for k, a in enumerate(bucket) for b in bucket[k + 1 :]})
