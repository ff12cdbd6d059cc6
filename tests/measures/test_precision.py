import contextlib
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detaug.measures.precision import Metrics, score
from detaug.measures.truth import Found, GroundTruth, xywh

NAMES = ["a", "b", "c", "d"]


def truth_of(counts: list[int], rng: np.random.Generator, crowds: bool, classes: int = 3) -> GroundTruth:
    total = sum(counts)
    corner = rng.uniform(0, 200, (total, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(4, 150, (total, 2))], 1).astype(np.float32)
    return GroundTruth(
        ids=np.arange(len(counts)) + 10,
        sizes=np.full((len(counts), 2), 400),
        boxes=boxes,
        labels=rng.integers(0, classes, total),
        crowd=(rng.random(total) < 0.2) if crowds else np.zeros(total, bool),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def with_zero_width(truth: GroundTruth, rng: np.random.Generator) -> GroundTruth:
    """The same with a third of the boxes, and the first, as lines without width or points."""
    boxes = truth.boxes.copy()
    thin = rng.random(len(boxes)) < 1 / 3
    thin[0] = True
    flat = thin & (rng.random(len(boxes)) < 0.5)
    boxes[thin, 2], boxes[flat, 3] = boxes[thin, 0], boxes[flat, 1]
    return replace(truth, boxes=boxes)


def found_near(truth: GroundTruth, counts: list[int], rng: np.random.Generator, ties: bool) -> Found:
    boxes, labels = [], []
    for image, count in enumerate(counts):
        own = slice(int(truth.starts[image]), int(truth.starts[image + 1]))
        for _ in range(count):
            if len(truth.boxes[own]) and rng.random() < 0.7:
                pick = rng.integers(own.start, own.stop)
                boxes.append(truth.boxes[pick] + rng.normal(0, 4, 4))
                labels.append(truth.labels[pick] if rng.random() < 0.9 else 0)
            else:
                corner = rng.uniform(0, 200, 2)
                boxes.append(np.concatenate([corner, corner + rng.uniform(4, 150, 2)]))
                labels.append(rng.integers(0, len(NAMES)))
    scores = rng.random(len(boxes)).astype(np.float32)
    return Found(
        rows=np.arange(len(counts)),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.round(scores, 1) if ties else scores,
        labels=np.array(labels, np.int64).reshape(-1),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def oracle(truth: GroundTruth, found: Found) -> tuple[list[float], dict[str, tuple[float, float]]]:
    """pycocotools' twelve numbers and each class's AP and AP50."""
    images = np.repeat(truth.ids, np.diff(truth.starts)).tolist()
    boxes = xywh(truth.boxes).tolist()
    reference = COCO()
    reference.dataset = {
        "images": [{"id": int(i)} for i in truth.ids],
        "categories": [{"id": i + 1, "name": n} for i, n in enumerate(NAMES)],
        "annotations": [
            {"id": n + 1, "image_id": i, "bbox": b, "area": b[2] * b[3], "category_id": int(c) + 1, "iscrowd": int(w)}
            for n, (i, b, c, w) in enumerate(zip(images, boxes, truth.labels, truth.crowd, strict=True))
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(found.coco(truth.ids)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()

    def average(p: np.ndarray) -> float:
        return float(p[p > -1].mean()) if (p > -1).any() else math.nan

    table = evaluation.eval["precision"][:, :, :, 0, 2]
    return list(evaluation.stats), {n: (average(table[:, :, i]), average(table[0, :, i])) for i, n in enumerate(NAMES)}


def same(ours: float, theirs: float) -> bool:
    return (math.isnan(ours) and (theirs == -1 or math.isnan(theirs))) or abs(ours - theirs) <= 1e-12


@pytest.mark.parametrize("seed", range(200))
def test_equals_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, rng.integers(1, 7)).tolist()
    counts[0] = max(counts[0], 1)
    truth = truth_of(counts, rng, crowds=seed % 3 == 0, classes=1 + seed % 4)
    if seed % 5 == 0:
        truth = with_zero_width(truth, rng)
    many = [int(n) for n in rng.integers(0, 140 if seed % 10 == 0 else 12, len(counts))]
    many[-1] = max(many[-1], 1)
    found = found_near(truth, many, rng, ties=seed % 2 == 0)
    metrics = score(truth, found, NAMES)
    stats, by_class = oracle(truth, found)
    ours = [metrics.ap, metrics.ap50, metrics.ap75, metrics.small, metrics.medium, metrics.large]
    assert all(same(o, t) for o, t in zip(ours, stats[:6], strict=True)), (ours, stats)
    assert same(metrics.ar100, stats[8])
    for name, (ap, ap50) in by_class.items():
        assert same(metrics.classes[name].ap, ap)
        assert same(metrics.classes[name].ap50, ap50)


@pytest.mark.parametrize(("images", "ranks", "idle"), [(1001, 1, 0), (1001, 2, 0), (1001, 3, 1), (2, 5, 0), (7, 3, 1)])
@pytest.mark.parametrize("kind", ["found", "no detection", "no box"])
def test_the_same_for_any_number_of_ranks(images: int, ranks: int, idle: int, kind: str) -> None:
    rng = np.random.default_rng(images)
    truth = truth_of(rng.integers(0, 1 if kind == "no box" else 3, images).tolist(), rng, crowds=True)
    counts = rng.integers(0, 1 if kind == "no detection" else 4, images).tolist()
    whole = found_near(truth, counts, rng, ties=True)
    busy = ranks - idle
    shares = [np.arange(images)[rank::busy] if rank < busy else np.arange(0) for rank in range(ranks)]
    # a sampler that pads repeats its first image
    shares = [np.append(share, share[:1]) for share in shares]
    gathered = Found.joined([whole.take(share) for share in shares])
    assert score(truth, gathered, NAMES, ["b"]).plain() == score(truth, whole, NAMES, ["b"]).plain()


def nothing_found(images: int) -> Found:
    none = np.zeros(0, np.int64)
    rows, starts = np.arange(images), np.zeros(images + 1, np.int64)
    return Found(rows, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), none, starts)


def test_no_detection_scores_zero() -> None:
    truth = truth_of([2, 1], np.random.default_rng(0), crowds=False, classes=1)
    metrics = score(truth, nothing_found(2), NAMES)
    assert (metrics.ap, metrics.ap50, metrics.ar100, metrics.classes["a"].ap) == (0, 0, 0, 0)
    assert math.isnan(metrics.classes["b"].ap)


@pytest.mark.parametrize("images", [0, 3])
def test_nothing_to_find_is_not_a_number(images: int) -> None:
    truth = truth_of([0] * images, np.random.default_rng(0), crowds=False)
    metrics = score(truth, nothing_found(images), NAMES)
    assert metrics.images == images
    assert math.isnan(metrics.ap)
    assert math.isnan(metrics.rare)
    assert metrics.plain()["ap"] is None
    assert metrics.plain()["classes"]["a"] == {"ap": None, "ap50": None, "boxes": 0}


def perfect(truth: GroundTruth, classes: set[int]) -> Found:
    kept = np.isin(truth.labels, list(classes))
    starts = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)[truth.starts]
    boxes, labels = truth.boxes[kept], truth.labels[kept]
    return Found(np.arange(len(truth)), boxes, np.ones(len(boxes), np.float32), labels, starts)


def test_rare_and_common_are_means_over_classes_that_occur() -> None:
    truth = truth_of([4, 4, 4], np.random.default_rng(3), crowds=False, classes=3)
    metrics = score(truth, perfect(truth, {0, 1}), NAMES, rare=["c", "d"])
    assert metrics.common == pytest.approx(1.0)
    assert metrics.rare == 0.0
    assert metrics.ap == pytest.approx(2 / 3)


def test_only_scored_images_count() -> None:
    truth = truth_of([3, 3], np.random.default_rng(4), crowds=False)
    whole = perfect(truth, {0, 1, 2})
    first = Found(whole.rows[:1], whole.boxes[:3], whole.scores[:3], whole.labels[:3], whole.starts[:2])
    metrics = score(truth, first, NAMES)
    assert metrics.images == 1
    assert metrics.ap == pytest.approx(1.0)


def test_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    truth = truth_of([2], np.random.default_rng(0), crowds=False)
    result: Metrics = score(truth, perfect(truth, {0, 1, 2}), NAMES)
    assert result.images == 1
    assert capsys.readouterr() == ("", "")
