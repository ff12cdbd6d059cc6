"""Planning ahead of a caller who goes through an epoch in order: planned together, scenes cost a third."""

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


class BatchesAhead(Generic[Plan]):
    """Plans batches, with each some of those that will follow it, as soon as they come at even distances.

    So they do in a worker of a DataLoader, which gets every n-th batch of an epoch. With each block that was used to
    its end the next is twice as long. The plans are the same either way.

    Args:
        plans: plans several draws.
        shifted: the draws so many slots later; none if that is past the epoch's end.
    """

    def __init__(
        self,
        plans: Callable[[Sequence[Draw]], Iterable[Plan]],
        shifted: Callable[[Sequence[Draw], int], list[Draw]],
    ) -> None:
        self._plans, self._shifted = plans, shifted
        self._ready: dict[Draw, Plan] = {}
        self._last: Draw | None = None
        self._step = 0
        self._count = 1
        self._wrong = -1  # epoch in which others came than were planned

    def planned(self, draws: Sequence[Draw]) -> Iterable[Plan]:
        """The plans of a batch."""
        if not draws:
            return ()
        step, before = self._stepped(draws[0]), self._step
        self._last, self._step = draws[0], step
        if all(draw in self._ready for draw in draws):
            found = [self._ready[draw] for draw in draws]
            for draw in set(draws):
                del self._ready[draw]
            return found
        if self._ready and step:
            self._wrong = draws[0].epoch
        even = step > 0 and step == before and self._wrong != draws[0].epoch
        self._count = max(min(2 * self._count, BLOCK // len(draws)), 1) if even else 1
        coming = [draw for n in range(1, self._count) for draw in self._shifted(draws, n * step)]
        self._ready = {}
        if not coming:
            return self._plans(draws)
        own, plans = len(draws), list(self._plans([*draws, *coming]))
        self._ready = dict(zip(coming, plans[own:], strict=True))
        return plans[:own]

    def _stepped(self, first: Draw) -> int:
        """Slots from the first of the last batch to the first of this one; 0 where they are not of one epoch."""
        last = self._last
        return first.slot - last.slot if last is not None and last.epoch == first.epoch else 0
