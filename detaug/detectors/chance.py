"""The loss of a detector that knows the classes' frequencies and nothing of the picture."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from detaug.batches.batch import Batch
from detaug.detectors.assign import Points
from detaug.detectors.losses import ALPHA, GAMMA, Targets, box_loss

LOWEST, HIGHEST, STEP = -20.0, 5.0, 0.005  # the logits among which the best is looked for


def chance_losses(points: Points, batches: Sequence[Batch], classes: int) -> tuple[dict[str, Tensor], Tensor]:
    """FCOS's losses where every point of every picture says the same, the best that can be said so.

    For each class that is the one logit with the least focal loss, given how many points answer for it (the focal
    loss is not least at the log-odds of that frequency, but higher: a trained network ends there, not at the
    log-odds); for the box the mean distances to its sides in strides; for the centerness its mean, where cross entropy
    is least.

    Args:
        points: the P points.
        batches: the images with their boxes; pixels are not looked at.
        classes: how many the detector tells apart.

    Returns:
        The sums by name and the number of foreground points, as `fcos_losses` gives them.
    """
    targets = [Targets.of(points, batch) for batch in batches]
    everywhere = len(points.strides) * sum(len(batch) for batch in batches)
    labels = torch.cat([t.labels for t in targets])
    owners = torch.bincount(labels, minlength=classes).double()
    central = torch.cat([t.central for t in targets])
    sides = torch.cat([_sides(points, t) for t in targets]).mean(0, keepdim=True).nan_to_num()
    boxes = [box_loss(points, t, sides.expand(len(t.point), 4)).sum() for t in targets]
    said = torch.logit(central.mean(), eps=1e-6).nan_to_num().expand_as(central)
    return {
        "classification": _least_focal(owners, everywhere).sum().float(),
        "box": torch.stack(boxes).sum(),
        "centerness": binary_cross_entropy_with_logits(said, central, reduction="sum"),
    }, torch.tensor(float(len(labels)))


def _sides(points: Points, targets: Targets) -> Tensor:
    """(F, 4) distances from each foreground point to its box's sides, in strides; never below 0, as the head's."""
    centres = points.centres[targets.point]
    sides = torch.cat([centres - targets.boxes[:, :2], targets.boxes[:, 2:] - centres], 1)
    return (sides / points.strides[targets.point, None]).clamp(min=0)


def _least_focal(owners: Tensor, everywhere: int) -> Tensor:
    """(C,) the least focal loss summed over all points, of which `owners` (C,) answer for the class."""
    logits = torch.arange(LOWEST, HIGHEST, STEP, dtype=torch.float64)
    p, hit, miss = logits.sigmoid(), -logits.sigmoid().log(), -(-logits).sigmoid().log()
    found = ALPHA * (1 - p) ** GAMMA * hit
    background = (1 - ALPHA) * p**GAMMA * miss
    return (owners[:, None] * found + (everywhere - owners[:, None]) * background).amin(1)
