"""Which normalisation a network has: batch statistics are poor where a process has few images."""

from typing import Literal

import torch
import torch.distributed as dist
from timm.layers.norm_act import BatchNormAct2d, GroupNormAct, convert_sync_batchnorm, freeze_batch_norm_2d
from torch import nn

from detaug.errors import InputError

Norm = Literal["batch", "frozen", "group", "sync"]

GROUPS, LEAST = 32, 4


def set_norm(network: nn.Module, norm: Norm) -> int:
    """Change the batch normalisation of a network, in place; the weights' names stay.

    Args:
        network: the module whose children are changed.
        norm: `batch` leaves it. `frozen` keeps statistics, weights and biases as they are, which makes sense where
            they were learnt elsewhere. `group` puts GroupNorm in its place (Wu and He, 2018), which does not look at
            other images; weights and biases stay, but what was learnt with batch statistics must learn anew. `sync`
            takes the statistics over all processes, on GPUs.

    Returns:
        How many layers were changed.
    """
    if norm == "batch":
        return 0
    changed = 0
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, _converted(child, norm))
            changed += 1
        else:
            changed += set_norm(child, norm)
    return changed


def refuse_on_cpus(norm: Norm | None, device: torch.device) -> None:
    """See to it that statistics over all processes can be taken; torch takes them on GPUs only.

    A lone process has nothing to bring together and may be on a CPU, but not one that was started as one of several:
    torch refuses before it counts them.

    Args:
        norm: the network's.
        device: where a process trains.

    Raises:
        InputError: they are asked for among processes on CPUs.
    """
    if norm == "sync" and device.type == "cpu" and dist.is_available() and dist.is_initialized():
        raise InputError("model.norm: sync needs GPUs; on CPUs take group or frozen.")


def _converted(layer: nn.BatchNorm2d, norm: Norm) -> nn.Module:
    if norm == "frozen":
        frozen: nn.Module = freeze_batch_norm_2d(layer)  # type: ignore[no-untyped-call]
        return frozen
    if norm == "sync":
        synchronised: nn.Module = convert_sync_batchnorm(layer)  # type: ignore[no-untyped-call]
        return synchronised
    groups = groups_of(layer.num_features)
    grouped: nn.Module
    if isinstance(layer, BatchNormAct2d):  # timm's, with an activation inside
        grouped = GroupNormAct(layer.num_features, groups, eps=layer.eps, affine=layer.affine)
        grouped.act, grouped.drop = layer.act, layer.drop
    else:
        grouped = nn.GroupNorm(groups, layer.num_features, eps=layer.eps, affine=layer.affine)
    if layer.affine:
        grouped.load_state_dict({"weight": layer.weight, "bias": layer.bias}, strict=False)
    return grouped


def groups_of(channels: int) -> int:
    """The most groups, up to 32, of equal size with at least four channels each; fewer channels are one group.

    >>> [groups_of(channels) for channels in (3, 16, 24, 40, 72, 256)]
    [1, 4, 6, 10, 18, 32]
    """
    most = min(GROUPS, channels // LEAST)
    return next((n for n in range(most, 1, -1) if channels % n == 0), 1)
