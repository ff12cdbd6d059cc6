"""Which weights decay, and how the learning rate runs."""

import math
from typing import Any

from torch import nn
from torch.nn import Parameter


def split_by_decay(model: nn.Module) -> tuple[list[Parameter], list[Parameter]]:
    """The parameters that shall decay, and those that shall not, frozen ones too.

    Norms, biases, everything of one dimension, and what a timm backbone names in `no_weight_decay()` (a ViT's
    position embedding) set the scale and offset of features: pulling them to zero only takes away fit.

    Returns:
        Decayed and undecayed parameters; each parameter in exactly one list.
    """
    spared = {id(p) for module in model.modules() for p in _named_by_model(module)}
    kept = [p for p in model.parameters() if p.ndim > 1 and id(p) not in spared]
    return kept, [p for p in model.parameters() if p.ndim <= 1 or id(p) in spared]


def _named_by_model(module: nn.Module) -> list[Parameter]:
    names = getattr(module, "no_weight_decay", None)
    if not callable(names):
        return []
    wanted = names()
    return [p for name, p in module.named_parameters() if name in wanted]


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimiser: with weight decay, and without.

    What is frozen is in them too: it has no gradient, so the optimiser leaves it alone, and it may be unfrozen later.
    """
    decayed, spared = split_by_decay(model)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def warmup_cosine(step: int, total: int, warmup: int, final_share: float) -> float:
    """The learning rate's factor: a line up to 1, then half a cosine down (Loshchilov and Hutter, 2017, SGDR).

    Args:
        step: optimiser steps taken.
        total: steps of the whole training.
        warmup: steps of the line; the first step already learns with 1 / (warmup + 1).
        final_share: the factor at the end.

    >>> [round(warmup_cosine(step, 10, 2, 0.1), 3) for step in (0, 1, 2, 6, 10, 99)]
    [0.333, 0.667, 1.0, 0.55, 0.1, 0.1]
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * done))
