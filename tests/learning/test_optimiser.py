from itertools import pairwise

import pytest
import torch
from torch import nn

from detaug.detectors.torchvision import build_fcos
from detaug.learning.optimiser import decay_groups, split_by_decay, warmup_cosine


@pytest.mark.parametrize("backbone", ["mobilenetv3_small_100", "vit_tiny_patch16_224"])
def test_every_parameter_is_in_exactly_one_group(backbone: str) -> None:
    model = build_fcos(backbone, 3, channels=32)
    decayed, spared = split_by_decay(model)
    ids = [id(p) for p in decayed + spared]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {id(p) for p in model.parameters()}


def test_norms_biases_and_position_embedding_do_not_decay() -> None:
    model = build_fcos("vit_tiny_patch16_224", 3, channels=32)
    decayed = {id(p) for p in split_by_decay(model)[0]}
    for name, p in model.named_parameters():
        spared = name.endswith("bias") or p.ndim <= 1 or "pos_embed" in name or "cls_token" in name
        assert (id(p) not in decayed) == spared, name


def test_frozen_parameters_are_in_their_groups_and_left_alone() -> None:
    """They may learn later, and a group that comes later breaks schedulers."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    groups = decay_groups(model, 0.1)
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(2, 0.1), (2, 0.0)]
    optimiser = torch.optim.AdamW(groups, lr=0.1)
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    assert {n for n, p in model.named_parameters() if not torch.equal(p, before[n])} == {"1.weight", "1.bias"}
    assert decay_groups(nn.Identity(), 0.1) == []


def test_the_optimiser_decays_weights_only() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = torch.optim.AdamW(decay_groups(model, 0.5), lr=0.1)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"0.weight"}


def test_the_curve_rises_then_falls() -> None:
    curve = [warmup_cosine(step, 100, 10, 0.02) for step in range(101)]
    assert curve[0] > 0
    assert all(a < b for a, b in pairwise(curve[:11]))
    assert max(curve) == curve[10] == 1
    assert all(a > b for a, b in pairwise(curve[10:]))
    assert curve[100] == pytest.approx(0.02)
    assert warmup_cosine(0, 0, 0, 0.1) == 1
