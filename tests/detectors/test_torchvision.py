import copy
from itertools import pairwise
from typing import Any

import pytest
import timm
import torch
from torch import Tensor
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights
from torchvision.models.detection.image_list import ImageList

from detaug.detectors.protocol import Detections, Forward
from detaug.detectors.torchvision import Fcos, build_fcos
from detaug.errors import InputError
from tests.detectors.batches import BOXES, batch_of


@pytest.fixture(scope="module")
def model() -> Fcos:
    torch.manual_seed(0)
    return build_fcos("mobilenetv3_small_100", 3)


def backward(out: Forward) -> None:
    torch.autograd.backward(torch.stack(list(out.losses.values())).sum())


def test_empty_batch_gives_every_parameter_a_gradient(model: Fcos) -> None:
    net = copy.deepcopy(model).train()
    out = net(batch_of([[], []]), losses=True, detections=False)
    assert out.normaliser == 0
    assert out.losses["box"] == 0
    backward(out)
    missing = [name for name, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert missing == []


def torchvision_losses(net: Fcos, images: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What torchvision's own FCOS computes from the same weights, each part divided by its count."""
    normal = (images - net.mean) / net.std
    maps = list(net.network.backbone(normal).values())
    anchors = net.network.anchor_generator(ImageList(normal, [tuple(normal.shape[2:])] * len(images)), maps)
    losses: dict[str, Tensor] = net.network.compute_loss(
        targets, net.network.head(maps), anchors, [m.shape[2] * m.shape[3] for m in maps]
    )
    return losses


def test_sums_over_normaliser_equal_torchvisions_losses(model: Fcos) -> None:
    net = copy.deepcopy(model).eval()
    batch = batch_of([*BOXES, []])
    out = net(batch, losses=True, detections=False)
    bounds = batch.starts.tolist()
    targets = [{"boxes": batch.boxes[a:b], "labels": batch.labels[a:b]} for a, b in pairwise(bounds)]
    expected = torchvision_losses(net, batch.images, targets)
    assert out.normaliser > 5
    names = {"classification": "classification", "box": "bbox_regression", "centerness": "bbox_ctrness"}
    for ours, theirs in names.items():
        assert (out.losses[ours] / out.normaliser).item() == pytest.approx(expected[theirs].item(), rel=1e-5)


def test_losses_and_detections_come_from_one_pass_in_either_mode(model: Fcos) -> None:
    batch = batch_of(BOXES)
    for net in (copy.deepcopy(model).train(), copy.deepcopy(model).eval()):
        out = net(batch, losses=True, detections=True)
        assert set(out.losses) == {"classification", "box", "centerness"}
        assert isinstance(out.detections, Detections)
        only = net(batch, losses=False, detections=False)
        assert (only.losses, only.detections) == ({}, None)


def test_detections_are_packed_sorted_and_inside(model: Fcos) -> None:
    net = copy.deepcopy(model).eval()
    images = torch.randint(0, 256, (2, 3, 100, 130), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    found = net(batch_of([[], []], images=images), losses=False, detections=True).detections
    assert found is not None
    assert len(found) == 2
    assert int(found.starts[-1]) == len(found.scores) > 0
    assert (found.boxes[:, 2:] <= torch.tensor([130.0, 100.0])).all()
    assert (found.boxes >= 0).all()
    for a, b in pairwise(found.starts.tolist()):
        assert b - a <= 100
        assert (found.scores[a:b].diff() <= 0).all()


def test_a_side_that_is_no_multiple_of_32_is_padded_with_the_mean(model: Fcos) -> None:
    net = copy.deepcopy(model).eval()
    images = torch.randint(0, 256, (1, 3, 64, 80), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    grey = net.mean.round().to(torch.uint8).expand(1, 3, 64, 16)
    boxes = [[[8.0, 8.0, 40.0, 40.0]]]
    narrow = net(batch_of(boxes, images=images), losses=True, detections=False)
    wide = net(batch_of(boxes, images=torch.cat([images, grey], 3)), losses=True, detections=False)
    assert narrow.losses["box"].item() == pytest.approx(wide.losses["box"].item(), rel=1e-2)
    assert narrow.normaliser == wide.normaliser


def test_an_untrained_head_expects_background(model: Fcos) -> None:
    heads = copy.deepcopy(model).eval().network.head([torch.zeros(1, 64, 4, 4)] * 3)
    assert heads["cls_logits"].sigmoid().mean().item() == pytest.approx(0.01, rel=0.1)


def test_default_size(model: Fcos) -> None:
    assert 1.15e6 < sum(p.numel() for p in model.parameters()) < 1.3e6


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto", "resnet50"])
def test_other_backbones_learn_from_any_canvas(name: str) -> None:
    net = build_fcos(name, 3, channels=32, head_convs=1, dropout=0.2).train()
    out = net(batch_of(BOXES), losses=True, detections=True)
    backward(out)
    assert [n for n, p in net.named_parameters() if p.grad is None] == []
    assert out.normaliser > 0


def test_vit_is_exact_about_its_grid() -> None:
    net = build_fcos("vit_tiny_patch16_224", 3, channels=32).eval()
    maps = net.network.backbone(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape[2:]) for m in maps.values()] == [(8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize("name", ["no_such_model", "vit_tiny_patch32_no", "vit_small_patch32_224"])
def test_a_backbone_that_does_not_fit_is_named(name: str) -> None:
    with pytest.raises(InputError, match=name):
        build_fcos(name, 3)


def test_offline_names_the_alternative(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(type(FCOS_ResNet50_FPN_Weights.DEFAULT), "get_state_dict", offline)
    with pytest.raises(InputError, match=r"init_from.*pretrained: false"):
        build_fcos("resnet50", 3, channels=256, head_convs=4, pretrained=True)
    real = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda n, **k: offline() if k.get("pretrained") else real(n, **k))
    with pytest.raises(InputError, match=r"init_from.*pretrained: false"):
        build_fcos("mobilenetv3_small_100", 3, pretrained=True)
    with pytest.raises(InputError, match="256"):
        build_fcos("resnet50", 3, channels=64, pretrained=True)


def test_coco_weights_fit_all_but_the_class_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    source = build_fcos("resnet50", 91, channels=256, head_convs=4, pretrained=True, download=False)
    weights = {k: torch.full_like(v, 0.5) for k, v in source.network.state_dict().items()}
    monkeypatch.setattr(type(FCOS_ResNet50_FPN_Weights.DEFAULT), "get_state_dict", lambda *_, **__: weights)
    net = build_fcos("resnet50", 3, channels=256, head_convs=4, pretrained=True, dropout=0.1)
    other = [n for n, v in net.network.state_dict().items() if not (v == 0.5).all()]
    assert [n for n in other if "cls_logits" not in n] == []
    assert len(other) == 2
