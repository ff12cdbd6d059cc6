"""Ellipses that one side cuts, against points counted on a fine grid."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.outline import Outline
from detaug.scenes.ellipses import cut_once
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from detaug.scenes.visibility import all_measured
from tests.scenes.painted import planned, stage, world
from tests.scenes.test_boxes_follow import STRONG

SIZE = 100, 140
Array = NDArray[np.float64]


def cases(count: int, seed: int) -> tuple[Array, Array, Array]:
    """Boxes, matrices and regions such that sides of either cut many of the ellipses."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (count, 2))
    box = np.concatenate([low, low + rng.uniform(4, 50, (count, 2))], 1)
    matrix = np.tile(np.eye(3), (count, 1, 1))
    matrix[:, :2, :2] = rng.normal(0, 1, (count, 2, 2))
    matrix[:, :2, 2] = rng.uniform(0, 1, (count, 2)) * [140, 100] - np.einsum(
        "kij,kj->ki", matrix[:, :2, :2], (box[:, :2] + box[:, 2:]) / 2
    )
    region = np.tile([-500.0, -500, 500, 500], (count, 1))
    one = rng.integers(0, 6, count)  # 4 and 5: the region cuts nothing
    for k, side in enumerate(one.tolist()):
        if side < 4:
            axis = side % 2
            region[k, side] = rng.uniform(box[k, axis] - 3, box[k, axis + 2] + 3)
    return box, matrix, region


def test_share_and_box_agree_with_counting() -> None:
    box, matrix, region = cases(400, 0)
    found, boxes, share = cut_once(box, matrix, region, SIZE)
    y, x = (np.mgrid[:601, :601] / 300) - 1
    circle = np.stack([x, y], 2)[x * x + y * y <= 1]
    ring = np.linspace(0, 2 * np.pi, 4001)[:-1]
    points = np.concatenate([circle, np.stack([np.cos(ring), np.sin(ring)], 1)])
    cut = 0
    for k in range(len(box)):
        source = (box[k, :2] + box[k, 2:]) / 2 + points * (box[k, 2:] - box[k, :2]) / 2
        canvas = source @ matrix[k, :2, :2].T + matrix[k, :2, 2]
        sides = [source - region[k, :2], region[k, 2:] - source, canvas, np.array(SIZE[::-1]) - canvas]
        kept = np.asarray((np.concatenate(sides, 1) >= 0).all(1), bool)
        cutting = int((~(np.concatenate(sides, 1) >= 0)).any(0).sum())
        if cutting != 1 or not kept.any():
            assert k not in found or not kept.any() or cutting == 0, (k, cutting)
            continue
        cut += 1
        assert k in found
        at = int(np.flatnonzero(found == k)[0])
        assert share[at] == pytest.approx(kept[: len(circle)].mean(), abs=2e-3)
        coarse = np.abs(matrix[k, :2, :2]) @ (box[k, 2:] - box[k, :2]) / 600  # canvas pixels between points of the grid
        expected = np.concatenate([canvas[kept].min(0), canvas[kept].max(0)])
        # A chord's end lies between points: up to the ring's distance along it.
        np.testing.assert_allclose(boxes[at], expected, rtol=0, atol=4 * coarse.max())
    assert cut > 120


def test_others_are_left_to_the_polygons() -> None:
    """Whole ones, those that two sides cut, those beside the canvas, and those without an area."""
    box = np.array([[10.0, 10, 20, 20], [-5, -5, 5, 5], [-30, 10, -20, 20], [10, 10, 10, 20], [-5, 10, 5, 20]])
    region = np.tile([-500.0, -500, 500, 500], (5, 1))
    found, boxes, share = cut_once(box, np.tile(np.eye(3), (5, 1, 1)), region, SIZE)
    assert found.tolist() == [4]
    assert share == pytest.approx(0.5)
    np.testing.assert_allclose(boxes, [[0, 10, 5, 20]])


def test_a_scene_is_measured_as_the_polygon_of_many_corners_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes and shares within the polygon's own error, whatever else lies there; other outlines are left alone."""
    ground = stage(world(images=12))
    scenes = [planned(Recipe(**STRONG), ground, slot) for slot in range(40)]  # type: ignore[arg-type]
    boxes, share = all_measured(scenes)

    def none(box: Array, matrix: Array, region: Array, size: tuple[int, int]) -> tuple[NDArray[np.int64], Array, Array]:
        return np.empty(0, np.int64), np.empty((0, 4)), np.empty(0)

    monkeypatch.setattr("detaug.scenes.visibility.cut_once", none)
    other, other_share = all_measured(scenes)
    shape = np.concatenate([s.shape for s in scenes])
    assert (share != other_share)[shape == int(Outline.ELLIPSE)].sum() > 30
    np.testing.assert_array_equal(share[shape != int(Outline.ELLIPSE)], other_share[shape != int(Outline.ELLIPSE)])
    np.testing.assert_allclose(share, other_share, rtol=0, atol=2e-3)
    hulls = np.concatenate([s.hulls() for s in scenes])
    whole, seen = (hulls[:, 2:] - hulls[:, :2]).max(1), share > 0.05  # of a sliver, a trace makes the chord much longer
    assert (np.abs(boxes - other).max(1)[seen] <= 0.003 * whole[seen]).all()
    assert any((s.role != int(Role.TILE)).any() for s in scenes)
