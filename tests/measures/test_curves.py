import json
import math

import numpy as np
import pytest

from detaug.measures.curves import RECALLS, average_precision, curves
from detaug.measures.matches import THRESHOLDS, match
from detaug.measures.precision import score
from detaug.measures.truth import Found, GroundTruth
from tests.measures.cases import chance, image, iou
from tests.measures.test_precision import NAMES, nothing_found, truth_of


def slow_match(truth: GroundTruth, found: Found, threshold: float) -> tuple[list[int], list[bool]]:
    """COCO's rule, a box at a time: what each detection found, and whether it is ignored."""
    matched, ignored = [-1] * len(found.boxes), [False] * len(found.boxes)
    for i in range(len(truth)):
        own = range(truth.starts[i], truth.starts[i + 1])
        free = {g for g in own if not truth.crowd[g]}
        for d in sorted(range(found.starts[i], found.starts[i + 1]), key=lambda d: -found.scores[d]):
            same = [g for g in own if truth.labels[g] == found.labels[d]]
            over = {g: iou(found.boxes[d], truth.boxes[g], bool(truth.crowd[g])) for g in same}
            good = [g for g in same if g in free and over[g] >= threshold]
            if good:
                matched[d] = max(good, key=lambda g: (over[g], g))
                free.discard(matched[d])
            else:
                ignored[d] = any(truth.crowd[g] and over[g] >= threshold for g in same)
    return matched, ignored


@pytest.mark.parametrize("seed", range(30))
def test_matches_are_what_the_rule_gives(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0, ties=seed % 3 == 0)
    matches = match(truth, found, len(NAMES))
    assert matches.entry.tolist() == list(range(len(found.boxes)))
    for t, threshold in enumerate(THRESHOLDS):
        matched, ignored = slow_match(truth, found, float(threshold))
        assert np.where(matches.ignored[:, t], -1, matches.matched[:, t]).tolist() == matched
        assert matches.ignored[:, t].tolist() == ignored


@pytest.mark.parametrize("seed", range(40))
def test_the_mean_of_a_curve_is_ap50(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0, ties=seed % 3 == 0)
    metrics = score(truth, found, NAMES)
    for name, curve in zip(NAMES, curves(match(truth, found, len(NAMES))), strict=True):
        expected = metrics.classes[name].ap50
        assert curve.boxes == metrics.classes[name].boxes
        assert math.isnan(expected) is math.isnan(curve.ap50)
        assert math.isnan(expected) or abs(curve.ap50 - expected) <= 1e-12


def test_only_the_best_hundred_of_an_image_and_class_count() -> None:
    box = (10.0, 10.0, 50.0, 50.0)
    far = [(0, 0.9 - n / 1000, (60.0, 60.0, 90.0, 90.0)) for n in range(100)]
    truth, found = image([(0, box)], [*far, (0, 0.5, box)])
    assert curves(match(truth, found, 1))[0].ap50 == 0.0
    assert curves(match(truth, found.above(0.5), 1))[0].ap50 == 0.0
    truth, found = image([(0, box)], [*far[1:], (0, 0.5, box)])
    assert curves(match(truth, found, 1))[0].ap50 == pytest.approx(0.01)


def test_of_two_boxes_that_overlap_as_much_the_later_is_taken_as_in_coco() -> None:
    upper, lower = (0.0, 0.0, 20.0, 12.0), (0.0, 8.0, 20.0, 20.0)
    truth, found = image([(0, upper), (0, lower)], [(0, 0.9, (0.0, 0.0, 20.0, 20.0)), (0, 0.8, upper)])
    assert match(truth, found, 1).matched[:, 0].tolist() == [1, 0]
    assert curves(match(truth, found, 1))[0].ap50 == score(truth, found, ["a"]).ap50 == pytest.approx(1.0)


def test_points_are_counts() -> None:
    near, far = (10.0, 10.0, 50.0, 50.0), (60.0, 60.0, 90.0, 90.0)
    truth, found = image(
        [(0, near), (0, far), (0, (0.0, 90.0, 9.0, 99.0))], [(0, 0.9, near), (0, 0.7, near), (0, 0.6, far)]
    )
    curve = curves(match(truth, found, 1))[0]
    assert curve.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.interpolated[[0, 33, 34, 66, 67, 100]].tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3, 0, 0])
    assert curve.scores_at[[0, 34]].tolist() == pytest.approx([0.9, 0.6])
    assert math.isnan(curve.scores_at[67])


def test_a_class_without_boxes_has_no_curve_and_one_without_detections_is_zero() -> None:
    truth = truth_of([2], np.random.default_rng(0), crowds=False, classes=1)
    there, absent = curves(match(truth, nothing_found(1), 2))
    assert there.ap50 == 0.0
    assert math.isnan(absent.ap50)
    assert absent.as_json() == {"boxes": 0, "AP50": None, "recall": [], "precision": [], "score": []}
    json.dumps(there.as_json(), allow_nan=False)
    assert curves(match(truth_of([], np.random.default_rng(0), False), nothing_found(0), 1))[0].boxes == 0


def test_right_detections_alone_make_the_curve() -> None:
    rng = np.random.default_rng(0)
    for boxes in (1, 3, 7, 20, 1000):
        right = rng.random(60) < 0.4
        right[np.cumsum(right) > boxes] = False
        hits = np.cumsum(right)
        best = [
            max([p for p, r in zip(hits / np.arange(1, 61), hits / boxes, strict=True) if r >= at], default=0.0)
            for at in RECALLS
        ]
        places = np.flatnonzero(right)
        ap = average_precision(np.arange(1, len(places) + 1)[None], places[None] + 1, np.array([boxes]))
        assert ap[0] == pytest.approx(np.mean(best), abs=1e-12)
