from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from detaug.readers.check import pixels
from detaug.readers.check.check import check
from detaug.readers.check.copies import MOST_BITS, correlation, near_duplicates
from detaug.readers.check.pixels import look
from detaug.readers.check.report import Report
from detaug.readers.drawn.scene import draw_scene
from detaug.readers.read import read
from tests.readers.making import REAL, needs_real, voc
from tests.readers.textures import all_different, texture, textured

BOX = (2, 2, 20, 20)
KINDS = {"near-duplicate", "leaked-image", "duplicate-image", "conflicting-boxes", "leaking-group"}


def dataset(root: Path, train: int = 10, val: int = 4, test: int = 0) -> Path:
    """Different pictures, each in a group of its own."""
    for split, count in {"train": train, "val": val, "test": test}.items():
        if count:
            voc(root / split, {f"{split}{chr(97 + i)}": [("s", BOX)] for i in range(count)})
    return all_different(root, 120, 160)


def copies(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.kind in KINDS:
            found.setdefault(finding.kind, []).append(f"{finding.file}: {finding.value}")
    return found


@pytest.mark.parametrize(
    "change", [{"quality": 40}, {"side": 0.5}, {"side": 1.7, "quality": 60}, {"progressive": True}, {"grey": True}]
)
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_changed_copy_in_another_split_is_found(tmp_path: Path, change: Mapping[str, float], split: str) -> None:
    root = dataset(tmp_path, test=2)
    with Image.open(root / "train" / "images" / "traind.jpg") as image:
        factor = change.get("side", 1)
        copy = image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.BICUBIC)
        copy = copy.convert("L") if "grey" in change else copy
        copy.save(
            root / split / "images" / f"{split}b.jpg",
            quality=int(change.get("quality", 80)),
            progressive="progressive" in change,
        )
    (found,) = copies(check(root))["near-duplicate"]
    assert found.startswith(f"{split}/images/{split}b.jpg: looks like train/images/traind.jpg in train")


def test_a_copy_turned_by_exif_is_found(tmp_path: Path) -> None:
    root = dataset(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = np.rot90(texture(3))
    Image.fromarray(sideways).save(root / "val" / "images" / "valb.jpg", exif=exif)
    textured(root / "train" / "images" / "traind.jpg", 3)
    assert len(copies(check(root))["near-duplicate"]) == 1


def test_a_changed_copy_in_the_same_split_is_no_leak(tmp_path: Path) -> None:
    root = dataset(tmp_path)
    textured(root / "train" / "images" / "traind.jpg", 901)
    textured(root / "train" / "images" / "traine.jpg", 901, quality=50)
    assert not copies(check(root))


def test_two_hundred_different_pictures_give_none(tmp_path: Path) -> None:
    assert not copies(check(dataset(tmp_path, 20, 20)))
    for index in range(160):
        textured(tmp_path / "more" / f"{index}.jpg", 1000 + index)
    catalog = read(tmp_path / "more", "images")
    looks = look(catalog)
    distances = np.bitwise_count(looks.hashes[:, None] ^ looks.hashes)[np.triu_indices(160, 1)]
    assert distances.min() > MOST_BITS


@pytest.mark.slow
def test_drawn_scenes_are_no_copies_of_each_other(tmp_path: Path) -> None:
    root = dataset(tmp_path, 20, 20)
    for seed, path in enumerate(sorted(root.rglob("*.jpg"))):
        scene, _, _ = draw_scene(np.random.Generator(np.random.Philox(seed)), size=(192, 320))
        Image.fromarray(scene).save(path)
    assert not copies(check(root))


@pytest.mark.parametrize("grain", [0, 1, 3])
@pytest.mark.parametrize("fade", [0, 4])
def test_flat_pictures_are_not_compared(tmp_path: Path, grain: int, fade: int) -> None:
    root = dataset(tmp_path)
    rng = np.random.Generator(np.random.Philox(1))
    sky = fade * np.linspace(-1, 1, 120)[:, None, None]  # what remains of a picture in fog
    for level, path in enumerate(sorted(root.rglob("*.jpg"))):
        flat = 60 + 9 * level + sky + rng.normal(0, grain, (120, 160, 3))
        Image.fromarray(flat.astype(np.uint8)).save(path)
    assert not copies(check(root))


def test_like_hashes_of_unlike_pictures_are_none(tmp_path: Path) -> None:
    catalog = read(dataset(tmp_path, 40, 40))
    looks = look(catalog)
    same = replace(looks, hashes=np.zeros_like(looks.hashes))
    assert near_duplicates(catalog, same) == []
    alike = replace(same, thumbnails=np.tile(looks.thumbnails[:1], (80, 1)))
    assert len(near_duplicates(catalog, alike)) == 40


def test_the_same_bytes_in_another_split_and_in_the_same(tmp_path: Path) -> None:
    root = dataset(tmp_path)
    data = (root / "train" / "images" / "traina.jpg").read_bytes()
    (root / "train" / "images" / "trainc.jpg").write_bytes(data)
    (root / "val" / "images" / "vala.jpg").write_bytes(data)
    found = copies(check(root))
    assert found == {
        "leaked-image": ["val/images/vala.jpg: the same bytes as train/images/traina.jpg in train"],
        "duplicate-image": ["train/images/trainc.jpg: the same bytes as train/images/traina.jpg in train"],
    }


@pytest.mark.parametrize(
    ("objects", "conflict"),
    [([("s", (2, 2, 20, 20)), ("t", (5, 5, 9, 9))], False), ([("t", (5, 5, 9, 9)), ("s", (2, 2, 20, 20))], False),
     ([("s", (2, 2, 20, 20))], True), ([("s", (2, 2, 20, 20)), ("s", (5, 5, 9, 9))], True),
     ([("s", (2, 2, 20, 20)), ("t", (5, 5, 9, 14))], True), ([], True)],
)  # fmt: skip
def test_the_same_bytes_with_other_boxes(
    tmp_path: Path, objects: list[tuple[str, tuple[int, int, int, int]]], conflict: bool
) -> None:
    root = dataset(tmp_path)
    voc(root / "train", {"x": [("s", (2, 2, 20, 20)), ("t", (5, 5, 9, 9))], "y": objects})
    assert ("conflicting-boxes" in copies(check(root))) == conflict
    assert "duplicate-image" in copies(check(root))


def test_groups_that_lie_in_two_splits(tmp_path: Path) -> None:
    root = dataset(tmp_path)
    voc(root / "train", {"road24": [], "road36": []})
    voc(root / "val", {"road25": []})
    all_different(root, 120, 160)
    (found,) = copies(check(root, fast=True))["leaking-group"]
    assert found.startswith("train/images/road24.jpg: ")
    assert "1 in train and 1 in val, such as val/images/road25.jpg" in found


def test_hashes_and_pairs_agree_with_the_library(tmp_path: Path) -> None:
    """More images than a block holds, against ImageHash's own hashes and differences, pair by pair."""
    rng = np.random.Generator(np.random.Philox(3))
    for index in range(150):
        split = ("train", "val", "test")[index % 3]
        path = textured(tmp_path / split / "images" / f"{split}_{index * 100}.png", index // 4, 64, 64)
        noise = rng.normal(0, 2 + 12 * (index % 5), (64, 64, 3))
        with Image.open(path) as image:
            Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)).save(path)
        voc(tmp_path / split, {}).joinpath("annotations", f"{path.stem}.xml").write_text(
            f"<annotation><filename>{path.name}</filename></annotation>"
        )
    hashes, tiny = {}, {}
    for path in tmp_path.rglob("*.png"):
        name = path.relative_to(tmp_path).as_posix()
        with Image.open(path) as image:
            hashes[name] = imagehash.phash(image)
            tiny[name] = np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX), float).ravel()
    expected = set()
    for name, value in hashes.items():
        for other, known in hashes.items():
            earlier = ("train", "val", "test").index(other.split("/")[0]) < ("train", "val", "test").index(
                name.split("/")[0]
            )
            if earlier and value - known <= MOST_BITS and np.corrcoef(tiny[name], tiny[other])[0, 1] >= 0.95:
                expected.add(name)
    found = {line.split(":")[0] for line in copies(check(tmp_path)).get("near-duplicate", [])}
    assert found == expected
    assert 20 < len(found) < 100


@pytest.mark.parametrize("block", [1, 4, 14, 100])
def test_every_image_is_looked_at_and_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(pixels, "_BLOCK", block)
    seen: list[int] = []

    def watched(steps: Iterable[int]) -> Iterator[int]:
        for step in steps:
            seen.append(step)
            yield step

    assert look(read(dataset(tmp_path)), watched).readable.all()
    assert seen == list(range(14))


def test_correlation_is_numpys() -> None:
    rng = np.random.Generator(np.random.Philox(1))
    a, b = rng.integers(0, 256, (2, 30, 256)).astype(np.uint8)
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    assert correlation(a, b) == pytest.approx(expected, abs=1e-4)
    assert correlation(a, a) == pytest.approx(np.ones(30))


@needs_real
def test_real_road_signs_are_no_copies_and_frames_of_a_drive_are() -> None:
    assert "near-duplicate" not in copies(check(REAL / "data" / "road_signs"))
    assert 4 <= len(copies(check(REAL / "data" / "au_signs_yolo"))["near-duplicate"]) <= 8
