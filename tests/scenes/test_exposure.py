"""The ledger counts what a picture would show."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.draws.draw import Draw
from detaug.outline import Array, Outline, inverse, moved, polygon
from detaug.scenes.block import scene_of
from detaug.scenes.exposure import BUCKETS, SIDES, Came, came, counted, exposure
from detaug.scenes.finish import finish
from detaug.scenes.flip import Flip
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role, Scene
from tests.scenes.painted import stage, world
from tests.scenes.test_boxes_follow import STRONG

FINE = 4  # sub-pixels per axis
NEAR = 0.02
CATALOG = replace(world(images=20), has_images=False)
EPOCHS = 3
RECIPE = Recipe(**{**STRONG, "min_visible": 0.4, "min_side": 6.0})  # type: ignore[arg-type]


def covered(outline: int, box: Array, matrix: Array, points: Array) -> NDArray[np.bool_]:
    """(...,) which canvas points (..., 2) an outline in a box covers, by the shapes' own equations."""
    x, y = np.moveaxis(np.abs(unit := 2 * (moved(points, inverse(matrix)) - box[:2]) / (box[2:] - box[:2]) - 1), -1, 0)
    square = (x <= 1) & (y <= 1)
    return np.asarray(
        {
            Outline.RECTANGLE: square,
            Outline.ELLIPSE: x**2 + y**2 <= 1,
            Outline.TRIANGLE_UP: square & (x <= (1 + unit[..., 1]) / 2),
            Outline.TRIANGLE_DOWN: square & (x <= (1 - unit[..., 1]) / 2),
            Outline.OCTAGON: square & (x + y <= np.sqrt(2)),
            Outline.DIAMOND: x + y <= 1,
        }[Outline(outline)]
    )


def around(scene: Scene, outline: int, box: Array, layer: int, canvas: bool) -> tuple[slice, slice, Array]:
    """Rows, columns and centres of the sub-pixels round an outline, inside the canvas or wherever it lies."""
    corners = moved(polygon(outline, box), scene.matrix[layer])
    low, high = np.floor(corners.min(0) * FINE).astype(int) - FINE, np.ceil(corners.max(0) * FINE).astype(int) + FINE
    if canvas:
        most = np.array(scene.size)[::-1] * FINE
        low, high = np.clip(low, 0, most), np.clip(high, 0, most)
    y, x = (np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5) / FINE
    return slice(low[1], high[1]), slice(low[0], high[0]), np.stack([x, y], -1)


def seen(scene: Scene) -> tuple[Array, Array]:
    """(N,) visible share and (N,) shorter side of each object, counted on id pictures, one for each opacity group."""
    height, width = scene.size
    share, side = np.zeros(len(scene.label)), np.zeros(len(scene.label))
    for group in range(len(scene.opacity)):
        ids = np.full((height * FINE, width * FINE), -1)
        for layer in np.flatnonzero(scene.group == group).tolist():
            mask = scene.outline[layer], scene.region[layer]
            rows, columns, points = around(scene, *mask, layer, canvas=True)
            ids[rows, columns][covered(*mask, scene.matrix[layer], points)] = -1
            for own in np.flatnonzero(scene.layer == layer).tolist():
                shape = scene.shape[own], scene.box[own]
                rows, columns, points = around(scene, *shape, layer, canvas=True)
                area = covered(*mask, scene.matrix[layer], points) & covered(*shape, scene.matrix[layer], points)
                ids[rows, columns][area] = own
                if area.any():
                    lines = [np.flatnonzero(area.any(axis)) for axis in (0, 1)]
                    side[own] = min(int(line[-1] - line[0]) + 1 for line in lines) / FINE
        for own in np.flatnonzero(scene.group[scene.layer] == group).tolist():
            shape = scene.shape[own], scene.box[own]
            _, _, points = around(scene, *shape, int(scene.layer[own]), canvas=False)
            whole = covered(*shape, scene.matrix[scene.layer[own]], points).sum()
            share[own] = (ids == own).sum() / max(1, whole)
    return share, side


@pytest.mark.slow
def test_the_ledger_counts_what_an_id_picture_shows() -> None:
    ground = stage(CATALOG)
    shown = np.zeros((len(CATALOG.classes), len(Came), len(BUCKETS)), np.int64)
    unsure = np.zeros(len(CATALOG.classes), np.int64)
    draws = [Draw(e, slot, item) for e in range(EPOCHS) for slot, item in enumerate(ground.order.items(e).tolist())]
    pasted = 0
    for scene in RECIPE.plans(draws, ground):
        item = scene.draw.item
        share, side = seen(scene)
        pasted += int((scene.role == Role.PASTE).sum())
        near = np.abs(share - RECIPE.min_visible) < NEAR
        near |= np.abs(side[:, None] - (RECIPE.min_side, *SIDES)).min(1) < 2 / FINE
        sure = np.flatnonzero((share >= RECIPE.min_visible) & (side >= RECIPE.min_side) & ~near)
        np.add.at(unsure, scene.label[near], 1)
        for own in sure:
            layer = scene.layer[own]
            kind = Came.MIXUP if scene.group[layer] else Came.PARTNER
            kind = Came.PASTE if scene.role[layer] == Role.PASTE else kind
            alone = (scene.image[(scene.role == Role.TILE) & (scene.group == 0)] == item).sum() == 1
            if kind == Came.PARTNER and scene.image[layer] == item:
                kind = Came.OWN
                if not alone:  # its own tile cannot be told from a partner with the same image
                    unsure[scene.label[own]] += 1
                    continue
            shown[scene.label[own], kind, np.searchsorted(SIDES, side[own], side="right")] += 1
    ledger = exposure(ground, RECIPE, range(EPOCHS)).shown
    assert pasted > 10
    assert shown.sum() > 2 * unsure.sum()
    assert (ledger >= shown).all()
    assert (ledger.sum((1, 2)) <= shown.sum((1, 2)) + unsure).all()
    assert all(ledger[:, kind].sum() > 0 for kind in Came)


def test_epochs_add_up() -> None:
    ground = stage(CATALOG)
    one, two, both = (exposure(ground, RECIPE, epochs) for epochs in ([0], [3], [0, 3]))
    np.testing.assert_array_equal((one + two).shown, both.shown)
    assert (both.epochs, both.scenes) == (2, 2 * len(CATALOG))
    np.testing.assert_allclose(both.per_epoch(), (one.per_epoch() + two.per_epoch()) / 2)
    with pytest.raises(ValueError, match="classes"):
        one + replace(two, names=("other",) * len(two.names))


def test_without_augmentation_every_box_is_shown_once() -> None:
    ledger = exposure(stage(CATALOG), Recipe(min_visible=0, min_side=0))
    rows = stage(CATALOG).order.items(0)
    expected = sum(np.bincount(CATALOG.labels[CATALOG.objects(int(r))], minlength=8) for r in rows)
    np.testing.assert_array_equal(ledger.shown.sum((1, 2)), expected)
    assert ledger.shown[:, 1:].sum() == 0


def test_what_is_off_shows_nothing() -> None:
    ground = stage(CATALOG)
    off = {
        Came.PARTNER: replace(RECIPE, mosaic=None),
        Came.MIXUP: replace(RECIPE, mixup=None),
        Came.PASTE: replace(RECIPE, paste=None),
    }
    for kind, recipe in off.items():
        assert exposure(ground, recipe).shown[:, kind].sum() == 0
    assert exposure(ground, RECIPE, mixing=False).shown[:, 1:].sum() == 0


def test_an_image_that_partners_itself_is_its_own_only_once() -> None:
    two = stage(CATALOG.take(np.array([4, 9])))
    recipe = Recipe(mosaic=Mosaic(p=1.0), mixup=Mixup(p=1.0), paste=Paste(p=1.0), flip=Flip())
    met = 0
    for slot in range(40):
        scene = recipe.plan(Draw(0, slot, slot % 2), two)
        tiles = (scene.role == Role.TILE) & (scene.group == 0)
        own = scene.layer[came(scene) == Came.OWN]
        assert len(np.unique(own)) <= 1
        assert (scene.image[own] == slot % 2).all()
        shining = (scene.group > 0) & (scene.role == Role.TILE)
        np.testing.assert_array_equal(came(scene) == Came.MIXUP, shining[scene.layer])
        met += int((scene.image[tiles] == slot % 2).sum() > 1)
    assert met > 5


def test_a_stand_in_is_its_slots_own_image() -> None:
    scene = scene_of(CATALOG, 3, (120, 160), Draw(0, 0, 7))
    assert (came(scene) == Came.OWN).all()


def test_sizes_are_the_shorter_side() -> None:
    sides = [7.9, 8.0, 31.9, 32.0, 127.9, 128.0]
    boxes = np.array([[0, 0, s, 500] for s in sides])
    made = counted(np.zeros(6, np.int64), np.zeros(6, np.uint8), boxes, 2)
    assert made[0, 0].tolist() == [1, 1, 1, 1, 1, 1]
    assert made.sum() == 6
    assert counted(np.empty(0, np.int64), np.empty(0, np.uint8), np.empty((0, 4)), 3).sum() == 0


def test_images_without_boxes_show_nothing() -> None:
    empty = replace(
        CATALOG, boxes=CATALOG.boxes[:0], labels=CATALOG.labels[:0], flags=CATALOG.flags[:0],
        starts=np.zeros_like(CATALOG.starts),
    )  # fmt: skip
    ledger = exposure(stage(empty), RECIPE)
    assert ledger.shown.sum() == 0
    assert ledger.as_json()["classes"]["stop"]["factor"] is None
    assert ledger.text().count("\n") == len(empty.classes)


def test_the_ledger_is_what_finish_keeps() -> None:
    ground = stage(CATALOG)
    kept = [
        finish(RECIPE.plan(Draw(2, slot, int(item)), ground), RECIPE.min_visible, RECIPE.min_side).labels
        for slot, item in enumerate(ground.order.items(2))
    ]
    shown = exposure(ground, RECIPE, [2]).shown.sum((1, 2))
    np.testing.assert_array_equal(shown, np.bincount(np.concatenate(kept), minlength=len(CATALOG.classes)))
