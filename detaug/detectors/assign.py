"""Which points of the feature maps answer for which box, as in FCOS."""

from dataclasses import dataclass

import torch
from torch import Tensor

RADIUS = 1.5
NEAREST, FARTHEST = 4.0, 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The P places of all feature maps where a box can be found, finest map first.

    Attributes:
        anchors: (P, 4) float32, squares of the map's stride about each place, x1 y1 x2 y2 in canvas pixels.
        centres: (P, 2) float32, x y.
        strides: (P,) float32, pixels between neighbours.
        nearest: (P,) float32, a box reaching no farther than this from the point belongs to a finer map.
        farthest: (P,) float32, a box reaching as far as this belongs to a coarser map.
        per_map: how many points each map has.
    """

    anchors: Tensor
    centres: Tensor
    strides: Tensor
    nearest: Tensor
    farthest: Tensor
    per_map: tuple[int, ...]

    @classmethod
    def of(cls, anchors: Tensor, per_map: tuple[int, ...]) -> "Points":
        """The points of square anchors; the finest map has no lower bound, the coarsest no upper one."""
        strides = anchors[:, 2] - anchors[:, 0]
        nearest, farthest = NEAREST * strides, FARTHEST * strides
        nearest[: per_map[0]] = 0
        farthest[-per_map[-1] :] = torch.inf
        return cls(anchors, (anchors[:, :2] + anchors[:, 2:]) / 2, strides, nearest, farthest, per_map)


def assign(points: Points, boxes: Tensor) -> Tensor:
    """Give each point the box it answers for (Tian et al., 2020, "FCOS: A Simple and Strong Anchor-free Detector").

    A point answers for a box when it lies inside, within 1.5 strides of the box's centre, and the box's farthest side
    is in the range of the point's map; of several boxes the smallest wins. In addition to the paper, a box that
    holds no such point (signs of few pixels between the points) gets the nearest point of the finest map.

    Args:
        points: the P points of one image.
        boxes: (N, 4) float32, x1 y1 x2 y2 in canvas pixels.

    Returns:
        (P,) int64, index into `boxes`, or -1 for background.
    """
    if len(boxes) == 0:
        return boxes.new_full((len(points.strides),), -1, dtype=torch.int64)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    distance = (points.centres[:, None] - middle).abs().amax(2)
    before = points.centres[:, None] - boxes[:, :2]
    after = boxes[:, 2:] - points.centres[:, None]
    inside = torch.minimum(before, after).amin(2) > 0
    reach = torch.maximum(before, after).amax(2)
    match = inside & (distance < RADIUS * points.strides[:, None])
    match &= (reach > points.nearest[:, None]) & (reach < points.farthest[:, None])
    closest = distance[: points.per_map[0]].argmin(0)
    match[closest, torch.arange(len(boxes), device=boxes.device)] |= ~match.any(0)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    least, index = torch.where(match, area, torch.inf).min(1)
    return torch.where(least < torch.inf, index, -1)


def centerness(centres: Tensor, boxes: Tensor) -> Tensor:
    """How central each point lies in its box: 1 in the middle, 0 on an edge (Tian et al., 2020, equation 3).

    A point outside its box is there because the box has no other: nothing is held against it, it counts as 1.

    Args:
        centres: (N, 2) float32, x y.
        boxes: (N, 4) float32, one for each point.

    Returns:
        (N,) float32.

    >>> centerness(torch.tensor([[4.0, 4.0], [1.0, 4.0]]), torch.tensor([[0.0, 0.0, 8.0, 8.0]] * 2)).tolist()
    [1.0, 0.3779...]
    """
    before, after = centres - boxes[:, :2], boxes[:, 2:] - centres
    share = torch.minimum(before, after) / torch.maximum(before, after)
    product = share.prod(1)
    return torch.where((share > 0).all(1), product.clamp(min=0).sqrt(), 1.0)
