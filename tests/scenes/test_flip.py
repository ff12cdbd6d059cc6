"""Mirroring keeps what signs mean."""

import os
from dataclasses import replace

import numpy as np
import pytest

from detaug.classes import NEVER
from detaug.scenes.flip import Flip
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from tests.scenes.painted import planned, stage, world

CATALOG = world(images=40)
MIRROR = CATALOG.classes.mirror


def mirrored_objects(recipe: Recipe, scenes: int) -> tuple[dict[int, int], dict[int, int]]:
    """Per class: how often an object was mirrored, and how often its layer might have been."""
    ground = stage(CATALOG)
    turned, free = {c: 0 for c in range(len(MIRROR))}, {c: 0 for c in range(len(MIRROR))}
    for slot in range(scenes):
        scene = planned(recipe, ground, slot, epoch=slot // len(CATALOG))
        flipped = np.linalg.det(scene.matrix[:, :2, :2]) < 0
        labels = CATALOG.labels[scene.origin]
        region = scene.region[scene.layer]
        seen = (scene.box[:, :2] < region[:, 2:]).all(1) & (region[:, :2] < scene.box[:, 2:]).all(1)
        for i in np.flatnonzero(seen):
            layer, label = scene.layer[i], int(labels[i])
            mates = seen & (scene.layer == layer)
            if (MIRROR[labels[mates]] == NEVER).any():
                assert not flipped[layer], f"scene {slot} mirrors class {label}"
                continue
            free[label] += 1
            turned[label] += int(flipped[layer])
            assert scene.label[i] == (MIRROR[label] if flipped[layer] else label)
    return turned, free


def check_rates(recipe: Recipe, scenes: int, tolerance: float) -> None:
    turned, free = mirrored_objects(recipe, scenes)
    for label, rule in enumerate(MIRROR.tolist()):
        if rule == NEVER:
            assert turned[label] == 0
        else:
            assert free[label] > 0
            assert abs(turned[label] / free[label] - 0.5) < tolerance


MIXING = Recipe(mosaic=Mosaic(p=0.5, focus=0.2), paste=Paste(p=0.7, count_range=(1, 3)), flip=Flip(p=0.5))


def test_what_never_mirrors_is_not_mirrored_and_the_rest_is_at_the_asked_rate() -> None:
    check_rates(MIXING, scenes=1500, tolerance=0.08)


@pytest.mark.slow
def test_rates_in_many_scenes() -> None:
    scenes = int(os.environ.get("DETAUG_FLIP_SCENES", "12000"))
    check_rates(MIXING, scenes=scenes, tolerance=0.02)


def test_a_mirrored_tile_mirrored_again_is_as_before() -> None:
    ground = stage(CATALOG)
    mosaic = Recipe(mosaic=Mosaic(p=1), paste=Paste(p=1, count_range=(2, 4)))
    always = Flip(p=1)
    for slot in range(30):
        scene = planned(mosaic, ground, slot)
        once = always.apply(scene, ground, np.random.default_rng(0))
        twice = always.apply(once, ground, np.random.default_rng(0))
        np.testing.assert_allclose(twice.matrix, scene.matrix, atol=1e-9)
        np.testing.assert_array_equal(twice.label, scene.label)
        np.testing.assert_array_equal(twice.under, scene.under)
        tiles = scene.role == Role.TILE
        for layer in np.flatnonzero(tiles):
            corners = np.array([scene.region[layer, [0, 1]], scene.region[layer, [2, 3]]])
            before = corners @ scene.matrix[layer, :2, :2].T + scene.matrix[layer, :2, 2]
            after = corners @ once.matrix[layer, :2, :2].T + once.matrix[layer, :2, 2]
            np.testing.assert_allclose(np.sort(before, 0), np.sort(after, 0), atol=1e-9)


def test_switched_off_by_probability_zero() -> None:
    ground = stage(CATALOG)
    for slot in range(20):
        scene = planned(replace(MIXING, flip=Flip(p=0)), ground, slot)
        assert (np.linalg.det(scene.matrix[:, :2, :2]) > 0).all()
