import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.batches.augmenter import Augmenter, Made
from detaug.errors import InputError
from detaug.readers.image import decode
from detaug.readers.read import read
from detaug.reports.colours import class_colours, seen
from detaug.reports.marks import REACH, Origin, draw_sample, places, shortened, tag_size, text_width, write
from detaug.reports.preview import origins_of, preview, write_sheet
from detaug.reports.sheet import contact_sheet
from detaug.sample import Sample
from detaug.scenes.finish import finish
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from tests.readers.making import voc
from tests.scenes.painted import world

NAMES = ["speedlimit", "stop", "Главная дорога", "Biển báo cấm"]
GAP = 8
BOXES = [[20, 60, 44, 90], [100, 40, 130, 60], [150, 120, 162, 131], [30, 150, 90, 190]]


def sample(height: int = 200, width: int = 200, boxes: object = (), grey: int = 0) -> Sample:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Sample(
        np.full((height, width, 3), grey, np.uint8), array, np.arange(len(array), dtype=np.int64) % len(NAMES)
    )


def drawn(one: Sample, side: int = 200, origin: Origin = Origin.OWN) -> NDArray[np.uint8]:
    return draw_sample(one, np.full(len(one.labels), origin), NAMES, class_colours(len(NAMES)), side)


def test_without_samples_there_is_no_sheet() -> None:
    with pytest.raises(ValueError, match="got 0"):
        contact_sheet([], NAMES)


def test_a_sample_without_boxes_is_shown_as_it_is() -> None:
    one = Sample(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3), sample().boxes, sample().labels)
    assert (contact_sheet([one], NAMES)[-64 - GAP : -GAP, GAP : 64 + GAP] == one.image).all()


@pytest.mark.parametrize(("count", "columns", "side"), [(1, 1, 200), (5, 2, 200), (6, 3, 100), (2, 9, 100)])
def test_the_sheet_has_a_place_for_every_sample(count: int, columns: int, side: int) -> None:
    sheet = contact_sheet([sample()] * count, NAMES, columns, side=side)
    used = min(columns, count)
    head = contact_sheet([sample()] * used, NAMES, columns, side=side).shape[0] - side - GAP
    assert sheet.shape == (head + -(-count // used) * (side + GAP), used * (side + GAP) + GAP, 3)


@pytest.mark.parametrize("grey", [0, 114, 255])
@pytest.mark.parametrize("origin", [Origin.OWN, Origin.MOSAIC])
def test_each_box_has_its_class_colour_all_round_and_hides_nothing_of_its_sign(grey: int, origin: Origin) -> None:
    one = sample(boxes=BOXES, grey=grey)
    picture, colours = drawn(one, origin=origin), class_colours(len(NAMES))
    for (x1, y1, x2, y2), label in zip(BOXES, one.labels, strict=True):
        assert (picture[y2 + 1, x1:x2] == colours[label]).all()
        assert (picture[y1:y2, x1 - 2] == colours[label]).all()
        assert (picture[y1:y2, x2 + 1] == colours[label]).all()
        assert (picture[y1:y2, x1:x2] == grey).all()
        assert picture[y2, x1:x2].max() < 32
        assert picture[y1 : y2 + 1, x2].max() < 32


def test_the_lines_of_pasted_and_shining_boxes_are_broken() -> None:
    colour = class_colours(1)[0]
    shares = {}
    for origin in Origin:
        line = drawn(sample(boxes=[[50, 50, 110, 110]]), origin=origin)[111, 50:110]
        shares[origin] = (line == colour).all(1).mean()
    assert shares[Origin.OWN] == shares[Origin.MOSAIC] == 1
    assert 0.3 < shares[Origin.MIXUP] < 0.7
    assert 0.3 < shares[Origin.PASTE] < 0.7


def test_a_box_at_the_border_is_seen_on_all_sides() -> None:
    picture = drawn(sample(100, 140, [[0, 0, 140, 100]]))
    colour = class_colours(1)[0]
    for edge in (picture[REACH - 2, 10:20], picture[-REACH + 1, 10:20], picture[50:60, 2], picture[50:60, -3]):
        assert (edge == colour).all()


def test_boxes_shrink_with_their_image() -> None:
    picture = drawn(sample(400, 800, [[200, 200, 320, 300]]), side=200)
    assert picture.shape == (100, 200, 3)
    assert (picture[75 + 1, 50:80] == class_colours(1)[0]).all()


def test_names_stay_inside_and_leave_each_other_alone() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        low = rng.integers(REACH, 300, (4, 2))
        boxes = [(x, y, x + 20, y + 20) for x, y in low.tolist()]
        found = [p for p in places(boxes, ["speedlimit"] * 4, (330, 330)) if p is not None]
        assert found
        for i, (x1, y1, x2, y2) in enumerate(found):
            assert (x2 - x1, y2 - y1) == tag_size("speedlimit")
            assert 0 <= x1 <= x2 <= 330
            assert 0 <= y1 <= y2 <= 330
            for a1, b1, a2, b2 in found[:i]:
                shared = max(0, min(x2, a2) - max(x1, a1)) * max(0, min(y2, b2) - max(y1, b1))
                assert shared < 0.3 * (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize("letters", ["ảấếđơư", "ГлвнаяЖЩ", "żółß", "停车让"])
def test_letters_of_the_world_are_drawn(letters: str) -> None:
    pictures = [letter_picture(c) for c in letters + "?"]
    assert all(p.any() for p in pictures)
    assert len({p.tobytes() for p in pictures}) == len(letters) + 1


def letter_picture(letter: str) -> NDArray[np.uint8]:
    picture = np.zeros((40, 40, 3), np.uint8)
    write(picture, letter, (8, 28), (255, 255, 255), 20)
    return picture


@pytest.mark.parametrize("name", ["", "a", "stop\nline", "x" * 300, "bad\udcff"])
def test_a_name_fits_its_place(name: str) -> None:
    assert text_width(shortened(name, 60)) <= 60


def test_colours_differ_for_every_eye_and_do_not_move() -> None:
    assert len(np.unique(class_colours(500), axis=0)) == 500
    assert (class_colours(500)[:9] == class_colours(9)).all()
    assert class_colours(0).shape == (0, 3)
    for view in seen(class_colours(16)):
        apart = np.linalg.norm(view[:, None] - view[None], axis=2) + 1e3 * np.eye(16)
        assert apart.min() > 8


def made_by(recipe: Recipe, slot: int) -> tuple[Made, Augmenter]:
    augmenter = Augmenter(world(), recipe, 320, rare=["plate", "stop"])
    scene = augmenter.scene(0, slot)
    return Made(sample(), scene, finish(scene), ()), augmenter


def test_origins_tell_where_a_box_came_from() -> None:
    met = set()
    for slot in range(8):
        made, augmenter = made_by(Recipe(mosaic=Mosaic(p=1), mixup=Mixup(p=1), paste=Paste(p=1)), slot)
        origins = origins_of(made)
        objects = made.visible.objects
        images = augmenter.catalog.images_of_boxes()[made.scene.origin[objects]]
        assert (images[origins == Origin.OWN] == made.scene.draw.item).all()
        assert (images[origins == Origin.MOSAIC] != made.scene.draw.item).all()
        assert np.isin(made.visible.labels[origins == Origin.PASTE], [0, 4]).all()
        met |= set(origins.tolist())
    assert met == set(Origin)
    assert (origins_of(made_by(Recipe(), 3)[0]) == Origin.OWN).all()


def test_the_preview_shows_what_training_sees(tmp_path: Path) -> None:
    catalog = read(voc(tmp_path, {f"a{i}": [("stop", (5, 5, 20, 20))] * (i % 2) for i in range(4)}))
    augmenter = Augmenter(catalog, Recipe.builtin("signs"), 64, 3)
    sheet = preview(catalog, Recipe.builtin("signs"), 64, count=6, seed=3, epoch=1)
    again = preview(catalog, Recipe.builtin("signs"), 64, count=6, seed=3, epoch=1)
    assert (sheet == again).all()
    cells = [sheet[-18 - GAP - 64 - (64 + 18 + GAP) * (1 - i // 3) :, GAP + (64 + GAP) * (i % 3) :] for i in range(6)]
    for i, cell in enumerate(cells):
        place = (1, i) if i < 4 else (2, i - 4)
        if not len(augmenter[place].boxes):
            assert (cell[:64, :64] == augmenter[place].image).all()


def test_plain_puts_the_image_before_its_sample(tmp_path: Path) -> None:
    catalog = read(voc(tmp_path, {"a": [], "b": []}))
    sheet = preview(catalog, Recipe.builtin("signs"), 64, count=1, plain=True)
    draw = Augmenter(catalog, Recipe(), 64).draw(0, 0)
    fitted = cv2.resize(decode(catalog.path(draw.item)), (64, 43), interpolation=cv2.INTER_AREA)
    cell = sheet[-18 - GAP - 64 : -18 - GAP, GAP : GAP + 64]
    assert sheet.shape[1] == 2 * (64 + GAP) + GAP
    assert np.abs(cell[14:50].astype(int) - fitted[4:40]).mean() < 6


def test_a_sheet_is_written_once(tmp_path: Path) -> None:
    sheet = contact_sheet([sample(boxes=BOXES)], NAMES)
    file = tmp_path / "new" / "sheet.png"
    write_sheet(file, sheet)
    assert (decode(file) == sheet).all()
    with pytest.raises(InputError, match=r"sheet\.png: this file exists already"):
        write_sheet(file, sheet[:50])
    assert (decode(file) == sheet).all()
    write_sheet(file, sheet[:50], force=True)
    assert (decode(file) == sheet[:50]).all()
    assert [f.name for f in file.parent.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(("name", "fault"), [("a.gif", "'.gif'"), ("a", "''"), ("folder.png", "this is a folder")])
def test_places_that_no_sheet_goes_to(tmp_path: Path, name: str, fault: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=fault):
        write_sheet(tmp_path / name, contact_sheet([sample()], NAMES), force=True)


def test_a_jpeg_is_close_to_the_sheet(tmp_path: Path) -> None:
    sheet = contact_sheet([sample(grey=90)], NAMES)
    write_sheet(tmp_path / "a.JPG", sheet)
    assert np.abs(decode(tmp_path / "a.JPG").astype(int) - sheet).mean() < 4


def test_samples_stay_as_they_are() -> None:
    one = sample(boxes=BOXES)
    for array in dataclasses.astuple(one):
        array.flags.writeable = False
    assert drawn(one).any()
    assert not one.image.any()
