"""Scenes that are planned together are those that each is planned alone, to the last bit."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from detaug.draws.draw import Draw
from detaug.scenes.affine import Affine
from detaug.scenes.block import Block
from detaug.scenes.colour import Colour
from detaug.scenes.crop import Crop
from detaug.scenes.effects import Effects
from detaug.scenes.finish import finish
from detaug.scenes.flip import Flip
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.operation import Operation
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Scene, same
from detaug.scenes.stage import Stage
from tests.scenes import test_paste
from tests.scenes.test_paste import CATALOG

TURNS = np.linspace(4, 40, len(CATALOG.classes)).astype(np.float32)  # so that each scene has a limit of its own
GROUND = replace(test_paste.GROUND, catalog=replace(CATALOG, classes=replace(CATALOG.classes, turn=TURNS)))
MANY = Paste(
    p=0.8, count_range=(1, 4), decoy=0.5, pole=0.4, overlap=0.2, blend={"hard": 1, "gaussian": 2, "poisson": 1}
)
ALL = Recipe(
    mosaic=Mosaic(p=0.5),
    crop=Crop(p=0.5, multiply=1.5),
    mixup=Mixup(p=0.3),
    paste=MANY,
    flip=Flip(p=0.5),
    affine=Affine(p=0.8, degrees_range=(-60, 60), scale_range=(0.2, 1.4), multiply=1.5),  # so that limits bind
    colour=Colour(p=0.8, multiply=1.5),
    noise=GaussianNoise(p=0.5),
    effects=Effects(chances={"rain": 0.5, "blur": 0.5}),
    remnants="erase",
)
RECIPES = {
    "all": ALL,
    "mosaic": Recipe(mosaic=ALL.mosaic),
    "crop": Recipe(crop=ALL.crop),
    "mixup": Recipe(mixup=ALL.mixup),
    "paste": Recipe(paste=ALL.paste),
    "flip": Recipe(mosaic=Mosaic(p=1), flip=ALL.flip),
    "affine": Recipe(affine=ALL.affine),
}
DRAWS = [Draw(epoch, slot, (7 * slot + epoch) % 24, mixing=slot % 5 > 0) for epoch in (0, 3) for slot in range(30)]


@dataclass(frozen=True, kw_only=True)
class Shifted(Operation):
    """A user's own operation: it sees one scene at a time."""

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:  # noqa: ARG002
        """Everything moved to the right."""
        return scene.moved(np.array([[1, 0, rng.uniform(0, 9)], [0, 1, 0], [0, 0, 1.0]]))


@pytest.mark.parametrize("name", RECIPES)
def test_who_is_planned_beside_a_scene_changes_nothing(name: str) -> None:
    alone = [RECIPES[name].plan(draw, GROUND) for draw in DRAWS]
    backwards = list(RECIPES[name].plans(DRAWS[::-1], GROUND))[::-1]
    for start, size in ((0, len(DRAWS)), (3, 2), (11, 17), (29, 5)):
        together = list(RECIPES[name].plans(DRAWS[start : start + size], GROUND))
        assert len(together) == min(size, len(DRAWS) - start)
        assert all(same(a, b) for a, b in zip(together, alone[start:], strict=False))
    assert all(same(a, b) for a, b in zip(backwards, alone, strict=True))
    assert len({len(scene.image) for scene in alone}) > 1 or name in ("crop", "affine", "flip")


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_seen_of_a_scene_is_the_same_whatever_is_measured_beside_it(name: str) -> None:
    recipe = replace(RECIPES[name], min_visible=0.4, min_side=4)
    together = list(recipe.planned(DRAWS, GROUND))
    for scene, seen in together:
        alone = finish(scene, recipe.min_visible, recipe.min_side)
        for field in ("boxes", "labels", "share", "objects"):
            np.testing.assert_array_equal(getattr(seen, field), getattr(alone, field))
    shares = np.concatenate([seen.share for _, seen in together])
    assert (shares == 1).any()
    assert ((shares > 0.4) & (shares < 1)).any() or name not in ("all", "mosaic", "paste")


def test_a_broken_donor_is_not_pasted_and_a_stand_in_shows() -> None:
    stand_ins = replace(GROUND, replaced={3: 5, 7: 5})
    scenes = list(ALL.plans(DRAWS, stand_ins))
    assert not {3, 7} & {int(row) for scene in scenes for row in scene.image}
    assert all(same(a, ALL.plan(draw, stand_ins)) for a, draw in zip(scenes, DRAWS, strict=True))


def test_own_operations_stand_where_they_are_put() -> None:
    """Between two of ours, an own operation sees what the first made, and the second what it made."""
    base = replace(ALL, remnants="leave")
    own = replace(base, extra={"shifted": Shifted(), "again": Flip(p=0.5)})
    for scene, before, draw in zip(own.plans(DRAWS, GROUND), base.plans(DRAWS, GROUND), DRAWS, strict=True):
        streams = GROUND.streams
        rng = streams.of(draw.epoch, draw.slot, "shifted")
        rng.random()
        expected = Shifted().apply(before, GROUND, rng)
        rng = streams.of(draw.epoch, draw.slot, "again")
        rng.random()
        assert same(scene, Flip(p=0.5).apply(expected, GROUND, rng))
        assert same(scene, own.plan(draw, GROUND))


def test_a_scene_is_a_block_of_one() -> None:
    for draw in DRAWS[:20]:
        scene = replace(ALL, remnants="leave").plan(draw, GROUND)
        (back,) = Block.of(scene).scenes()
        assert same(scene, back)


def test_no_scene_changes_what_was_handed_in() -> None:
    """The arrays of scenes may be parts of one block: no operation may write into them."""
    scenes = list(ALL.plans(DRAWS, GROUND))
    frozen = [{n: getattr(s, n).copy() for n in ("matrix", "region", "label", "under", "free", "box")} for s in scenes]
    for operation in (*ALL.operations().values(), Shifted()):
        for scene in scenes:
            operation.apply(scene, GROUND, np.random.default_rng(0))
    for scene, before in zip(scenes, frozen, strict=True):
        for name, array in before.items():
            np.testing.assert_array_equal(getattr(scene, name), array)
