"""Planning ahead of a caller who goes through an epoch one place after the other."""

from collections.abc import Callable, Iterable, Sequence

from detaug.draws.draw import Draw
from detaug.scenes.recipe import BLOCK
from detaug.scenes.scene import Scene


class Ahead:
    """Scenes one at a time, planned in blocks as soon as they are asked for in order; they are the same either way.

    A block is twice as long as the one before it, so that what is planned in vain is less than what was used.

    Args:
        plans: plans the scenes of several draws.
        following: the draws after a draw, at most so many.
    """

    def __init__(
        self, plans: Callable[[Sequence[Draw]], Iterable[Scene]], following: Callable[[Draw, int], list[Draw]]
    ) -> None:
        self._plans, self._following = plans, following
        self._ready: dict[Draw, Scene] = {}
        self._next: Draw | None = None
        self._count = 1

    def scene(self, draw: Draw) -> Scene:
        """The scene of a draw."""
        scene = self._ready.pop(draw, None)
        if scene is not None:
            return scene
        self._count = min(2 * self._count, BLOCK) if draw == self._next else 1
        coming = self._following(draw, self._count)
        self._next = coming[-1] if len(coming) == self._count else None
        first, *rest = self._plans([draw, *coming[: self._count - 1]])
        self._ready = dict(zip(coming, rest, strict=False))
        return first
