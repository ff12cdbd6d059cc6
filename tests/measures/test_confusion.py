import json
from collections import Counter

import numpy as np
import pytest

from detaug.measures.confusion import NO_THRESHOLD, best_threshold, confusion
from detaug.measures.matches import match
from detaug.measures.truth import Found, GroundTruth
from tests.measures.cases import chance, image, iou
from tests.measures.test_curves import slow_match
from tests.measures.test_precision import NAMES, nothing_found, truth_of

C = len(NAMES)


def slow(truth: GroundTruth, found: Found) -> tuple[np.ndarray, int]:
    """The matrix, a detection at a time."""
    counts: Counter[tuple[int, int]] = Counter()
    ignored = 0
    for i in range(len(truth)):
        own = range(truth.starts[i], truth.starts[i + 1])
        free = {g for g in own if not truth.crowd[g]}
        for d in sorted(range(found.starts[i], found.starts[i + 1]), key=lambda d: -found.scores[d]):
            good = [g for g in free if iou(found.boxes[d], truth.boxes[g]) >= 0.5]
            if good:
                best = max(good, key=lambda g: (iou(found.boxes[d], truth.boxes[g]), g))
                free.discard(best)
                counts[int(truth.labels[best]), int(found.labels[d])] += 1
            elif any(truth.crowd[g] and iou(found.boxes[d], truth.boxes[g], crowd=True) >= 0.5 for g in own):
                ignored += 1
            else:
                counts[C, int(found.labels[d])] += 1
        for g in free:
            counts[int(truth.labels[g]), C] += 1
    return np.array([[counts[r, c] for c in range(C + 1)] for r in range(C + 1)]), ignored


@pytest.mark.parametrize("seed", range(40))
def test_equals_a_slow_count_and_adds_up(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0, ties=seed % 3 == 0)
    above = found.above((0.0, 0.4, 0.8)[seed % 3])
    table = confusion(truth, above, C)
    expected, ignored = slow(truth, above)
    assert table.counts.tolist() == expected.tolist()
    assert table.ignored == ignored
    assert table.counts[:-1].sum(axis=1).tolist() == np.bincount(truth.labels[~truth.crowd], minlength=C).tolist()
    assert table.counts[:, :-1].sum() + table.ignored == len(above.boxes)
    assert table.counts[-1, -1] == 0
    json.dumps(table.as_json())


def test_each_kind_has_its_cell() -> None:
    one, two, three = (0.0, 0.0, 20.0, 20.0), (40.0, 40.0, 60.0, 60.0), (70.0, 70.0, 90.0, 90.0)
    nowhere = (0.0, 80.0, 10.0, 90.0)
    truth, found = image(
        [(0, one), (0, two), (1, three)], [(0, 0.9, one), (1, 0.8, two), (0, 0.7, two), (1, 0.6, nowhere)]
    )
    expected = np.zeros((3, 3), int)
    expected[0, 0] = 1  # right
    expected[0, 1] = 1  # taken for another class
    expected[1, 2] = 1  # missed
    expected[2, 0] = expected[2, 1] = 1  # the second on one box, and one on nothing
    assert confusion(truth, found, 2).counts.tolist() == expected.tolist()


@pytest.mark.parametrize("images", [0, 2])
def test_nothing_found_is_all_missed(images: int) -> None:
    truth = truth_of([3] * images, np.random.default_rng(0), crowds=False)
    table = confusion(truth, nothing_found(images), C).counts
    assert table[:, C].sum() == table.sum() == 3 * images
    assert best_threshold(match(truth, nothing_found(images), C)) == NO_THRESHOLD


def test_nothing_there_is_all_background() -> None:
    truth, found = image([], [(1, 0.5, (0.0, 0.0, 9.0, 9.0))])
    assert confusion(truth, found, 2).counts.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert best_threshold(match(truth, found, 2)) == NO_THRESHOLD


@pytest.mark.parametrize("seed", range(40))
def test_no_other_threshold_has_a_better_f1(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0, ties=seed % 3 == 0)

    def f1(threshold: float) -> float:
        kept = found.above(threshold)
        matched, ignored = slow_match(truth, kept, 0.5)
        right = sum(m >= 0 for m in matched)
        return 2 * right / max(1, len(matched) - sum(ignored) + int((~truth.crowd).sum()))

    scores = [float(s) for s in np.unique(found.scores)]
    best = max(map(f1, scores))
    chosen = best_threshold(match(truth, found, C))
    assert f1(chosen) == pytest.approx(best, abs=1e-12)
    assert chosen == max(s for s in scores if f1(s) >= best - 1e-12)
