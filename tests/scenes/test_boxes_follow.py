"""For every operation: boxes follow their signs, seen in rendered pixels."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.clipping import area
from detaug.outline import Outline, moved, polygon
from detaug.scenes.affine import Affine
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
from detaug.scenes.scene import Scene
from detaug.scenes.visibility import measured
from tests.scenes.painted import Painter, enlarged, extents, pixels_by_label, planned, stage, world

CATALOG = world()
PAINT = Painter(CATALOG)
GROUND = stage(CATALOG)

STRONG: dict[str, Operation] = {
    "mosaic": Mosaic(p=1, scale_range=(0.5, 2.0)),
    "crop": Crop(p=1, scale_range=(1.0, 3.0)),
    "mixup": Mixup(p=1),
    # The painted world tells objects apart by their colours up to a hard edge: test_paste.py has light and edges.
    "paste": Paste(p=1, count_range=(3, 5), gain_range=(1, 1), blend={"hard": 1.0}, decoy=0.5),
    "flip": Flip(p=0.5),
    "affine": Affine(
        p=1, degrees_range=(-60, 60), scale_range=(0.5, 2.0), shear_range=(-25, 25), shift_range=(-0.3, 0.3)
    ),
    "colour": Colour(p=1),
    "noise": GaussianNoise(p=1),
    "effects": Effects(p=1),
}
GEOMETRY = ("mosaic", "crop", "mixup", "paste", "flip", "affine")
RECIPES = {name: Recipe(**{name: STRONG[name]}) for name in STRONG} | {  # type: ignore[arg-type]
    "all": Recipe(**{name: STRONG[name] for name in GEOMETRY})  # type: ignore[arg-type]
}
NAMES = [*GEOMETRY, "all"]


def test_every_operation_is_listed() -> None:
    fields = {f.name for f in dataclasses.fields(Recipe)} - {"extra", "min_visible", "min_side", "remnants"}
    assert fields == set(STRONG)


def misfits(scene: Scene, shown: Scene, times: int) -> list[tuple[int, float]]:
    """Outline code and distance, in canvas pixels, between planned and seen box of each object that nothing touches.

    `shown` is what is rendered; `scene` is what the boxes are computed from.
    """
    boxes, share = measured(scene)
    found = []
    for group in range(len(scene.opacity)):
        seen = extents(enlarged(shown, times), PAINT, group, at=0.3 if times > 1 else 0.4)
        for i in np.flatnonzero(scene.group[scene.layer] == group):
            alone = (scene.origin == scene.origin[i]).sum() == 1  # the same image may stand in two tiles
            large = (boxes[i, 2:] - boxes[i, :2]).min() >= 4
            # At natural size the last row's centre lies half a pixel from a cut, where a slanted edge is elsewhere.
            enough = share[i] > (0.2 if times > 1 else 0.5)
            if not (alone and large and enough) or _touched(scene, int(i), boxes[i]):
                continue
            assert int(scene.origin[i]) in seen, f"object {i} is not seen at all"
            # A cut leaves a slanted plate or a disc with a tip.
            outline = int(scene.shape[i]) if share[i] > 0.999 else int(Outline.DIAMOND)
            found.append((outline, float(np.abs(seen[int(scene.origin[i])] / times - boxes[i]).max())))
    return found


def _touched(scene: Scene, i: int, box: NDArray[np.float64]) -> bool:
    """Whether another object of the same group comes near, so that its pixels could be taken for this one's."""
    hulls = scene.hulls()
    others = (scene.group[scene.layer] == scene.group[scene.layer[i]]) & (np.arange(len(hulls)) != i)
    return bool((others & (hulls[:, :2] < box[2:] + 1).all(1) & (box[:2] - 1 < hulls[:, 2:]).all(1)).any())


@pytest.mark.parametrize("name", NAMES)
def test_boxes_follow_their_signs_eight_times_enlarged(name: str) -> None:
    checked = 0
    for slot in range(16):
        scene = planned(RECIPES[name], GROUND, slot)
        found = misfits(scene, scene, times=8)
        checked += len(found)
        assert max((error for _, error in found), default=0) <= 0.15
    assert checked >= 16


@pytest.mark.parametrize("name", NAMES)
def test_boxes_follow_their_signs_at_natural_size(name: str) -> None:
    for slot in range(40):
        scene = planned(RECIPES[name], GROUND, slot, epoch=1)
        for outline, error in misfits(scene, scene, times=1):
            assert error <= (0.6 if outline in (Outline.RECTANGLE, Outline.ELLIPSE) else 1.5)


@pytest.mark.parametrize("name", NAMES)
def test_half_a_pixel_too_far_is_noticed(name: str) -> None:
    shift = np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]])
    errors: list[float] = []
    for slot in range(6):
        scene = planned(RECIPES[name], GROUND, slot)
        errors += [error for _, error in misfits(scene, scene.moved(shift), times=8)]
    assert max(errors) > 0.15


def test_visible_shares_agree_with_counted_pixels() -> None:
    differences = []
    small = world(height=600, width=800)
    ground, paint = stage(small), Painter(small)
    for slot in range(10):
        scene = planned(replace(RECIPES["all"], mixup=None), ground, slot, epoch=2)
        _, share = measured(scene)
        # Ellipses are painted by their equation, not by the polygon that the plan clips.
        seen = pixels_by_label(enlarged(scene, 6), paint, small)
        for i in np.flatnonzero([(scene.origin == o).sum() == 1 for o in scene.origin]):
            points = moved(polygon(int(scene.shape[i]), scene.box[i]), scene.matrix[scene.layer[i]])
            full = 36 * area([(x, y) for x, y in points.tolist()])
            if full > 5000:
                differences.append(abs(seen.get(int(scene.origin[i]), 0) / full - share[i]))
    assert len(differences) > 30
    assert max(differences) < 0.02


@pytest.mark.parametrize("name", [*STRONG, "all"])
def test_nothing_leaves_the_canvas_and_labels_stay_with_their_boxes(name: str) -> None:
    mirror = CATALOG.classes.mirror
    for slot in range(60):
        scene = planned(RECIPES[name], GROUND, slot, epoch=3)
        visible = finish(scene, min_visible=0.1, min_side=2)
        assert (visible.boxes[:, :2] >= 0).all()
        assert (visible.boxes[:, 2:] <= [160, 120]).all()
        assert (visible.boxes[:, 2:] - visible.boxes[:, :2] >= 2).all()
        assert np.isfinite(visible.boxes).all()
        labels = CATALOG.labels[scene.origin[visible.objects]]
        assert ((visible.labels == labels) | (visible.labels == mirror[labels])).all()
        turned = np.linalg.det(scene.matrix[:, :2, :2])[scene.layer[visible.objects]] < 0
        np.testing.assert_array_equal(visible.labels, np.where(turned, mirror[labels], labels))


def test_inputs_stay_unchanged() -> None:
    for name in STRONG:
        scene = planned(Recipe(), GROUND, 5)
        for field in dataclasses.fields(Scene):
            value = getattr(scene, field.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        rng = np.random.default_rng(0)
        STRONG[name].apply(scene, GROUND, rng)
