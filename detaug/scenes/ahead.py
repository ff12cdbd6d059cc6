"""Planning ahead of a caller who goes through an epoch one place after the other."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from detaug.draws.draw import Draw
from detaug.scenes.recipe import BLOCK

Plan = TypeVar("Plan")


class Ahead(Generic[Plan]):
    """Plans one at a time, made in blocks as soon as they are asked for in order; they are the same either way.

    A block is twice as long as the one before it, so that what is planned in vain is less than what was used.

    Args:
        plans: plans several draws.
        following: the draws after a draw, at most so many.
    """

    def __init__(
        self, plans: Callable[[Sequence[Draw]], Iterable[Plan]], following: Callable[[Draw, int], list[Draw]]
    ) -> None:
        self._plans, self._following = plans, following
        self._ready: dict[Draw, Plan] = {}
        self._next: Draw | None = None
        self._count = 1

    def planned(self, draw: Draw) -> Plan:
        """The plan of a draw."""
        if draw in self._ready:
            return self._ready.pop(draw)
        self._count = min(2 * self._count, BLOCK) if draw == self._next else 1
        coming = self._following(draw, self._count)
        self._next = coming[-1] if len(coming) == self._count else None
        first, *rest = self._plans([draw, *coming[: self._count - 1]])
        self._ready = dict(zip(coming, rest, strict=False))
        return first
