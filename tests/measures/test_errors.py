import json
import math

import numpy as np
import pytest

from detaug.measures.errors import IGNORED, KINDS, RIGHT, Errors, errors
from detaug.measures.precision import score
from detaug.measures.truth import Found, GroundTruth
from tests.measures.cases import Box, chance, image, iou
from tests.measures.test_curves import slow_match
from tests.measures.test_precision import NAMES, nothing_found, truth_of

C = len(NAMES)
BOX: Box = (20.0, 20.0, 60.0, 60.0)
HALF: Box = (20.0, 20.0, 60.0, 36.0)  # IoU 0.4 with BOX
AWAY: Box = (70.0, 70.0, 95.0, 95.0)


def kinds(result: Errors) -> list[str]:
    return [{RIGHT: "right", IGNORED: "ignored"}.get(k) or KINDS[k] for k in result.kind.tolist()]


@pytest.mark.parametrize(
    ("boxes", "found", "expected", "missed"),
    [
        ([(0, BOX)], [(0, 0.9, BOX)], ["right"], 0),
        ([(0, BOX)], [(1, 0.9, BOX)], ["classification"], 0),
        ([(0, BOX)], [(0, 0.9, HALF)], ["localisation"], 0),
        ([(0, BOX)], [(1, 0.9, HALF)], ["both"], 1),
        ([(0, BOX)], [(0, 0.9, BOX), (0, 0.8, BOX)], ["right", "duplicate"], 0),
        ([(0, BOX)], [(0, 0.8, BOX), (0, 0.9, BOX)], ["duplicate", "right"], 0),
        ([(0, BOX)], [(0, 0.9, AWAY)], ["background"], 1),
        ([(0, BOX)], [], [], 1),
        ([], [(0, 0.9, BOX)], ["background"], 0),
        ([(0, BOX)], [(0, 0.9, BOX), (1, 0.8, BOX)], ["right", "classification"], 0),
        ([(0, BOX), (1, AWAY)], [(0, 0.9, AWAY), (1, 0.8, HALF)], ["classification", "both"], 1),
    ],
)
def test_kinds_made_by_hand(
    boxes: list[tuple[int, Box]], found: list[tuple[int, float, Box]], expected: list[str], missed: int
) -> None:
    result = errors(*image(boxes, found), 2)
    assert kinds(result) == expected
    assert result.counts()["missed"] == missed


def slow_kind(truth: GroundTruth, own: list[int], label: int, box: np.ndarray) -> tuple[str, int]:
    """The kind of one wrong detection, and the box it is about."""
    over = {g: iou(box, truth.boxes[g]) for g in own}
    same = max((g for g in own if truth.labels[g] == label), key=lambda g: (over[g], -g), default=None)
    other = max((g for g in own if truth.labels[g] != label), key=lambda g: (over[g], -g), default=None)
    if same is not None and 0.1 <= over[same] < 0.5:
        return "localisation", same
    if other is not None and over[other] >= 0.5:
        return "classification", other
    if same is not None and over[same] >= 0.5:
        return "duplicate", same
    if other is None or over[other] <= 0.1:
        return "background", -1
    return "both", other


def slow_ap(entries: list[tuple[int, float, bool]], asked: list[int], left: list[int]) -> float:
    """Mean AP of (label, score, right) over the classes that were asked for."""
    aps = []
    for c in (c for c in range(C) if asked[c]):
        own = sorted([e for e in entries if e[0] == c], key=lambda e: -e[1])
        if not left[c]:
            aps.append(0.0 if own else 1.0)
            continue
        hits = np.cumsum([r for _, _, r in own])
        points = [(h / left[c], h / n) for n, h in enumerate(hits, start=1)]
        aps.append(np.mean([max((p for r, p in points if r >= at), default=0.0) for at in np.linspace(0, 1, 101)]))
    return float(np.mean(aps))


def slow(truth: GroundTruth, found: Found) -> tuple[list[str], dict[str, float], int]:
    """All of it, a detection at a time: kinds, AP points, missed boxes."""
    matched, ignored = slow_match(truth, found, 0.5)
    names, about, images = [], [], found.images()
    for d in range(len(found.boxes)):
        own = [g for g in range(truth.starts[images[d]], truth.starts[images[d] + 1]) if not truth.crowd[g]]
        wrong = slow_kind(truth, own, int(found.labels[d]), found.boxes[d])
        name, box = ("ignored", -1) if ignored[d] else ("right", matched[d]) if matched[d] >= 0 else wrong
        names.append(name)
        about.append(box)
    reached = set(matched)
    fixes: dict[int, int] = {}
    for d in sorted(range(len(names)), key=lambda d: -found.scores[d]):
        if names[d] in ("classification", "localisation") and about[d] not in reached:
            fixes.setdefault(about[d], d)
    missed = [g for g in range(len(truth.boxes)) if not truth.crowd[g] and g not in reached and g not in fixes]
    asked = np.bincount(truth.labels[~truth.crowd], minlength=C).tolist()

    def ap(fix: tuple[str, ...]) -> float:
        entries = []
        for d, name in enumerate(names):
            if name in fix and d in fixes.values():
                entries.append((int(truth.labels[about[d]]), float(found.scores[d]), True))
            elif name not in fix and name != "ignored":
                entries.append((int(found.labels[d]), float(found.scores[d]), name == "right"))
        gone = np.bincount(truth.labels[missed], minlength=C) if "missed" in fix and missed else np.zeros(C, int)
        return slow_ap(entries, asked, (np.array(asked) - gone).tolist())

    return names, {k: ap((k,)) - ap(()) for k in KINDS}, len(missed)


@pytest.mark.parametrize("seed", range(60))
def test_equals_a_slow_count(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0)
    result = errors(truth, found, C)
    names, points, missed = slow(truth, found)
    assert kinds(result) == names
    assert result.missed.sum() == missed
    assert result.ap50 == pytest.approx(score(truth, found, NAMES).ap50, abs=1e-12)
    for kind in KINDS:
        assert result.points[kind] == pytest.approx(points[kind], abs=1e-12), kind


@pytest.mark.parametrize("seed", range(60))
def test_counts_partition_detections_and_boxes(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0, ties=seed % 3 == 0)
    for some in (found, found.above(0.5), found.above(2.0)):
        result = errors(truth, some, C)
        wrong = sum(n for kind, n in result.counts().items() if kind != "missed")
        assert wrong + (result.kind == RIGHT).sum() + (result.kind == IGNORED).sum() == len(some.boxes)
        state = result.found.astype(int) + result.covered + result.missed
        assert (state == ~truth.crowd).all()
        assert result.found.sum() == (result.kind == RIGHT).sum()
        assert result.all_fixed == pytest.approx(1.0, abs=1e-12)
        json.dumps(result.as_json(), allow_nan=False)


def test_points_name_the_one_kind_that_costs() -> None:
    truth, found = image([(0, BOX)], [(0, 0.9, AWAY), (0, 0.8, BOX)])
    result = errors(truth, found, 1)
    assert result.ap50 == pytest.approx(0.5)
    assert result.points.pop("background") == pytest.approx(0.5)
    assert set(result.points.values()) == {0.0}


@pytest.mark.parametrize(("kind", "label", "box"), [("classification", 1, BOX), ("localisation", 0, HALF)])
def test_of_two_mistakes_about_one_box_the_better_is_put_right(kind: str, label: int, box: Box) -> None:
    truth, found = image([(0, BOX)], [(label, 0.9, box), (label, 0.8, box)])
    result = errors(truth, found, 2)
    assert kinds(result) == [kind, kind]
    assert (result.ap50, result.covered.sum()) == (0.0, 1)
    assert result.points[kind] == pytest.approx(1.0)


@pytest.mark.parametrize("images", [0, 2])
def test_nothing_found_and_nothing_there(images: int) -> None:
    truth = truth_of([3] * images, np.random.default_rng(0), crowds=False)
    result = errors(truth, nothing_found(images), C)
    assert result.counts() == {**dict.fromkeys(KINDS, 0), "missed": 3 * images}
    assert math.isnan(result.ap50) is (images == 0)
    assert math.isnan(result.all_fixed) is (images == 0)


def test_a_detection_in_a_crowd_is_no_mistake() -> None:
    truth, found = image([(0, BOX)], [(0, 0.9, HALF), (1, 0.9, HALF)])
    crowd = GroundTruth(truth.ids, truth.sizes, truth.boxes, truth.labels, np.array([True]), truth.starts)
    result = errors(crowd, found, 2)
    assert kinds(result) == ["ignored", "background"]
    assert not (result.found | result.covered | result.missed).any()
