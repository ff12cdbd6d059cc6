import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from detaug.detectors.assign import Points, assign, centerness


def points_of(side: int) -> Points:
    strides = (8, 16, 32)
    maps = [torch.zeros(1, 1, side // s, side // s) for s in strides]
    make = AnchorGenerator(tuple((s,) for s in strides), ((1.0,),) * 3)
    anchors = make(ImageList(torch.zeros(1, 3, side, side), [(side, side)]), maps)[0]
    return Points.of(anchors, tuple(m.shape[2] * m.shape[3] for m in maps))


def test_no_boxes_leave_all_background() -> None:
    points = points_of(64)
    assert assign(points, torch.zeros(0, 4)).tolist() == [-1] * (64 + 16 + 4)


@pytest.mark.parametrize("size", [1, 3, 6, 8, 10, 16, 40, 63, 64, 100, 128, 129, 200, 256, 300, 400])
def test_every_box_has_a_point(size: int) -> None:
    points = points_of(416)
    places = torch.rand(200, 2, generator=torch.Generator().manual_seed(size)) * (416 - size)
    corners = torch.cat([places, places.round(), (places / 8).round() * 8, torch.tensor([[416.0 - size] * 2])])
    for corner in corners:
        owned = assign(points, torch.cat([corner, corner + size])[None])
        assert (owned == 0).any(), (corner, size)


def test_a_box_too_small_for_the_points_has_the_nearest() -> None:
    points = points_of(64)
    owned = assign(points, torch.tensor([[9.0, 17.0, 13.0, 21.0]]))
    assert points.centres[owned == 0].tolist() == [[8.0, 16.0]]
    assert points.strides[owned == 0].tolist() == [8.0]


def test_the_smaller_of_two_boxes_wins_and_both_have_points() -> None:
    points = points_of(128)
    boxes = torch.tensor([[16.0, 16.0, 80.0, 80.0], [41.0, 41.0, 47.0, 47.0]])
    owned = assign(points, boxes)
    assert set(owned.tolist()) == {-1, 0, 1}
    assert (owned == 1).sum() == 1


def slow_centerness(point: list[float], box: list[float]) -> float:
    left, top, right, bottom = point[0] - box[0], point[1] - box[1], box[2] - point[0], box[3] - point[1]
    if min(left, top, right, bottom) <= 0:
        return 1.0
    return math.sqrt(min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom))


def test_centerness_follows_the_formula() -> None:
    source = torch.Generator().manual_seed(1)
    corner = torch.rand(50, 2, generator=source) * 20
    boxes = torch.cat([corner, corner + 5 + 20 * torch.rand(50, 2, generator=source)], 1)
    centres: Tensor = torch.rand(50, 2, generator=source) * 40
    expected = [slow_centerness(p, b) for p, b in zip(centres.tolist(), boxes.tolist(), strict=True)]
    assert centerness(centres, boxes).tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.isfinite(centerness(centres, boxes)).all()
