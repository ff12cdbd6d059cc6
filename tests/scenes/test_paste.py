"""Pasting: where, how large, how lit, and what it must leave alone."""

from dataclasses import replace

import numpy as np
import pytest

from detaug.classes import NEVER
from detaug.draws.draw import Draw
from detaug.draws.places import FEWEST, Places
from detaug.errors import InputError
from detaug.outline import moved
from detaug.readers.colours import Colours
from detaug.scenes.affine import Affine
from detaug.scenes.block import Block
from detaug.scenes.colour import Colour
from detaug.scenes.crop import Crop
from detaug.scenes.flip import Flip
from detaug.scenes.hosts import Hosts
from detaug.scenes.light import BRIGHTNESS, TINT, Light
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.paste import Paste
from detaug.scenes.placement import NUMBERS, Wanted, placed
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Blend, Role, Scene, same
from detaug.scenes.stage import Stage
from detaug.scenes.visibility import measured
from detaug.scenes.window import KEEP_SIDE
from tests.scenes.painted import inside, planned, stage, world

# Small objects, so that there is room to paste.
_LARGE = world(images=24)
CATALOG = replace(_LARGE, boxes=(_LARGE.boxes * 0.25 + 300).astype(np.float32))
MANY = Paste(p=1, count_range=(2, 4), decoy=0.5)


def lit(colours: np.ndarray) -> Light:
    dark = np.full((2, len(CATALOG.boxes)), 10, np.float32)  # no box whose white could be lost
    return Light.of(Colours(colours.astype(np.uint8), *dark))


GROUND = replace(
    stage(CATALOG), places=Places.of(CATALOG), light=lit(np.random.default_rng(0).integers(1, 255, (24, 8, 8, 3)))
)
RECIPES = {
    "whole": Recipe(paste=MANY),
    "mosaic": Recipe(mosaic=Mosaic(p=1), paste=MANY),
    "crop": Recipe(crop=Crop(p=1), paste=MANY),
}


def scenes(recipe: Recipe, count: int, ground: Stage = GROUND) -> list[Scene]:
    return [planned(recipe, ground, slot) for slot in range(count)]


@pytest.mark.parametrize("name", RECIPES)
def test_pastes_are_donors_within_their_limits(name: str) -> None:
    donors = set(GROUND.donors.box.tolist())
    found = 0
    for scene in scenes(RECIPES[name], 80):
        own = np.flatnonzero(scene.role[scene.layer] == Role.PASTE)
        found += len(own)
        assert set(scene.origin[own].tolist()) <= donors
        for i in own:
            layer = scene.layer[i]
            np.testing.assert_array_equal(scene.box[i], CATALOG.boxes[scene.origin[i]])
            np.testing.assert_array_equal(scene.region[layer], scene.box[i])
            assert scene.image[layer] == CATALOG.images_of_boxes()[scene.origin[i]]
            scale = np.sqrt(np.linalg.det(scene.matrix[layer, :2, :2]))
            side = (scene.box[i, 2:] - scene.box[i, :2]).min()
            assert scale <= MANY.enlarge * 1.01  # a shear changes the area a little
            assert scale >= MANY.shrink * 0.99
            assert scale * side >= KEEP_SIDE * 0.99
    assert found > 80


def test_a_donor_is_not_enlarged_beyond_its_bound() -> None:
    scales = []
    for most in (0.1, 0.15, 0.3):
        paste = replace(MANY, enlarge=most, shrink=0.05, turn_range=(0, 0), shear_range=(0, 0))
        for scene in scenes(Recipe(paste=paste), 40):
            matrix = scene.matrix[scene.role != Role.TILE]
            scales += (np.sqrt(np.linalg.det(matrix[:, :2, :2])) / most).tolist()
    assert 0.9 < max(scales) <= 1 + 1e-9


@pytest.mark.parametrize("name", RECIPES)
def test_patches_lie_in_what_their_host_shows_and_leave_the_canvas_by_a_bound(name: str) -> None:
    for scene in scenes(RECIPES[name], 80):
        height, width = scene.size
        for layer in np.flatnonzero(scene.role != Role.TILE):
            host = scene.host[layer]
            assert scene.role[host] == Role.TILE
            assert scene.group[host] == scene.group[layer]
            x1, y1, x2, y2 = scene.region[layer]
            corners = moved(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), scene.matrix[layer])
            shown = moved(scene.region[host].reshape(2, 2), scene.matrix[host])
            assert (corners >= shown.min(0) - 1e-6).all()
            assert (corners <= shown.max(0) + 1e-6).all()
            off = MANY.leave * (corners.max(0) - corners.min(0)) + 1e-6
            assert (corners.min(0) >= -off).all()
            assert (corners.max(0) - off <= [width, height]).all()


def test_own_objects_are_never_covered_beyond_the_limit() -> None:
    """Counted sub-pixel by sub-pixel, and the plan's shares agree with the count within 2 %."""
    fine, covered = 5, 0
    recipe = Recipe(paste=replace(MANY, count_range=(6, 8), overlap=0.3, decoy=0.3))
    for scene in scenes(recipe, 12):
        scene = replace(scene.moved(np.diag([fine, fine, 1.0])), size=(120 * fine, 160 * fine))
        masks = []
        for outline, box, matrix in (
            *((scene.outline[k], scene.region[k], scene.matrix[k]) for k in np.flatnonzero(scene.role != Role.TILE)),
            *zip(scene.shape, scene.box, scene.matrix[scene.layer], strict=True),
        ):
            y, x = np.mgrid[0 : scene.size[0], 0 : scene.size[1]] + 0.5
            back = np.linalg.inv(matrix)
            u, v = back[0, 0] * x + back[0, 1] * y + back[0, 2], back[1, 0] * x + back[1, 1] * y + back[1, 2]
            unit = np.floor((np.stack([u, v]) - box[:2, None, None]) / (box[2:] - box[:2])[:, None, None] * 1000)
            table = inside(int(outline), np.array([0.0, 0, 1000, 1000]), 1000, 1000)
            within = ((unit >= 0) & (unit < 1000)).all(0)
            at = np.where(within, unit, 0).astype(int)
            masks.append(within & table[at[1], at[0]])
        patches = len(np.flatnonzero(scene.role != Role.TILE))
        _, share = measured(scene)
        layers = np.flatnonzero(scene.role != Role.TILE)
        for i, mask in enumerate(masks[patches:]):
            above = [m for m, layer in zip(masks, layers, strict=False) if layer > scene.layer[i]]
            hidden = mask & np.logical_or.reduce(above) if above else np.zeros_like(mask)
            part = hidden.sum() / mask.sum()
            covered += part > 0.01
            if scene.role[scene.layer[i]] == Role.TILE:
                assert part <= 0.3 + 0.02
                assert abs(1 - part - share[i]) < 0.02
            else:
                assert part == 0
    assert covered > 1


def test_what_several_pastes_cover_of_one_object_is_counted_together() -> None:
    alone = Block.of(planned(Recipe(), GROUND, 0))
    one = np.array([[0.0, 0, 160, 120]])
    hosts = replace(Hosts.of(alone, GROUND, 0.1), taken=one, first_taken=np.array([0, 1]))
    wanted = Wanted(
        scene=np.zeros(6, np.int64),
        half=np.full((6, 2), 50.0),
        reach=np.full((6, 2), 50.0),
        times=np.ones(6),
        least=np.full(6, 0.01),
        pole=np.zeros(6, bool),
        most=9.0,
        overlap=1.0,
        margin=0.0,
        leave=0.0,
    )
    chance = np.random.default_rng(2).random((6, NUMBERS))
    for room, some in ((1e9, 6), (0.0, 0), (150.0, 1)):
        found = placed(wanted, replace(hosts, room=np.array([room])), GROUND.places, (), chance)
        boxes = np.concatenate([box[np.isfinite(box[:, 0])] for box in found.taken])
        assert len(boxes) == len(found.rows) >= some
        assert (boxes[:, 2:] - boxes[:, :2]).prod(1).sum() <= room + 1e-6


def test_decoys_bring_no_label_and_hold_no_object() -> None:
    found = 0
    for scene in scenes(RECIPES["whole"], 80):
        decoys = np.flatnonzero(scene.role == Role.DECOY)
        found += len(decoys)
        assert not np.isin(scene.layer, decoys).any()
        hulls = scene.hulls()
        for layer in decoys:
            x1, y1, x2, y2 = scene.region[layer]
            boxes = CATALOG.boxes[CATALOG.objects(int(scene.image[layer]))]
            assert ((boxes[:, 0] >= x2) | (boxes[:, 2] <= x1) | (boxes[:, 1] >= y2) | (boxes[:, 3] <= y1)).all()
            corners = moved(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), scene.matrix[layer])
            low, high = corners.min(0), corners.max(0)
            assert ((hulls[:, :2] >= high) | (hulls[:, 2:] <= low)).any(1).all()
    assert found > 30


def test_decoys_change_no_paste_and_paste_changes_no_other_operation() -> None:
    others = {"mosaic": Mosaic(p=0.5), "affine": Affine(), "colour": Colour(), "noise": GaussianNoise()}
    for slot in range(30):
        with_, without = (planned(Recipe(paste=replace(MANY, decoy=d)), GROUND, slot) for d in (1.0, 0.0))
        kept = with_.role != Role.DECOY
        np.testing.assert_array_equal(with_.matrix[kept], without.matrix)
        np.testing.assert_array_equal(with_.gain[kept], without.gain)
        on = planned(Recipe(**others, paste=replace(MANY, turn_range=(0, 0))), GROUND, slot)  # type: ignore[arg-type]
        off = planned(Recipe(**others), GROUND, slot)  # type: ignore[arg-type]
        assert on.noise == off.noise
        np.testing.assert_array_equal(on.image[on.role == Role.TILE], off.image)
        for one, other in ((on.colour, off.colour), (on.curve, off.curve)):
            assert (one is None) == (other is None)
            np.testing.assert_array_equal(one, other)


def test_the_same_draw_gives_the_same_scene() -> None:
    again = replace(stage(CATALOG), places=Places.of(CATALOG), light=GROUND.light)
    for slot in range(20):
        assert same(planned(RECIPES["mosaic"], GROUND, slot), planned(RECIPES["mosaic"], again, slot))


@pytest.mark.parametrize("early", [0, 1, 1000])
def test_a_place_is_the_first_that_is_free_however_many_are_looked_at_together(
    early: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded = replace(RECIPES["mosaic"], paste=replace(MANY, count_range=(4, 8), overlap=0.05))
    expected = scenes(crowded, 20)
    monkeypatch.setattr("detaug.scenes.placement._EARLY", early)
    assert all(same(a, b) for a, b in zip(expected, scenes(crowded, 20), strict=True))


def test_a_mirrored_host_does_not_mirror_a_donor_that_never_mirrors() -> None:
    mirror = CATALOG.classes.mirror
    base = planned(Recipe(), GROUND, 0)
    mirrored = replace(base, matrix=base.matrix @ np.array([[-1, 0, 1600], [0, 1, 0], [0, 0, 1.0]]))
    found = 0
    for slot in range(40):
        before = replace(mirrored, draw=Draw(0, slot, 0))
        scene = MANY.apply(before, GROUND, np.random.default_rng(slot))
        patches = np.flatnonzero(scene.role != Role.TILE)
        found += len(patches)
        assert (np.linalg.det(scene.matrix[patches, :2, :2]) > 0).all()
        flipped = Flip(p=1).apply(scene, GROUND, np.random.default_rng(0))
        for layer in patches:
            middle = (scene.region[layer, None, :2] + scene.region[layer, None, 2:]) / 2
            stood, stands = (
                moved(moved(middle, s.matrix[layer]), np.linalg.inv(s.matrix[s.host[layer]])) for s in (scene, flipped)
            )
            np.testing.assert_allclose(stands, stood)  # it goes with its host
        turned = np.linalg.det(flipped.matrix[flipped.layer, :2, :2]) < 0
        pasted = flipped.role[flipped.layer] == Role.PASTE
        np.testing.assert_array_equal(turned[pasted], mirror[scene.label[pasted]] != NEVER)
    assert found > 40


def test_a_paste_turns_within_its_classes_limit_together_with_the_canvas() -> None:
    table = replace(CATALOG.classes, turn=np.full(8, 6, np.float32))
    ground = replace(GROUND, catalog=replace(CATALOG, classes=table))
    recipe = Recipe(
        paste=replace(MANY, turn_range=(-90, 90), shear_range=(0, 0)),
        affine=Affine(p=1, degrees_range=(-90, 90), shear_range=(0, 0)),
    )
    turns = []
    for scene in scenes(recipe, 40, ground):
        matrix = scene.matrix[scene.layer]
        turns += np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0])).tolist()
    assert np.abs(turns).max() <= 6 + 1e-6
    assert np.abs(turns).max() > 5


def test_equal_light_leaves_a_paste_as_it_is_and_any_light_stays_in_bounds() -> None:
    plain = Recipe(paste=replace(MANY, gain_range=(1, 1)))
    flat = replace(GROUND, light=lit(np.broadcast_to([90, 120, 60], (24, 8, 8, 3))))
    unknown = replace(GROUND, light=lit(np.zeros((24, 8, 8, 3))))
    for ground in (flat, unknown, replace(GROUND, light=None)):
        for scene in scenes(plain, 20, ground):
            np.testing.assert_allclose(scene.gain, 1, rtol=1e-6)
    hard = lit(np.random.default_rng(1).choice([1, 255], (24, 1, 1, 3)).repeat(8, 1).repeat(8, 2))
    gains = np.concatenate(
        [s.gain[s.role != Role.TILE] for s in scenes(RECIPES["whole"], 60, replace(GROUND, light=hard))]
    )
    assert (gains[:, 1] >= BRIGHTNESS[0] - 1e-6).all()
    assert (gains[:, 1] <= BRIGHTNESS[1] + 1e-6).all()
    tints = gains[:, [0, 2]] / gains[:, 1:2]
    assert (np.abs(tints - 1) <= TINT + 1e-6).all()
    assert gains.std() > 0.1


def test_a_bright_host_brightens_and_a_red_one_reddens() -> None:
    grid = np.full((3, 8, 8, 3), 60)
    grid[1] = 120
    grid[2] = [90, 60, 60]
    light, box = lit(grid), np.array([[0.4, 0.4, 0.6, 0.6]])

    def gain(host: int, strength: float) -> list[float]:
        return list(light.gains(np.array([0]), box, np.array([host]), box, strength)[0])

    assert gain(1, 0.0) == [1, 1, 1]
    assert gain(1, 1.0)[1] > gain(1, 0.5)[1] > 1
    red, green, blue = gain(2, 0.6)
    assert red > green
    assert blue == pytest.approx(green)


def test_a_sign_that_is_bright_already_is_not_brightened() -> None:
    light = GROUND.light
    assert light is not None
    for most in (1.0, 1.2):
        ground = replace(GROUND, light=replace(light, most=np.full(len(CATALOG.boxes), most, np.float32)))
        gains = np.concatenate([s.gain[s.role == Role.PASTE] for s in scenes(RECIPES["whole"], 60, ground)])
        assert gains[:, 1].max() <= most + 1e-6
        assert gains[:, 1].min() < 0.9


def test_places_are_learned_whatever_the_class_and_fall_back_to_uniform() -> None:
    boxes = CATALOG.boxes.astype(float)
    learned = Places.of(CATALOG)
    assert learned.learned
    np.testing.assert_allclose(learned.rows[:, 0], (boxes[:, 0] + boxes[:, 2]) / 2 / 1600)
    np.testing.assert_allclose(learned.rows[:, 2], (boxes[:, 2:] - boxes[:, :2]).min(1) / 1600)
    few = Places.of(CATALOG.take(np.array([0, 1])))
    assert CATALOG.starts[2] < FEWEST
    assert not few.learned
    assert np.histogram2d(few.rows[:, 0], few.rows[:, 1], bins=4, range=((0, 1), (0, 1)))[0].min() > 6
    assert len(Places.of(CATALOG.take(np.array([], np.int64)))) > 0


def test_places_anywhere_keep_the_sizes_alone() -> None:
    upper = replace(CATALOG, boxes=CATALOG.boxes * np.array([1, 0.3, 1, 0.3], np.float32))
    learned, anywhere = (Recipe(paste=Paste(placement=p)).places(upper) for p in ("learned", "anywhere"))
    assert learned.rows[:, 1].max() < 0.31
    assert not anywhere.learned
    np.testing.assert_array_equal(anywhere.rows[:, 2], learned.rows[:, 2])
    assert np.histogram(anywhere.rows[:, 1], bins=4, range=(0, 1))[0].min() > len(anywhere) / 8


def test_pastes_stand_where_signs_stand() -> None:
    """Rows and sizes follow the training boxes: a sign pasted high in the picture is as small as signs are there."""
    rng = np.random.default_rng(5)
    y = rng.uniform(0.2, 0.8, 200)
    ground = replace(GROUND, places=Places(np.column_stack([rng.uniform(0.1, 0.9, 200), y, 0.02 + 0.1 * y**2]), True))
    rows, sides = [], []
    for scene in scenes(Recipe(paste=replace(MANY, pole=0, scale_range=(1, 1))), 150, ground):
        hulls = scene.hulls()[scene.role[scene.layer] == Role.PASTE]
        rows += ((hulls[:, 1] + hulls[:, 3]) / 240).tolist()
        sides += ((hulls[:, 2:] - hulls[:, :2]).min(1) / 160).tolist()
    expected = 0.02 + 0.1 * np.array(rows) ** 2
    assert len(rows) > 100
    assert np.median(np.abs(np.array(sides) / expected - 1)) < 0.25


def test_a_sign_on_a_pole_touches_its_neighbour() -> None:
    recipe = Recipe(
        paste=Paste(p=1, count_range=(1, 1), pole=1, turn_range=(0, 0), shear_range=(0, 0), decoy=0, overlap=0)
    )
    touching = 0
    for scene in scenes(recipe, 80):
        hulls = scene.hulls()
        own = scene.role[scene.layer] == Role.PASTE
        for x1, y1, x2, y2 in hulls[own]:
            gap = np.minimum(np.abs(hulls[~own, 3] - y1), np.abs(hulls[~own, 1] - y2))
            middle = np.abs(hulls[~own, 0] + hulls[~own, 2] - x1 - x2) / 2
            wide = (hulls[~own, 2] - hulls[~own, 0]) / (x2 - x1)
            touching += ((gap < 0.02 * (y2 - y1)) & (middle < 0.01) & (wide > 0.85) & (wide < 1.2)).any()
    assert touching > 20


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"blend": {"soft": 1.0}}, "soft"),
        ({"blend": {"hard": 0.0}}, "blend"),
        ({"blend": {"hard": -1.0}}, "hard"),
        ({"light": 1.5}, "light"),
        ({"shrink": 0.0}, "shrink"),
        ({"decoy": -0.1}, "decoy"),
        ({"placement": "sky"}, "sky"),
    ],
)
def test_nonsense_is_refused_by_name(setting: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Paste(**setting)  # type: ignore[arg-type]


def test_edges_are_drawn_by_their_weights_and_never_eat_a_small_sign() -> None:
    blend, soft, side = [], [], []
    recipe = Recipe(
        paste=replace(MANY, blend={"hard": 1.0, "feather": 2.0, "gaussian": 1.0}, turn_range=(0, 0), shear_range=(0, 0))
    )
    for scene in scenes(recipe, 200):
        own = scene.role == Role.PASTE
        blend += scene.blend[own].tolist()
        soft += scene.soft[own].tolist()
        scale = np.sqrt(np.linalg.det(scene.matrix[own, :2, :2]))
        side += (scale * (scene.region[own, 2:] - scene.region[own, :2]).min(1)).tolist()
    shares = np.bincount(blend, minlength=4) / len(blend)
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25, 0], atol=0.07)
    assert (np.array(soft) <= 0.12 * np.array(side) + 1e-5).all()
    assert (np.array(soft)[np.array(blend) == Blend.HARD] == 0).all()
