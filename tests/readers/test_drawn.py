import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detaug.classes import NEVER
from detaug.readers.drawn import NAMES, draw_scene
from detaug.readers.drawn.mount import HIDDEN_MOST, branch, mount, window
from detaug.readers.drawn.plates import DECOY, Plate, meet
from detaug.readers.drawn.scene import SIZE, plan
from detaug.readers.drawn.shares import generator, scene_labels
from detaug.readers.drawn.signs import TABLE, face
from detaug.readers.drawn.view import View
from detaug.readers.drawn.weather import Weather

NOON = Weather("clear", (90, 140, 210), (190, 210, 230), (250, 250, 250), 0.1, (1.0, 1.0, 1.0), 0.0, 1e9)


def planned(split: str, count: int, seed: int = 0) -> list[tuple[View, list[Plate]]]:
    scenes = [plan(generator(seed, split, i, "scene"), scene_labels(seed, split, i), SIZE) for i in range(count)]
    return [(view, [p for p in plates if p.label != DECOY]) for view, plates in scenes]


@pytest.fixture(scope="module")
def train() -> list[tuple[View, list[Plate]]]:
    return planned("train", 600)


def counted(scenes: list[tuple[View, list[Plate]]]) -> NDArray[np.int64]:
    return np.bincount([p.label for _, plates in scenes for p in plates], minlength=len(NAMES))


def composed(name: str) -> NDArray[np.float64]:
    pixels = face(name).astype(float)
    return np.asarray(pixels[..., :3] * pixels[..., 3:] / 255)


def test_a_scene_may_have_no_sign() -> None:
    image, boxes, labels = draw_scene(np.random.default_rng(0), [])
    assert image.shape == (*SIZE, 3)
    assert image.dtype == np.uint8
    assert boxes.shape == (0, 4)
    assert boxes.dtype == np.float32
    assert labels.shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_the_mirror_rule_tells_what_the_mirror_shows(name: str) -> None:
    rule = int(TABLE.mirror[NAMES.index(name)])
    gaps = {n: np.abs(composed(name)[:, ::-1] - composed(n)).mean() for n in NAMES if face(n).shape == face(name).shape}
    if rule == NEVER:
        assert min(gaps.values()) > 2.5
    else:
        assert gaps.pop(NAMES[rule]) < 1
        assert min(gaps.values()) > 2.5


def test_the_tail_is_long_and_no_class_is_left_out(train: list[tuple[View, list[Plate]]]) -> None:
    counts = counted(train)
    assert len(NAMES) >= 14
    assert counts.max() >= 50 * counts.min()
    assert counts.min() >= 3
    assert counted(planned("val", 100)).min() >= 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_dealt_finds_room_with_any_seed(seed: int) -> None:
    wanted = np.bincount([n for i in range(150) for n in scene_labels(seed, "val", i)], minlength=len(NAMES))
    counts = counted(planned("val", 150, seed))
    assert (counts >= 0.75 * wanted).all()
    assert counts.min() >= 3


def test_signs_are_whole_apart_and_within_the_sizes(train: list[tuple[View, list[Plate]]]) -> None:
    boxes = np.array([p.box for _, plates in train for p in plates])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert 12 <= sides.min() <= sides.max() <= 96
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= [SIZE[1], SIZE[0]]).all()
    assert np.median(sides.max(1)) < 40  # small ones are more frequent
    for _, plates in train:
        assert not any(meet(a.box, b.box) for i, a in enumerate(plates) for b in plates[:i])


def test_most_scenes_have_one_to_four_signs(train: list[tuple[View, list[Plate]]]) -> None:
    numbers = np.array([len(plates) for _, plates in train])
    assert 0.01 < (numbers == 0).mean() < 0.15
    assert ((numbers >= 1) & (numbers <= 4)).mean() > 0.85


def test_a_nearer_sign_is_larger_and_farther_from_the_vanishing_point(train: list[tuple[View, list[Plate]]]) -> None:
    for view, plates in train:
        for plate in plates:
            assert (plate.box[2:] - plate.box[:2]).max() == pytest.approx(
                view.focal * plate.spot[2] / plate.z, rel=0.25
            )
    rows = [
        (max(p.box[2:] - p.box[:2]), np.hypot(p.foot[0] - v.vanish, p.foot[1] - v.horizon)) for v, s in train for p in s
    ]
    assert np.corrcoef(np.log(np.array(rows)).T)[0, 1] > 0.6


def test_boxes_are_tight(train: list[tuple[View, list[Plate]]]) -> None:
    """The face's own coverage, warped at eight times the resolution by OpenCV, is the reference."""
    fine = 8
    for _, plates in train[:30]:
        for plate in plates:
            cover = face(NAMES[plate.label])[..., 3]
            height, width = cover.shape
            unit = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
            zoom = np.array([[fine, 0, -0.5], [0, fine, -0.5], [0, 0, 1.0]])
            warped = cv2.warpPerspective(cover, zoom @ plate.matrix @ unit, (SIZE[1] * fine, SIZE[0] * fine))
            x, y, wide, high = cv2.boundingRect((warped > 100).astype(np.uint8))
            assert np.abs(np.array([x, y, x + wide, y + high]) / fine - plate.box).max() < 0.5


def alone(plate: Plate, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    image = np.zeros((*SIZE, 3), np.float32)
    return image, mount(rng, image, plate, np.ones_like(image), NOON)


def test_pixels_of_a_sign_fill_its_box_and_no_more(train: list[tuple[View, list[Plate]]]) -> None:
    rng = np.random.default_rng(0)
    for plate in [p for _, plates in train[:40] for p in plates]:
        image, _ = alone(plate, rng)
        x, y, wide, high = cv2.boundingRect((image.max(2) > 0).astype(np.uint8))
        outer = np.concatenate([np.floor(plate.box[:2] - 0.2), np.ceil(plate.box[2:] + 0.2)])
        assert x >= outer[0]
        assert y >= outer[1]
        assert x + wide <= outer[2]
        assert y + high <= outer[3]
        assert np.abs(np.array([x, y, x + wide, y + high]) - plate.box).max() < 1.3


@pytest.mark.parametrize("limit", [0.35, 0.1])
def test_branches_leave_most_of_a_sign_visible(
    train: list[tuple[View, list[Plate]]], monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    assert HIDDEN_MOST == 0.35
    monkeypatch.setattr("detaug.readers.drawn.mount.HIDDEN_MOST", limit)
    rng, hidden = np.random.default_rng(1), []
    for plate in [p for _, plates in train[:40] for p in plates]:
        _, cover = alone(plate, rng)
        bright = np.full((*SIZE, 3), 1e5, np.float32)  # so bright that what darkens it is the leaves' share
        told = branch(rng, bright, plate, cover, [plate], np.ones_like(bright))
        leaves = 1 - bright.mean(2)[window(plate, bright.shape)] / 1e5
        share = float((leaves * cover).sum() / cover.sum())
        assert share == pytest.approx(told, abs=0.01)
        assert share <= limit + 0.01
        hidden.append(share)
    assert max(hidden) > 0.05


def test_the_plan_is_what_the_scene_shows() -> None:
    labels = scene_labels(0, "train", 5)
    _, plates = plan(generator(0, "train", 5, "scene"), labels, SIZE)
    _, boxes, shown = draw_scene(generator(0, "train", 5, "scene"), labels)
    signs = [p for p in plates if p.label != DECOY]
    assert shown.tolist() == [p.label for p in signs]
    np.testing.assert_array_equal(boxes, np.array([p.box for p in signs], np.float32))
