"""Packs: the same pixels as from files, and never wrong ones."""

import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from detaug.batches.augmenter import Augmenter
from detaug.batches.dataset import WholeImages
from detaug.errors import InputError
from detaug.readers.arrays import Arrays, packed
from detaug.readers.catalog import Catalog
from detaug.readers.image import Coded
from detaug.readers.read import read
from detaug.render.blocks import SIDE, Blocks, divided, encoded
from detaug.render.gpu.resident import ResidentImages
from detaug.render.pack import Pack
from detaug.render.pack_build import Wanted, build
from detaug.render.pack_file import FORM, HEAD, JPEG, RAW, raw_bytes
from detaug.render.picture import PAD
from detaug.render.source import BrokenImage, Source
from detaug.scenes.levels import levels
from detaug.scenes.recipe import Recipe
from tests.batches.painting import damaged, painted
from tests.scenes.painted import whole
from tests.scenes.test_boxes_follow import STRONG

SIZE = (64, 96)
RECIPE = Recipe(**STRONG)  # type: ignore[arg-type]
LONG_AGO = 1_600_000_000


def aged(root: Path) -> Path:
    """Files old enough that their time tells of any change; else a build waits for that."""
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return textured(tmp_path / "set", (150, 200))


def textured(root: Path, size: tuple[int, int]) -> Path:
    """Seven images for training and four for validation, every other one of noise."""
    made = painted(root, {"train": 7, "val": 4}, size=size, suffix="jpg")
    rng = np.random.default_rng(0)
    for path in sorted(made.rglob("*.jpg"))[::2]:
        cv2.imwrite(str(path), rng.integers(0, 256, (*size, 3), np.uint8))
    return aged(made)


def packed_at(root: Path, kind: str = RAW, catalog: Catalog | None = None) -> Pack:
    wanted = Wanted(catalog or read(root), SIZE, kind, 95 if kind == JPEG else 0)
    return build(wanted, root.with_name(f"{kind}.pack")).pack


def all_pictures(source: Source) -> dict[tuple[int, int], bytes]:
    found = {}
    for row, (height, width) in enumerate(source.catalog.sizes.tolist()):
        for index in range(len(levels(height, width, source.size))):
            found[row, index] = source.picture(row, index).rgb.tobytes()
    return found


def unread(path: Path) -> Coded:
    raise AssertionError(f"{path} was read")


def test_a_raw_pack_gives_the_pixels_of_the_files(root: Path) -> None:
    catalog = read(root)
    source = Source(catalog, SIZE, open_file=unread, pack=packed_at(root))
    assert all_pictures(source) == all_pictures(Source(catalog, SIZE))
    picture = source.picture(0, 0)
    assert not picture.rgb.flags.writeable
    assert not picture.rgb.flags.owndata
    assert source._bytes == 0


@pytest.mark.parametrize("kind", [RAW, JPEG])
def test_images_with_one_level_are_packed_too(tmp_path: Path, kind: str) -> None:
    root = textured(tmp_path / "small", (70, 80))
    catalog = read(root)
    pack = packed_at(root, kind)
    assert pack.missing(catalog) == (0, 0)
    assert len(all_pictures(Source(catalog, SIZE, open_file=unread, pack=pack))) == len(catalog)


def test_training_and_evaluation_are_the_same_bit_for_bit(root: Path) -> None:
    pack, train, val = packed_at(root), read(root).split("train"), read(root).split("val")
    plain, from_pack = (Augmenter(train, RECIPE, SIZE, 3, pack=p) for p in (None, pack))
    for slot in range(len(plain)):
        np.testing.assert_array_equal(plain[0, slot].image, from_pack[0, slot].image)
    whole, from_pack_ = (WholeImages(val, SIZE, 0, "error", p) for p in (None, pack))
    for row in range(len(val)):
        one, other = whole[row], from_pack_[row]
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.sample.image, other.sample.image)


def test_evaluation_never_reads_jpegs(root: Path) -> None:
    val = read(root).split("val")
    source = WholeImages(val, SIZE, 0, "error", packed_at(root, JPEG)).source
    assert all_pictures(source) == all_pictures(Source(val, SIZE))


def test_images_on_a_device_come_from_the_pack(root: Path) -> None:
    catalog = read(root)
    plain = ResidentImages(catalog, SIZE, "cpu")
    from_pack = ResidentImages(catalog, SIZE, "cpu", open_file=unread, pack=packed_at(root))
    np.testing.assert_array_equal(plain.arena.numpy(), from_pack.arena.numpy())


@pytest.mark.parametrize("height", [1, SIDE - 1, SIDE, SIDE + 1, 2 * SIDE + 9])
@pytest.mark.parametrize("width", [1, SIDE, 2 * SIDE + 5])
def test_blocks_are_the_pixels_of_one_jpeg(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    level = cv2.copyMakeBorder(noise, PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE)
    once = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(noise, 95, "RGB", "444"), "RGB")
    expected = cv2.copyMakeBorder(once, PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE)
    data = memoryview(encoded(np.asarray(level, np.uint8), 95))
    high, wide = height + 2 * PAD, width + 2 * PAD
    windows = [(0, 0, 1, 1), (0, 0, wide, high), (wide - 1, high - 1, wide, high), (0, high - 1, wide, high)]
    for _ in range(60):
        (x1, x2), (y1, y2) = (np.sort(rng.choice(n + 1, 2, replace=False)).tolist() for n in (wide, high))
        windows.append((x1, y1, x2, y2))
    several = Blocks(divided(data, height, width), height, width)
    for x1, y1, x2, y2 in windows:
        for blocks in (several, Blocks(divided(data, height, width), height, width)):
            blocks.fill(x1, y1, x2, y2)
            np.testing.assert_array_equal(blocks.pixels[y1:y2, x1:x2], expected[y1:y2, x1:x2])


def test_a_jpeg_pack_decodes_what_is_shown_and_the_cache_keeps_it(root: Path) -> None:
    catalog, pack = read(root), packed_at(root, JPEG)
    alike = [Augmenter(catalog, RECIPE, SIZE, 3, pack=pack, cache_bytes=bound) for bound in (None, 0, 60_000)]
    for slot in range(len(catalog)):
        first, *others = (augmenter[0, slot].image for augmenter in alike)
        for other in others:
            np.testing.assert_array_equal(first, other)
    assert alike[0].source._bytes > 0 == alike[1].source._bytes
    assert alike[2].source._bytes <= 60_000


@pytest.mark.parametrize("kind", [RAW, JPEG])
def test_changed_and_unknown_images_are_read_from_their_files(root: Path, kind: str) -> None:
    catalog = read(root)
    pack = packed_at(root, kind, catalog.split("train"))
    changed = catalog.path(2)
    image = np.full((150, 200, 3), 77, np.uint8)
    cv2.imwrite(str(changed), image)
    read_from: list[str] = []

    def noting(path: Path) -> NDArray[np.uint8]:
        read_from.append(path.relative_to(root).as_posix())
        return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)

    source = Source(catalog, SIZE, open_file=whole(noting), pack=pack)
    for row in range(len(catalog)):
        source.picture(row, 0)
    new = {catalog.name(row) for row in range(len(catalog)) if catalog.splits[row] != 1}
    assert len(new) == 4
    assert set(read_from) == {catalog.name(2), *new}
    assert abs(source.picture(2, 0).rgb.astype(int) - 77).max() <= 2
    assert pack.missing(catalog) == (5, 4)


def test_a_damaged_image_is_left_out_and_met_as_ever(root: Path) -> None:
    catalog = read(root)
    damaged(catalog.path(1))
    aged(root)
    built = build(Wanted(catalog, SIZE, RAW), root.with_name("some.pack"))
    assert built.broken == 1
    source = Source(catalog, SIZE, pack=built.pack)
    with pytest.raises(BrokenImage, match="cannot be decoded"):
        source.picture(1, 0)
    source.picture(2, 0)


def test_other_processes_map_the_file_themselves(root: Path) -> None:
    catalog = read(root)
    for kind in (RAW, JPEG):
        source = Source(catalog, SIZE, pack=packed_at(root, kind))
        expected = all_pictures(source)
        data = pickle.dumps(source)
        assert len(data) < len(pickle.dumps(Source(catalog, SIZE))) + 1000
        assert all_pictures(pickle.loads(data)) == expected  # noqa: S301


def test_another_canvas_is_refused(root: Path) -> None:
    pack = packed_at(root)
    with pytest.raises(InputError, match=r"raw\.pack.*64x96, not 96x64"):
        Source(read(root), (96, 64), pack=pack)
    with pytest.raises(InputError, match="64x96, not 96x96"):
        Augmenter(read(root), RECIPE, 96, pack=pack.path)


def test_sizes_are_those_of_the_levels(root: Path) -> None:
    sizes = np.array([[150, 200], [70, 80], [150, 200], [1000, 31]])
    for (height, width), found in zip(sizes.tolist(), raw_bytes(sizes, SIZE).tolist(), strict=True):
        areas = [3 * (level.height + 2 * PAD) * (level.width + 2 * PAD) for level in levels(height, width, SIZE)]
        assert found == [*areas, 0][:2]


def cut(data: bytes) -> bytes:
    return data[:-100]


def longer(data: bytes) -> bytes:
    return data + b"\0"


def other_version(data: bytes) -> bytes:
    return data[:8] + struct.pack("<Q", 99) + data[16:]


def spoilt_table(data: bytes) -> bytes:
    at = struct.unpack("<QQ8s", data[-24:])[0] + 300
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def tail_far_away(data: bytes) -> bytes:
    return data[:-24] + struct.pack("<QQ8s", 1 << 62, 1 << 62, HEAD[:8])


def tail_at_the_start(data: bytes) -> bytes:
    return data[:-24] + struct.pack("<QQ8s", 0, len(data) - 24, HEAD[:8])


def empty(data: bytes) -> bytes:
    return b""


def head_alone(data: bytes) -> bytes:
    return HEAD


@pytest.mark.parametrize(
    "spoil", [cut, longer, other_version, spoilt_table, tail_far_away, tail_at_the_start, empty, head_alone]
)
def test_a_damaged_pack_is_refused(root: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = packed_at(root).path
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=r"raw\.pack: not a pack that can be used"):
        Pack(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("starts", 1 << 40),
        ("starts", -(1 << 40)),
        ("starts", 8),
        ("lengths", 1 << 40),
        ("lengths", -5),
        ("lengths", 5),
        ("lengths", (1 << 63) - 1),
        ("order", 99),
        ("order", -1),
        ("ends", 1 << 40),
        ("sizes", 100_000),
        ("sizes", -1),
        ("sizes", 0),
    ],
)
def test_a_forged_table_is_refused(root: Path, name: str, value: int) -> None:
    pack = packed_at(root)
    table = pack.table
    arrays = {n: getattr(table, n).copy() for n in
              ("text", "ends", "sizes", "stamps", "starts", "lengths", "hashes", "order")}  # fmt: skip
    arrays[name].reshape(-1)[0] = value
    header = {"size": [64, 96], "kind": RAW, "quality": 0, "key": table.key, "token": None, "form": FORM}
    whole = pack.path.read_bytes()
    first = struct.unpack("<QQ8s", whole[-24:])[0]

    def forged(header: dict[str, object], arrays: Arrays) -> Path:
        body = packed(header, arrays)
        pack.path.unlink()
        pack.path.write_bytes(whole[:first] + body + struct.pack("<QQ8s", first, len(body), HEAD[:8]))
        return pack.path

    with pytest.raises(InputError, match="not a pack that can be used"):
        Pack(forged(header, arrays))
    for wrong in (
        {"size": [0, 96]},
        {"size": 5},
        {"size": [10**30, 1]},
        {"kind": "x"},
        {"form": [0, 2, 128]},
        {"quality": "q"},
    ):
        with pytest.raises(InputError, match="not a pack that can be used"):
            Pack(forged(header | wrong, {n: getattr(table, n) for n in arrays}))


def test_damaged_jpegs_in_a_pack_are_named(root: Path) -> None:
    catalog, pack = read(root), packed_at(root, JPEG)
    path, starts = root.with_name("damaged.pack"), pack.table.starts[:, 0].tolist()
    data = bytearray(pack.path.read_bytes())
    data[starts[0] : starts[0] + 4] = b"\xff" * 4
    length = int(pack.table.lengths[1, 0])
    data[starts[1] + length // 2 : starts[1] + length] = bytes(length - length // 2)
    path.write_bytes(data)
    source = Source(catalog, SIZE, pack=Pack(path))
    for row in (0, 1):
        with pytest.raises(BrokenImage, match=r"damaged\.pack: the pack is damaged at train/"):
            source.picture(row, 0)
    source.picture(2, 0)


def test_names_of_any_letters_are_found(tmp_path: Path) -> None:
    root = painted(tmp_path / "set", {"train": 2}, size=(150, 200))
    shutil.rmtree(root / "annotations")
    names = ["a b.png", "ü/Ω 标.png", "x" * 200 + ".png"]
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / "train" / "0000.png", root / name)
    catalog = read(aged(root), "images")
    pack = packed_at(root, catalog=catalog)
    assert sorted(catalog.name(row) for row in range(5) if pack.find(catalog.name(row)) == row) == sorted(
        [*names, "train/0000.png", "train/0020.png"]
    )
    assert pack.find("absent.png") is None
