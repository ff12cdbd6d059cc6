"""Normalisation that does not lean on small batches."""

import copy

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from detaug.detectors.norms import groups_of, set_norm
from detaug.detectors.torchvision import Fcos, build_fcos
from tests.detectors.batches import BOXES, batch_of

BACKBONES = ["mobilenetv3_small_100", "resnet18", "vit_tiny_patch16_224"]


def net(backbone: str, norm: str | None = None) -> Fcos:
    torch.manual_seed(0)
    return build_fcos(backbone, 3, channels=32, head_convs=1, norm=norm)  # type: ignore[arg-type]


def statistics(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.SyncBatchNorm)]


def test_batch_is_what_it_was() -> None:
    assert net("resnet18", "batch").state_dict().keys() == net("resnet18").state_dict().keys()
    assert set_norm(nn.Sequential(nn.BatchNorm2d(8)), "batch") == 0


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("norm", ["frozen", "group"])
def test_an_image_is_judged_without_the_others_in_its_batch(backbone: str, norm: str) -> None:
    model = net(backbone, norm).train()
    assert statistics(model) == []
    batch = batch_of([BOXES[0], BOXES[1]])
    other = batch_of([BOXES[0], BOXES[1]], images=torch.cat([batch.images[:1], 255 - batch.images[1:]]))
    both = [model(b, losses=True, detections=False).images.losses["classification"][0] for b in (batch, other)]
    assert torch.allclose(both[0], both[1], rtol=1e-4)
    plain = net(backbone).train()
    both = [plain(b, losses=True, detections=False).images.losses["classification"][0] for b in (batch, other)]
    assert not torch.allclose(both[0], both[1], rtol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_frozen_finds_in_training_what_batch_finds_in_evaluation(backbone: str) -> None:
    plain = net(backbone)
    plain.train()(batch_of(BOXES), losses=True, detections=False)  # statistics that are not 0 and 1
    frozen = copy.deepcopy(plain)
    changed = set_norm(frozen.network.backbone, "frozen")
    assert changed == len(statistics(plain)) > 0
    batch = batch_of(BOXES, seed=3)
    expected = plain.eval()(batch, losses=True, detections=False).losses
    found = frozen.train()(batch, losses=True, detections=False).losses
    assert all(torch.allclose(found[n], expected[n], rtol=1e-4) for n in expected)
    layers = [m for m in frozen.modules() if isinstance(m, FrozenBatchNorm2d)]
    assert not [p for m in layers for p in m.parameters()]


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("norm", ["group", "sync", "frozen"])
def test_activations_and_names_stay(backbone: str, norm: str) -> None:
    """timm keeps activations inside of its norms; Lightning's own conversion loses them."""
    plain, other = net(backbone), net(backbone, norm)
    kinds = (nn.ReLU, nn.Hardswish, nn.GELU)
    assert sum(isinstance(m, kinds) for m in plain.modules()) == sum(isinstance(m, kinds) for m in other.modules())
    assert set(other.state_dict()) <= set(plain.state_dict())
    loose = {
        n for n in plain.state_dict() if n.rsplit(".")[-1] in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert set(plain.state_dict()) - set(other.state_dict()) <= loose


def test_group_norm_normalises_each_group() -> None:
    block = nn.Sequential(nn.BatchNorm2d(24))
    assert set_norm(block, "group") == 1
    out = block(5 + 3 * torch.randn(2, 24, 8, 8))
    groups = out.reshape(2, groups_of(24), -1)
    assert groups.mean(2).abs().max() < 1e-5
    assert groups.std(2).mean().item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("channels", range(1, 300))
def test_groups_divide_the_channels(channels: int) -> None:
    groups = groups_of(channels)
    assert channels % groups == 0
    assert 1 <= groups <= 32
    assert groups == 1 or channels // groups >= 4
