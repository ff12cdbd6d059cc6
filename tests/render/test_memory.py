"""Memory of decoded images: none lies over another, and none is kept by its neighbours where they may be let go."""

import copy

import numpy as np
import pytest

from detaug.render import memory
from detaug.render.memory import Chunks, apart, passing
from detaug.render.picture import PAD
from detaug.render.source import Source
from detaug.scenes.levels import levels
from tests.scenes.painted import Painter, stage, whole, world


def test_no_picture_lies_over_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their sizes, also beyond a chunk's; and another process begins chunks of its own."""
    monkeypatch.setattr(memory, "_CHUNK", 1 << 16)
    rng, room = np.random.default_rng(0), Chunks()
    made = []
    for i in range(200):
        shape = (*rng.integers(1, 90, 2).tolist(), 3) if i % 20 else (150, 160, 3)
        array = (copy.deepcopy(room) if i % 7 == 0 else room)(shape)
        assert array.shape == shape
        array[:] = i
        made.append(array)
    assert all((array == i).all() for i, array in enumerate(made))


@pytest.mark.parametrize("room", [passing, apart])
def test_others_give_arrays_of_their_own(room: memory.Memory) -> None:
    one, other = room((5, 7, 3)), room((5, 7, 3))
    one[:], other[:] = 1, 2
    assert one.sum() == 5 * 7 * 3


@pytest.mark.parametrize(("short", "together"), [(0, True), (1, False), (None, True)])
def test_pictures_lie_together_only_if_the_cache_holds_all_of_them(short: int | None, together: bool) -> None:
    """One that is let go would else stay for as long as any of its neighbours."""
    catalog = world(images=3)
    size = stage(catalog).size
    sides = [(v.height + 2 * PAD, v.width + 2 * PAD) for row in catalog.sizes.tolist() for v in levels(*row, size)]
    needed = sum(3 * height * width for height, width in sides)
    source = Source(catalog, size, None if short is None else needed - short, open_file=whole(Painter(catalog)))
    kept = [source.picture(row, 0).rgb for row in range(3)]
    assert all(np.shares_memory(kept[0].base, picture.base) is together for picture in kept[1:])
