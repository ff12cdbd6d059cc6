"""FCOS's losses: what each point should say, and what it costs to say something else."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from detaug.batches.batch import Batch
from detaug.detectors.assign import Points, assign, centerness

ALPHA, GAMMA = 0.25, 2.0  # of the focal loss, as in torchvision's FCOS


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the F foreground points of B images should say; all other points should say background.

    Attributes:
        image: (F,) int64, the point's image in the batch.
        point: (F,) int64, which point.
        owner: (F,) int64, the box it answers for, an index into the batch's boxes.
        boxes: (F, 4) float32, that box.
        labels: (F,) int64, its class.
        central: (F,) float32, centerness of the point in it.
    """

    image: Tensor
    point: Tensor
    owner: Tensor
    boxes: Tensor
    labels: Tensor
    central: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, points: Points, batch: Batch) -> "Targets":
        """The targets of a batch."""
        bounds = batch.starts.tolist()
        owners = [assign(points, batch.boxes[a:b]) for a, b in pairwise(bounds)]
        owner = torch.stack([torch.where(o < 0, o, o + a) for o, a in zip(owners, bounds, strict=False)])
        image, point = torch.nonzero(owner >= 0, as_tuple=True)
        owned = owner[image, point]
        boxes = batch.boxes[owned]
        return cls(image, point, owned, boxes, batch.labels[owned], centerness(points.centres[point], boxes))


@dataclass(frozen=True, slots=True, eq=False)
class ImageLosses:
    """The losses of B images, each image by itself.

    Attributes:
        losses: the parts by name, each the (B,) sum over the image's points.
        counts: (B,) float32, foreground points.
    """

    losses: dict[str, Tensor]
    counts: Tensor


def fcos_losses(points: Points, heads: dict[str, Tensor], batch: Batch, smoothing: float = 0.0) -> ImageLosses:
    """FCOS's three losses as sums per image: focal loss, GIoU loss, and cross entropy of the centerness.

    Over a batch they equal torchvision's `FCOSHead.compute_loss` times its count of foreground points, save for boxes
    that hold no point. A batch without boxes gives zeros that still reach every weight of the head.

    Args:
        points: the P points.
        heads: `cls_logits` (B, P, C), `bbox_regression` (B, P, 4), `bbox_ctrness` (B, P, 1).
        batch: the B images with their boxes.
        smoothing: see `smoothed`.
    """
    targets = Targets.of(points, batch)
    logits, image = heads["cls_logits"], targets.image
    wanted = smoothed(targets, logits, smoothing)
    sides = heads["bbox_regression"][image, targets.point]
    central = heads["bbox_ctrness"][image, targets.point, 0]
    none = logits.new_zeros(len(logits))

    def per_image(values: Tensor) -> Tensor:
        return none.index_add(0, image, values)

    return ImageLosses(
        {
            "classification": focal_loss(logits, wanted, soft=smoothing > 0).sum((1, 2)),
            "box": per_image(box_loss(points, targets, sides)),
            "centerness": per_image(binary_cross_entropy_with_logits(central, targets.central, reduction="none")),
        },
        per_image(torch.ones_like(targets.central)),
    )


def box_losses(points: Points, heads: dict[str, Tensor], batch: Batch) -> Tensor:
    """How badly each of the batch's N boxes is found: classification and box loss, mean over the points that own it.

    Returns:
        (N,) float32; NaN for a box whose points all went to smaller boxes.
    """
    targets = Targets.of(points, batch)
    image, point = targets.image, targets.point
    wanted = smoothed(targets, heads["cls_logits"], 0.0)[image, point]
    each = focal_loss(heads["cls_logits"][image, point], wanted, soft=False).sum(1)
    each = each + box_loss(points, targets, heads["bbox_regression"][image, point])
    none = each.new_zeros(len(batch.boxes))
    counts = none.index_add(0, targets.owner, torch.ones_like(each))
    return none.index_add(0, targets.owner, each) / torch.where(counts > 0, counts, torch.nan)


def smoothed(targets: Targets, logits: Tensor, smoothing: float) -> Tensor:
    """What each point should say of each class, (B, P, C) float32.

    With label smoothing of e (Szegedy et al., 2016) a foreground point's class is wanted at 1 - e, and e is shared
    among the other classes. Background stays at 0: there e would outweigh the few signs.
    """
    wanted = torch.zeros_like(logits)
    classes = logits.shape[2]
    wanted[targets.image, targets.point] = smoothing / (classes - 1) if classes > 1 else 0.0
    wanted[targets.image, targets.point, targets.labels] = 1 - smoothing
    return wanted


def focal_loss(logits: Tensor, wanted: Tensor, soft: bool) -> Tensor:
    """The focal loss of each value, of the shape of `logits`.

    Args:
        logits: what is said.
        wanted: what should be said, 0 to 1.
        soft: `wanted` has values in between. The focal loss is then the quality focal loss (Li et al., 2020,
            "Generalized Focal Loss"), whose least is where the probability is the wanted one; for 0 and 1 both agree.
    """
    if not soft:
        values: Tensor = sigmoid_focal_loss(logits, wanted, ALPHA, GAMMA)
        return values
    weight = ALPHA * wanted + (1 - ALPHA) * (1 - wanted)
    entropy = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return weight * (wanted - logits.sigmoid()).abs() ** GAMMA * entropy


def box_loss(points: Points, targets: Targets, sides: Tensor) -> Tensor:
    """The GIoU loss of each foreground point, (F,).

    Args:
        points: the P points.
        targets: their targets.
        sides: (F, 4) distances from the point to left, top, right and bottom, in strides.
    """
    scale = points.strides[targets.point, None]
    guess = points.centres[targets.point].repeat(1, 2) + sides * scale * sides.new_tensor([-1, -1, 1, 1])
    loss: Tensor = generalized_box_iou_loss(guess, targets.boxes, reduction="none")
    return loss
