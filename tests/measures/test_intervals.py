import json
import math

import numpy as np
import pytest

from detaug.measures.bootstrap import resampled
from detaug.measures.intervals import intervals
from detaug.measures.matches import match
from detaug.measures.precision import score
from detaug.measures.truth import Found, GroundTruth
from tests.measures.cases import chance, image
from tests.measures.test_precision import NAMES, nothing_found, same, truth_of

C = len(NAMES)


@pytest.mark.parametrize("seed", range(20))
def test_a_resampled_ap_is_that_of_the_repeated_images(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), 6)
    fast = resampled(match(truth, found, C), times)
    for draw, some in zip(fast, times, strict=True):
        again = score(truth, found.take(np.repeat(np.arange(len(truth)), some)), NAMES)
        for c, name in enumerate(NAMES):
            assert same(draw[c].mean(), again.classes[name].ap)
            assert same(draw[c, 0], again.classes[name].ap50)


def test_equal_scores_in_different_images_keep_their_order() -> None:
    one = [
        image([(0, (0, 0, 20, 20))], [(0, 0.5, (0, 0, 20, 20))]),
        image([(0, (0, 0, 9, 9))], [(0, 0.5, (50, 50, 60, 60))]),
    ]
    found = Found.joined([Found(np.array([i]), f.boxes, f.scores, f.labels, f.starts) for i, (_, f) in enumerate(one)])
    truth = GroundTruth(
        np.array([1, 2]),
        np.full((2, 2), 100),
        np.concatenate([t.boxes for t, _ in one]),
        np.zeros(2, np.int64),
        np.zeros(2, bool),
        np.array([0, 1, 2]),
    )
    fast = resampled(match(truth, found, 1), np.array([[2, 2], [1, 3]]))[:, 0]
    assert same(fast[0, 0], score(truth, found.take(np.array([0, 0, 1, 1])), ["a"]).ap50)
    assert same(fast[1, 0], score(truth, found.take(np.array([0, 1, 1, 1])), ["a"]).ap50)


@pytest.mark.parametrize("seed", range(10))
def test_values_are_the_scores_and_lie_inside(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0, ties=seed % 3 == 0)
    metrics = score(truth, found, NAMES, rare=["b", "d"])
    result = intervals(match(truth, found, C), NAMES, ["b", "d"], np.random.default_rng(seed))
    pairs = [(result.ap, metrics.ap), (result.ap50, metrics.ap50)]
    pairs += [(result.rare, metrics.rare), (result.common, metrics.common)]
    for name, one in metrics.classes.items():
        pairs += [(result.classes[name].ap, one.ap), (result.classes[name].ap50, one.ap50)]
        assert result.classes[name].boxes == one.boxes
        assert result.classes[name].few is (one.boxes < 10)
    for interval, value in pairs:
        assert same(interval.value, value)
        assert math.isnan(value) or 0 <= interval.low <= interval.value <= interval.high <= 1 + 1e-12
    json.dumps(result.as_json(), allow_nan=False)


def test_the_generator_alone_decides() -> None:
    truth, found = chance(1)
    matches = match(truth, found, C)
    first, again, other = (intervals(matches, NAMES, [], np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.as_json() == again.as_json() != other.as_json()


@pytest.mark.parametrize("images", [0, 2])
def test_nothing_to_find_has_no_interval_and_nothing_found_is_zero(images: int) -> None:
    rng = np.random.default_rng(0)
    empty = intervals(match(truth_of([0] * images, rng, False), nothing_found(images), C), NAMES, [], rng)
    assert all(math.isnan(v) for v in empty.ap.ends)
    blind = intervals(match(truth_of([2, 2], rng, False), nothing_found(2), C), NAMES, [], rng)
    assert blind.ap.value == blind.ap.low == 0.0
    assert 0 < blind.ap.high < 0.9  # two images with nothing found do not show that nothing ever is


def population(
    images: int, rng: np.random.Generator, skill: float = 1.5, beside: float = 0.05
) -> tuple[GroundTruth, Found]:
    """Two classes, one ten times rarer; images differ in how hard they are; some detections lie beside or nowhere."""
    counts = rng.poisson(1.1, images)
    boxes = truth_of(counts.tolist(), rng, crowds=False)
    truth = GroundTruth(
        boxes.ids,
        boxes.sizes,
        boxes.boxes,
        (rng.random(len(boxes.boxes)) < 0.1).astype(np.int64),
        boxes.crowd,
        boxes.starts,
    )
    owner = np.repeat(np.arange(images), counts)
    seen = rng.random(len(owner)) < 1 / (1 + np.exp(-skill - rng.normal(size=images)[owner]))
    side = np.tile(truth.boxes[seen, 2:] - truth.boxes[seen, :2], 2)
    near = truth.boxes[seen] + rng.normal(0, beside, side.shape) * side
    nowhere = truth_of(rng.poisson(1, images).tolist(), rng, crowds=False, classes=2)
    place = np.concatenate([owner[seen], np.repeat(np.arange(images), np.diff(nowhere.starts))])
    order = np.argsort(place, kind="stable")
    scores = np.concatenate([rng.beta(5, 2, len(near)), rng.beta(2, 5, len(nowhere.boxes))])
    return truth, Found(
        rows=np.arange(images),
        boxes=np.concatenate([near, nowhere.boxes])[order].astype(np.float32),
        scores=scores[order].astype(np.float32),
        labels=np.concatenate([truth.labels[seen], nowhere.labels])[order],
        starts=np.searchsorted(place[order], np.arange(images + 1)).astype(np.int64),
    )


def test_a_perfect_class_has_an_interval_that_narrows_with_its_images() -> None:
    """Three signs that are all found do not show that all are; the reach falls as 1 / images."""
    lows = []
    for count in (1, 3, 30, 300):
        truth = truth_of([1] * count, np.random.default_rng(count), crowds=False, classes=1)
        found = Found(np.arange(count), truth.boxes, np.ones(count, np.float32), truth.labels, truth.starts)
        one = intervals(match(truth, found, 1), ["a"], [], np.random.default_rng(0)).classes["a"].ap50
        assert one.value == one.high == pytest.approx(1)
        lows.append(one.low)
    assert lows[0] < 0.4 < lows[1] < 0.6 < lows[2] < 0.95 < lows[3] < 1


@pytest.mark.slow
def test_intervals_cover_what_a_large_population_scores() -> None:
    rng = np.random.default_rng(0)
    truth, found = population(20_000, rng)
    whole = resampled(match(truth, found, 2), np.ones((1, 20_000), np.int64))[0]
    covered = []
    for _ in range(200):
        rows = rng.integers(0, 20_000, 200)
        result = intervals(match(truth.take(rows), found.take(rows), 2), ["a", "b"], ["b"], rng)
        one, rare = result.classes["a"], result.classes["b"]
        pairs = [
            (one.ap, whole[0].mean()),
            (one.ap50, whole[0, 0]),
            (rare.ap, whole[1].mean()),
            (rare.ap50, whole[1, 0]),
        ]
        covered.append([i.low <= value <= i.high for i, value in pairs])
    share = np.mean(covered, axis=0)
    print(share)
    assert (share[:2] >= 0.89).all(), share  # 200 boxes
    assert (share[2:] >= 0.89).all(), share  # about 20 boxes


@pytest.mark.slow
@pytest.mark.parametrize(("skill", "beside"), [(1.5, 0.05), (4.0, 0.02), (0.0, 0.09)], ids=["usual", "good", "poor"])
def test_intervals_of_few_boxes_cover_and_are_not_everything(skill: float, beside: float) -> None:
    """A class with 3 to 9 boxes: 95 % intervals hold the truth in 90 of 100 cases without being everything."""
    rng = np.random.default_rng(1)
    truth, found = population(20_000, rng, skill, beside)
    whole = resampled(match(truth, found, 2), np.ones((1, 20_000), np.int64))[0]
    covered, widths = [], []
    for _ in range(500):
        rows = rng.integers(0, 20_000, 50)
        result = intervals(match(truth.take(rows), found.take(rows), 2), ["a", "b"], ["b"], rng)
        rare = result.classes["b"]
        if not 3 <= rare.boxes < 10:
            continue
        pairs = [(rare.ap, whole[1].mean()), (rare.ap50, whole[1, 0]), (result.ap, whole.mean())]
        covered.append([i.low <= value <= i.high for i, value in pairs])
        widths.append(rare.ap50.high - rare.ap50.low)
    share = np.mean(covered, axis=0)
    print(len(covered), share, np.mean(widths))
    assert len(covered) > 300
    assert (share >= 0.9).all(), share
    assert np.mean(widths) < 0.85
