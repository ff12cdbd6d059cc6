"""Backbones with a feature pyramid on top: images in, maps of one width at falling resolution out."""

import math
from typing import Any, cast

import timm
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from detaug.errors import InputError

STRIDES = (8, 16, 32)


class ConvPyramid(nn.Module):
    """A convolutional timm backbone with torchvision's feature pyramid on strides 8, 16 and 32."""

    strides = STRIDES

    def __init__(self, body: nn.Module, reductions: list[int], widths: list[int], channels: int) -> None:
        super().__init__()
        self.body = body
        self.taken = [reductions.index(stride) for stride in STRIDES]
        self.out_channels = channels
        self.fpn = FeaturePyramidNetwork([widths[i] for i in self.taken], channels, norm_layer=nn.BatchNorm2d)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) normalised images to three maps of `channels`, finest first."""
        maps = self.body(images)
        return cast("dict[str, Tensor]", self.fpn({str(i): maps[i] for i in self.taken}))


class VitPyramid(nn.Module):
    """A plain ViT of stride 16 with the simple feature pyramid of Li et al. (2022, arXiv 2203.16527).

    Its one map is enlarged by a transposed convolution, kept, and halved by max-pooling; each then passes a 1x1 and a
    3x3 convolution. BatchNorm stands where the paper has LayerNorm.
    """

    strides = STRIDES

    def __init__(self, body: nn.Module, width: int, channels: int) -> None:
        super().__init__()
        self.body = body
        self.out_channels = channels
        self.scales = nn.ModuleList([nn.ConvTranspose2d(width, width, 2, 2), nn.Identity(), nn.MaxPool2d(2)])
        self.levels = nn.ModuleList(
            nn.Sequential(
                Conv2dNormActivation(width, channels, 1, activation_layer=None),
                Conv2dNormActivation(channels, channels, 3, activation_layer=None),
            )
            for _ in STRIDES
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) normalised images, sides multiples of 32, to three maps of `channels`, finest first."""
        height, width = images.shape[2] // 16, images.shape[3] // 16
        tokens = self.body.forward_features(images)  # type: ignore[operator]
        patches = tokens[:, tokens.shape[1] - height * width :]  # class and register tokens come first
        grid = patches.transpose(1, 2).unflatten(2, (height, width))
        return {
            str(i): level(scale(grid)) for i, (scale, level) in enumerate(zip(self.scales, self.levels, strict=True))
        }


class ResnetPyramid(BackboneWithFPN):  # type: ignore[misc]
    """torchvision's ResNet-50 with its pyramid on strides 8 to 128 (P3 to P7), as its FCOS has it."""

    strides = (8, 16, 32, 64, 128)

    def __init__(self, channels: int, frozen: bool) -> None:
        body = resnet50(weights=None, norm_layer=FrozenBatchNorm2d if frozen else nn.BatchNorm2d)
        layers = {"layer2": "0", "layer3": "1", "layer4": "2"}
        extra = LastLevelP6P7(channels, channels)
        super().__init__(body, layers, [512, 1024, 2048], channels, extra_blocks=extra)


def timm_pyramid(name: str, channels: int, pretrained: bool) -> ConvPyramid | VitPyramid:
    """The pyramid on a timm backbone, a convolutional one or a plain ViT with patches of 16 pixels.

    Args:
        name: timm's name, such as `mobilenetv3_small_100`.
        channels: width of the maps.
        pretrained: fetch timm's weights.

    Raises:
        InputError: the name is unknown, its maps do not fit, or the weights cannot be fetched.
    """
    if not timm.is_model(name):
        raise InputError(f"backbone: {name!r} is neither resnet50 nor a model of timm {timm.__version__}.")
    try:
        body: Any = timm.create_model(name, features_only=True, pretrained=False)
        reductions, widths = body.feature_info.reduction(), body.feature_info.channels()
        plain = set(reductions) == {16}
        if not plain and not set(STRIDES) <= set(reductions):
            raise InputError(f"backbone: {name!r} has maps of strides {reductions}, but 8, 16 and 32 are needed.")
        if plain:
            settings: dict[str, Any] = {"num_classes": 0, "global_pool": "", "dynamic_img_size": True}
            return VitPyramid(timm.create_model(name, pretrained=pretrained, **settings), widths[-1], channels)
        if pretrained:
            body = timm.create_model(name, features_only=True, pretrained=True)
    except InputError:
        raise
    except Exception as error:  # the hub's client raises errors of several libraries
        if pretrained:
            raise no_weights(name) from error
        raise InputError(f"backbone: timm's {name!r} gives no feature maps ({error}).") from error
    return ConvPyramid(body, reductions, widths, channels)


def no_weights(name: str) -> InputError:
    """The error where pretrained weights cannot be fetched."""
    return InputError(
        f"The pretrained weights of {name} cannot be fetched: go online, name a file of weights with "
        "model.init_from, or set model.pretrained: false."
    )


def padding(height: int, width: int, multiple: int) -> tuple[int, int]:
    """Rows and columns to add so that both sides are multiples.

    >>> padding(320, 330, 32)
    (0, 22)
    """
    return math.ceil(height / multiple) * multiple - height, math.ceil(width / multiple) * multiple - width
