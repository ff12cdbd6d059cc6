"""Truth and detections to measure, by chance or by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from detaug.measures.truth import Found, GroundTruth
from tests.measures.test_precision import found_near, truth_of

Box = tuple[float, float, float, float]


def chance(seed: int, *, images: int = 8, crowds: bool = False, ties: bool = False) -> tuple[GroundTruth, Found]:
    """Images with 0 to 5 boxes of three classes and 0 to 20 detections of four."""
    rng = np.random.default_rng(seed)
    truth = truth_of(rng.integers(0, 6, images).tolist(), rng, crowds)
    found = found_near(truth, rng.integers(0, 21, images).tolist(), rng, ties)
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
    return truth, replace(found, boxes=np.concatenate([np.minimum(low, high), np.maximum(low, high)], 1))


def image(boxes: Sequence[tuple[int, Box]], found: Sequence[tuple[int, float, Box]]) -> tuple[GroundTruth, Found]:
    """One image with boxes (label, box) and detections (label, score, box)."""
    truth = GroundTruth(
        ids=np.array([7]),
        sizes=np.array([[100, 100]]),
        boxes=np.array([b for _, b in boxes], np.float32).reshape(-1, 4),
        labels=np.array([c for c, _ in boxes], np.int64),
        crowd=np.zeros(len(boxes), bool),
        starts=np.array([0, len(boxes)]),
    )
    seen = Found(
        rows=np.array([0]),
        boxes=np.array([b for _, _, b in found], np.float32).reshape(-1, 4),
        scores=np.array([s for _, s, _ in found], np.float32),
        labels=np.array([c for c, _, _ in found], np.int64),
        starts=np.array([0, len(found)]),
    )
    return truth, seen


def iou(a: np.ndarray, b: np.ndarray, crowd: bool = False) -> float:
    """Of two boxes x1 y1 x2 y2, one at a time."""
    a, b = a.astype(float), b.astype(float)
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    own, other = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return float(width * height / (own if crowd else own + other - width * height))
