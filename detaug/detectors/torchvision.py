"""FCOS, put together from torchvision's pieces."""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from detaug.batches.batch import Batch
from detaug.detectors.assign import Points, assign, centerness
from detaug.detectors.dropout import place_dropout
from detaug.detectors.protocol import Detections, Detector, Forward
from detaug.detectors.pyramids import ResnetPyramid, no_weights, padding, timm_pyramid
from detaug.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, what pretrained backbones saw
COCO_CHANNELS, COCO_CONVS = 256, 4


class Fcos(Detector):
    """torchvision's FCOS on the canvas as it is, without torchvision's own resizing.

    Args:
        pyramid: gives maps of `out_channels` at its `strides`.
        classes: how many classes the head tells apart.
        head_convs: convolutions in each branch of the head.
        score_threshold: detections below are not given; low, because AP counts them.
        nms_threshold: boxes of one class that overlap more are one.
        most: detections per image.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        pyramid: nn.Module,
        classes: int,
        head_convs: int = 2,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.6,
        most: int = 100,
    ) -> None:
        super().__init__()
        sizes = tuple((stride,) for stride in cast("tuple[int, ...]", pyramid.strides))
        head = FCOSHead(pyramid.out_channels, 1, classes, num_convs=head_convs)
        nn.init.ones_(head.regression_head.bbox_reg.bias)  # boxes begin two strides wide; at 0 half the ReLUs are dead
        self.network = FCOS(
            pyramid,
            classes,
            anchor_generator=AnchorGenerator(sizes, ((1.0,),) * len(sizes)),
            head=head,
            score_thresh=score_threshold,
            nms_thresh=nms_threshold,
            detections_per_img=most,
        )
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, batch: Batch, *, losses: bool, detections: bool) -> Forward:
        """One pass over B images; the normaliser is the number of points that answer for a box."""
        size = batch.images.shape[2:]
        rows, columns = padding(size[0], size[1], 32)
        images = pad((batch.images - self.mean) / self.std, (0, columns, 0, rows))
        maps = list(self.network.backbone(images.contiguous(memory_format=torch.channels_last)).values())
        heads = {name: output.float() for name, output in self.network.head(maps).items()}
        with torch.no_grad():
            anchors = self.network.anchor_generator(ImageList(images[:1], [images.shape[2:]]), maps)[0]
            points = Points.of(anchors, tuple(m.shape[2] * m.shape[3] for m in maps))
        parts, count = fcos_losses(points, heads, batch) if losses else ({}, anchors.new_zeros(()))
        found = self._detect(points, heads, (size[0], size[1])) if detections else None
        return Forward(parts, count, found)

    @torch.no_grad()
    def _detect(self, points: Points, heads: dict[str, Tensor], size: tuple[int, int]) -> Detections:
        images = len(heads["cls_logits"])
        by_map = {name: list(torch.split(output.detach(), list(points.per_map), 1)) for name, output in heads.items()}
        anchors = [list(torch.split(points.anchors, list(points.per_map)))] * images
        found = self.network.postprocess_detections(by_map, anchors, [size] * images)
        counts = torch.tensor([0] + [len(f["scores"]) for f in found], device=points.anchors.device)
        return Detections(
            boxes=torch.cat([f["boxes"] for f in found]),
            scores=torch.cat([f["scores"] for f in found]),
            labels=torch.cat([f["labels"] for f in found]),
            starts=counts.cumsum(0),
        )


def fcos_losses(points: Points, heads: dict[str, Tensor], batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
    """FCOS's three losses as sums: focal loss, GIoU loss, and cross entropy of the centerness.

    They equal torchvision's `FCOSHead.compute_loss` times its count of foreground points, save for boxes that hold no
    point. A batch without boxes gives zeros that still reach every weight of the head.

    Args:
        points: the P points.
        heads: `cls_logits` (B, P, C), `bbox_regression` (B, P, 4), `bbox_ctrness` (B, P, 1).
        batch: the B images with their boxes.

    Returns:
        The sums by name, and the number of foreground points.
    """
    with torch.no_grad():
        bounds = batch.starts.tolist()
        owners = [assign(points, batch.boxes[a:b]) for a, b in pairwise(bounds)]
        owner = torch.stack([torch.where(o < 0, o, o + a) for o, a in zip(owners, bounds, strict=False)])
        image, point = torch.nonzero(owner >= 0, as_tuple=True)
        boxes, labels = batch.boxes[owner[image, point]], batch.labels[owner[image, point]]
        wanted = torch.zeros_like(heads["cls_logits"])
        wanted[image, point, labels] = 1
        central = centerness(points.centres[point], boxes)
    logits, sides = heads["cls_logits"], heads["bbox_regression"][image, point]
    scale = points.strides[point, None]
    guess = points.centres[point].repeat(1, 2) + sides * scale * sides.new_tensor([-1, -1, 1, 1])
    return {
        "classification": sigmoid_focal_loss(logits, wanted, reduction="sum"),
        "box": generalized_box_iou_loss(guess, boxes, reduction="sum"),
        "centerness": binary_cross_entropy_with_logits(
            heads["bbox_ctrness"][image, point, 0], central, reduction="sum"
        ),
    }, logits.new_tensor(len(image))


def build_fcos(
    backbone: str,
    classes: int,
    channels: int = 64,
    head_convs: int = 2,
    dropout: float = 0.0,
    dropout_kind: str = "channel",
    pretrained: bool = False,
    download: bool = True,
) -> Fcos:
    """An FCOS on a backbone by name.

    Args:
        backbone: `resnet50` (torchvision's, with maps P3 to P7), or a timm name: a convolutional network with maps of
            strides 8, 16, 32, or a plain ViT with patches of 16 pixels.
        classes: how many.
        channels: width of the pyramid and the head, a multiple of 32 (the head's group norm).
        head_convs: convolutions in each branch of the head.
        dropout: rate in the head; 0 places none.
        dropout_kind: `channel` or `element`.
        pretrained: begin with trained weights. `resnet50` of 256 channels and 4 head convolutions begins with
            torchvision's COCO detector, its batch statistics frozen; other backbones with timm's weights.
        download: False where a checkpoint's weights follow: the network is built alike, but nothing is fetched.

    Raises:
        InputError: a setting that cannot be, or weights that cannot be fetched.
    """
    if backbone == "resnet50":
        model = Fcos(ResnetPyramid(channels, frozen=pretrained), classes, head_convs)
        if pretrained and download:
            _load_coco(model, channels, head_convs)
    else:
        model = Fcos(timm_pyramid(backbone, channels, pretrained and download), classes, head_convs)
    place_dropout(model.network.head, dropout, dropout_kind)
    return model.to(memory_format=torch.channels_last)  # the faster layout for convolutions


def _load_coco(model: Fcos, channels: int, head_convs: int) -> None:
    if (channels, head_convs) != (COCO_CHANNELS, COCO_CONVS):
        raise InputError(
            f"resnet50 with pretrained: true needs channels: {COCO_CHANNELS} and head_convs: {COCO_CONVS}, "
            f"got {channels} and {head_convs}."
        )
    try:
        weights = FCOS_ResNet50_FPN_Weights.DEFAULT.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise no_weights("resnet50") from error
    kept = {name: w for name, w in weights.items() if "cls_logits" not in name}
    model.network.load_state_dict(kept, strict=False)
