"""Penalties on the size of the weights, which are added to the loss."""

from collections.abc import Sequence

import torch
from torch import Tensor


def penalties(weights: Sequence[Tensor], l1: float, l2: float) -> dict[str, Tensor]:
    """The penalties that are not zero, by name.

    `l2` is l2/2 times the sum of the squared weights, so its gradient is l2 times the weight. Under plain gradient
    descent that is weight decay; under Adam it is not: the gradient of the penalty is divided by the root of the mean
    squared gradient like all else, so weights with large gradients are pulled less. Decoupled weight decay, which is
    `weight_decay`, pulls all alike (Loshchilov and Hutter, 2019, "Decoupled Weight Decay Regularization").

    `l1` is l1 times the sum of the absolute weights. Its pull does not weaken as a weight gets small, so what the loss
    does not need goes to zero.

    >>> found = penalties([torch.tensor([[3.0, -4.0]])], l1=0.1, l2=0.1)
    >>> {name: round(value.item(), 6) for name, value in found.items()}
    {'l1': 0.7, 'l2': 1.25}
    """
    found: dict[str, Tensor] = {}
    if l1 and weights:
        found["l1"] = l1 * torch.stack([w.abs().sum() for w in weights]).sum()
    if l2 and weights:
        found["l2"] = l2 / 2 * torch.stack([w.square().sum() for w in weights]).sum()
    return found
