"""FCOS, put together from torchvision's pieces."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList

from detaug.batches.batch import Batch
from detaug.detectors.assign import Points
from detaug.detectors.chance import chance_losses
from detaug.detectors.dropout import place_dropout
from detaug.detectors.losses import box_losses, fcos_losses
from detaug.detectors.norms import Norm, set_norm
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
        label_smoothing: of the classification targets in training mode; evaluation measures against the plain ones.
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
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 0.5:
            raise InputError(f"label_smoothing: expected at least 0 and below 0.5, got {label_smoothing}.")
        self.classes, self.label_smoothing = classes, label_smoothing
        self.strides = cast("tuple[int, ...]", pyramid.strides)
        sizes = tuple((stride,) for stride in self.strides)
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
        points, heads = self._heads(batch)
        found = self._detect(points, heads, (size[0], size[1])) if detections else None
        if not losses:
            return Forward({}, points.anchors.new_zeros(()), found)
        by_image = fcos_losses(points, heads, batch, self.label_smoothing if self.training else 0.0)
        return Forward({n: v.sum() for n, v in by_image.losses.items()}, by_image.counts.sum(), found, by_image)

    def box_losses(self, batch: Batch) -> Tensor:
        """How badly each box is found, see `detaug.detectors.losses.box_losses`."""
        return box_losses(*self._heads(batch), batch)

    @torch.no_grad()
    def chance_losses(self, batches: Sequence[Batch]) -> tuple[dict[str, Tensor], Tensor]:
        """What knowing the class frequencies alone costs, see `detaug.detectors.chance.chance_losses`."""
        height, width = batches[0].images.shape[2:]
        rows, columns = padding(height, width, 32)
        shape = (height + rows, width + columns)
        maps = [torch.empty((1, 1, math.ceil(shape[0] / s), math.ceil(shape[1] / s))) for s in self.strides]
        return chance_losses(self._points(torch.empty((1, 3, *shape)), maps), batches, self.classes)

    def _heads(self, batch: Batch) -> tuple[Points, dict[str, Tensor]]:
        """The canvas' points, and what the network says at each."""
        rows, columns = padding(batch.images.shape[2], batch.images.shape[3], 32)
        images = pad((batch.images - self.mean) / self.std, (0, columns, 0, rows))
        maps = list(self.network.backbone(images.contiguous(memory_format=torch.channels_last)).values())
        heads = {name: output.float() for name, output in self.network.head(maps).items()}
        return self._points(images, maps), heads

    @torch.no_grad()
    def _points(self, images: Tensor, maps: list[Tensor]) -> Points:
        anchors = self.network.anchor_generator(ImageList(images[:1], [images.shape[2:]]), maps)[0]
        return Points.of(anchors, tuple(m.shape[2] * m.shape[3] for m in maps))

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


def build_fcos(
    backbone: str,
    classes: int,
    channels: int = 64,
    head_convs: int = 2,
    dropout: float = 0.0,
    dropout_kind: str = "channel",
    label_smoothing: float = 0.0,
    norm: Norm | None = None,
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
        label_smoothing: see `Fcos`.
        norm: what stands where the backbone and the pyramid have batch normalisation, see `set_norm`; None leaves it,
            but freezes that of a pretrained `resnet50`, as torchvision does.
        pretrained: begin with trained weights. `resnet50` of 256 channels and 4 head convolutions begins with
            torchvision's COCO detector; other backbones with timm's weights.
        download: False where a checkpoint's weights follow: the network is built alike, but nothing is fetched.

    Raises:
        InputError: a setting that cannot be, or weights that cannot be fetched.
    """
    if backbone == "resnet50":
        pyramid: nn.Module = ResnetPyramid(channels, frozen=pretrained and norm is None)
        model = Fcos(pyramid, classes, head_convs, label_smoothing=label_smoothing)
        if pretrained and download:
            _load_coco(model, channels, head_convs)
    else:
        pyramid = timm_pyramid(backbone, channels, pretrained and download)
        model = Fcos(pyramid, classes, head_convs, label_smoothing=label_smoothing)
    set_norm(model.network.backbone, norm or "batch")
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
