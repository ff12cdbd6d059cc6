"""Losses against slow references, and the loss of chance against what gradient descent finds."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from detaug.detectors.assign import Points
from detaug.detectors.losses import Targets, box_losses, fcos_losses, focal_loss, smoothed
from detaug.detectors.torchvision import Fcos, build_fcos
from detaug.errors import InputError
from tests.detectors.batches import BOXES, batch_of


@pytest.fixture(scope="module")
def model() -> Fcos:
    torch.manual_seed(0)
    return build_fcos("mobilenetv3_small_100", 3, channels=32, head_convs=1).eval()


def said(model: Fcos, batch: Any) -> tuple[Points, dict[str, Tensor]]:
    with torch.no_grad():
        return model._heads(batch)


def test_each_image_loses_what_it_would_lose_alone(model: Fcos) -> None:
    boxes = [*BOXES, []]
    together = batch_of(boxes, seed=1)
    found = fcos_losses(*said(model, together), together)
    for i, alone in enumerate(boxes):
        batch = batch_of([alone], images=together.images[i : i + 1])
        one = fcos_losses(*said(model, batch), batch)
        assert one.counts.item() == found.counts[i]
        for name, value in one.losses.items():
            assert value.item() == pytest.approx(found.losses[name][i].item(), rel=1e-4, abs=1e-5)


def test_a_boxs_loss_is_the_mean_over_its_points(model: Fcos) -> None:
    batch = batch_of(BOXES, seed=1)
    points, heads = said(model, batch)
    found = box_losses(points, heads, batch)
    targets = Targets.of(points, batch)
    for box in range(3):
        own = torch.nonzero(targets.owner == box)[:, 0].tolist()
        slow = 0.0
        for i in own:
            image, point = int(targets.image[i]), int(targets.point[i])
            left, top, right, bottom = (heads["bbox_regression"][image, point] * points.strides[point]).tolist()
            x, y = points.centres[point].tolist()
            slow += giou_loss((x - left, y - top, x + right, y + bottom), targets.boxes[i].tolist())
            for c, logit in enumerate(heads["cls_logits"][image, point].tolist()):
                p = 1 / (1 + math.exp(-logit))
                right_class = c == int(targets.labels[i])
                slow += -0.25 * (1 - p) ** 2 * math.log(p) if right_class else -0.75 * p**2 * math.log(1 - p)
        assert found[box].item() == pytest.approx(slow / len(own), rel=1e-3)


def giou_loss(a: tuple[float, ...], b: list[float]) -> float:
    def area(box: Sequence[float]) -> float:
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    inter = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    hull = area((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    union = area(a) + area(b) - inter
    return 1 - inter / union + (hull - union) / hull


def test_a_box_without_points_of_its_own_has_no_loss(model: Fcos) -> None:
    same = [[[40.0, 40.0, 60.0, 60.0], [40.0, 40.0, 60.0, 60.0]]]
    batch = batch_of(same)
    first, second = box_losses(*said(model, batch), batch).tolist()
    assert math.isfinite(first)
    assert math.isnan(second)


def test_smoothing_moves_foreground_alone(model: Fcos) -> None:
    batch = batch_of(BOXES)
    points, heads = said(model, batch)
    targets = Targets.of(points, batch)
    wanted = smoothed(targets, heads["cls_logits"], 0.2)
    front = wanted[targets.image, targets.point]
    assert torch.allclose(front.sum(1), torch.ones(len(front)))
    assert torch.allclose(front.amax(1), torch.full((len(front),), 0.8))
    assert torch.allclose(front.amin(1), torch.full((len(front),), 0.1))
    assert wanted.sum().item() == pytest.approx(len(front), rel=1e-5)


def test_the_soft_focal_loss_is_the_focal_loss_at_0_and_1_and_least_where_it_should_be() -> None:
    logits = torch.linspace(-8, 8, 4001)
    for hard in (0.0, 1.0):
        wanted = torch.full_like(logits, hard)
        assert torch.allclose(focal_loss(logits, wanted, soft=True), focal_loss(logits, wanted, soft=False), atol=1e-6)
    for soft in (0.1, 0.5, 0.9):
        losses = focal_loss(logits, torch.full_like(logits, soft), soft=True)
        assert logits[losses.argmin()].sigmoid().item() == pytest.approx(soft, abs=0.01)


def test_smoothing_is_for_training_alone() -> None:
    nets = []
    for smoothing in (0.0, 0.2):
        torch.manual_seed(0)
        nets.append(build_fcos("mobilenetv3_small_100", 3, channels=32, head_convs=1, label_smoothing=smoothing))
    batch = batch_of(BOXES)
    plain, soft = (n.eval()(batch, losses=True, detections=False).losses["classification"] for n in nets)
    assert torch.equal(plain, soft)
    plain, soft = (n.train()(batch, losses=True, detections=False).losses["classification"] for n in nets)
    assert not torch.allclose(plain, soft, rtol=1e-3)
    with pytest.raises(InputError, match=r"label_smoothing.*0\.5"):
        build_fcos("mobilenetv3_small_100", 3, label_smoothing=0.5)


def test_chance_is_the_best_that_a_constant_can_do(model: Fcos) -> None:
    """Gradient descent over one logit per class finds nothing better, and nearly the same."""
    batch = batch_of([[[5.0, 6.0, 20.0, 22.0], [30.0, 25.0, 38.0, 33.0]], [], [[2.0, 2.0, 60.0, 55.0]]], side=64)
    sums, count = model.chance_losses([batch])
    points, heads = said(model, batch)
    logits = torch.full((3,), -3.0, requires_grad=True)
    sides, central = torch.full((4,), 2.0, requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.Adam([logits, sides, central], lr=0.06)
    for _ in range(250):
        constant = {
            "cls_logits": logits.expand_as(heads["cls_logits"]),
            "bbox_regression": sides.expand_as(heads["bbox_regression"]),
            "bbox_ctrness": central.expand_as(heads["bbox_ctrness"]),
        }
        found = fcos_losses(points, constant, batch)
        optimiser.zero_grad()
        torch.stack([v.sum() for v in found.losses.values()]).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert count == found.counts.sum()
    for name in ("classification", "centerness"):
        best = found.losses[name].sum().item()
        assert sums[name].item() == pytest.approx(best, rel=2e-3)
        assert sums[name].item() <= best * (1 + 1e-5)
    assert sums["box"].item() < 1.3 * found.losses["box"].sum().item()


def test_chance_without_any_box_is_nothing(model: Fcos) -> None:
    sums, count = model.chance_losses([batch_of([[], []])])
    assert count == 0
    assert all(abs(v.item()) < 1e-3 for v in sums.values())


@pytest.mark.parametrize(("side", "name"), [((100, 130), "mobilenetv3_small_100"), ((96, 160), "resnet50")])
def test_chance_has_the_points_of_the_network(side: tuple[int, int], name: str) -> None:
    net = build_fcos(name, 3, channels=32, head_convs=1).eval()
    images = torch.zeros((1, 3, *side), dtype=torch.uint8)
    batch = batch_of([[[8.0, 8.0, 40.0, 40.0]]], images=images)
    _, count = net.chance_losses([batch])
    assert count == net(batch, losses=True, detections=False).normaliser
