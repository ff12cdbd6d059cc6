"""Outlines: tight boxes, clipping, areas; against sampled points and Monte Carlo counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.clipping import Points, area, clipped, without
from detaug.outline import Outline, hulls, moved, polygon
from detaug.scenes.affine import about_centre
from tests.scenes.painted import inside

RNG = np.random.default_rng(0)


def corners(outline: int, box: np.ndarray) -> Points:
    return [(x, y) for x, y in polygon(outline, box).tolist()]


def dense(outline: int, box: np.ndarray, points: int = 4000) -> np.ndarray:
    """Points along the true outline, the ellipse's from its own equation."""
    if outline == Outline.ELLIPSE:
        turn = np.linspace(0, 2 * np.pi, points)
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        return np.asarray(centre + half * np.stack([np.cos(turn), np.sin(turn)], 1))
    return polygon(outline, box)


@pytest.mark.parametrize("outline", list(Outline))
def test_an_outline_touches_all_sides_of_its_box(outline: Outline) -> None:
    box = np.array([3.0, 4.0, 30.0, 21.0])
    points = polygon(outline, box)
    np.testing.assert_allclose(np.concatenate([points.min(0), points.max(0)]), box, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(list(Outline)),
    st.floats(-180, 180),
    st.floats(0.2, 4),
    st.floats(-30, 30),
    st.booleans(),
)
def test_hulls_are_tight(outline: Outline, degrees: float, scale: float, shear: float, mirrored: bool) -> None:
    box = np.array([10.0, 20.0, 50.0, 44.0])
    matrix = about_centre((100, 100), degrees=degrees, scale=scale, shear=(shear, shear / 2))
    if mirrored:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
    points = moved(dense(outline, box), matrix)
    expected = np.concatenate([points.min(0), points.max(0)])
    found = hulls(np.array([outline]), box[None], matrix[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-3 * scale)


def test_no_objects_give_no_hulls() -> None:
    assert hulls(np.empty(0, np.uint8), np.empty((0, 4)), np.empty((0, 3, 3))).shape == (0, 4)


def test_a_turned_circle_keeps_its_box() -> None:
    box = np.array([[20.0, 20.0, 60.0, 60.0]])
    turned = about_centre((80, 80), degrees=15)
    np.testing.assert_allclose(hulls(np.array([Outline.ELLIPSE]), box, turned[None]), box, atol=1e-9)
    corners = hulls(np.array([Outline.RECTANGLE]), box, turned[None])[0]
    assert corners[2] - corners[0] > 1.2 * 40


@pytest.mark.parametrize("outline", list(Outline))
def test_areas_agree_with_counted_pixels(outline: Outline) -> None:
    box = np.array([10.0, 20.0, 410.0, 320.0])
    assert area(corners(outline, box)) == pytest.approx(inside(outline, box, 400, 420).sum(), rel=0.01)


@pytest.mark.parametrize("outline", list(Outline))
def test_clipping_and_covering_agree_with_counted_points(outline: Outline) -> None:
    box = np.array([20.0, 20.0, 180.0, 140.0])
    mask = inside(outline, box, 200, 200)
    y, x = np.mgrid[0:200, 0:200] + 0.5
    for _ in range(20):
        x1, y1 = RNG.uniform(0, 120, 2)
        frame = np.array([x1, y1, x1 + RNG.uniform(20, 80), y1 + RNG.uniform(20, 80)])
        within = (x > frame[0]) & (x < frame[2]) & (y > frame[1]) & (y < frame[3])
        assert area(clipped(corners(outline, box), frame.tolist())) == pytest.approx((mask & within).sum(), abs=120)
        left = without([corners(outline, box)], corners(Outline.RECTANGLE, frame))
        assert sum(area(p) for p in left) == pytest.approx((mask & ~within).sum(), abs=200)


def test_covers_that_overlap_count_once() -> None:
    whole = corners(Outline.RECTANGLE, np.array([0.0, 0.0, 10.0, 10.0]))
    one = corners(Outline.RECTANGLE, np.array([0.0, 0.0, 5.0, 10.0]))
    two = corners(Outline.RECTANGLE, np.array([3.0, 0.0, 7.0, 10.0]))[::-1]
    left = without(without([whole], one), two)
    assert sum(area(p) for p in left) == pytest.approx(30)
    assert without([whole], corners(Outline.RECTANGLE, np.array([-1.0, -1.0, 11.0, 11.0]))) == []


def test_nothing_left_of_a_clip_is_empty() -> None:
    points = corners(Outline.DIAMOND, np.array([0.0, 0.0, 4.0, 4.0]))
    assert len(clipped(points, [10.0, 10.0, 12.0, 12.0])) == 0
    assert area(points[:0]) == 0
