"""Bringing together what the processes found."""

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


def running() -> bool:
    """Whether this is one of several processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def processes() -> int:
    """How many processes there are."""
    return dist.get_world_size() if running() else 1


def everyone(value: T) -> list[T]:
    """The values of all processes in the order of their ranks, on every one of them; every process must call it."""
    if not running():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def total(count: Tensor) -> Tensor:
    """A count added up over the processes; every process must call it."""
    if not running():
        return count
    summed = count.detach().clone()
    dist.all_reduce(summed)
    return summed


@torch.no_grad()
def share_buffers(module: torch.nn.Module) -> None:
    """Give every process the mean of all processes' floating-point buffers (batch statistics), in place.

    Every process sees other images, so their batch statistics drift apart; evaluated with their own they would not
    find the same.
    """
    if not running():
        return
    for buffer in module.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= dist.get_world_size()
