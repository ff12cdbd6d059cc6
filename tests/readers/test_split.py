import itertools
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split, pack_names
from detaug.readers.read import read
from detaug.readers.split import fold, groups_by_runs, groups_per_split, parse_fold, with_splits
from detaug.readers.split_file import split_csv, with_split_file
from detaug.readers.stratify import repaired, stratified
from tests.readers.making import REAL, kinds, needs_real, obeys


def dataset(labels: list[list[int]], groups: list[int], splits: list[Split] | None = None, classes: int = 4) -> Catalog:
    count = len(labels)
    text, ends = pack_names([f"{i}.jpg" for i in range(count)])
    flat = np.array([label for image in labels for label in image], np.int32)
    return Catalog(
        root=Path("here"),
        classes=ClassTable.plain([f"class {i}" for i in range(classes)]),
        text=text,
        ends=ends,
        sizes=np.full((count, 2), 100, np.int32),
        starts=np.concatenate([[0], np.cumsum([len(image) for image in labels])]).astype(np.int64),
        images_in=count,
        boxes_in=len(flat),
        boxes=np.tile(np.array([[1, 1, 9, 9]], np.float32), (len(flat), 1)),
        labels=flat,
        flags=np.zeros(len(flat), np.uint8),
        ids=np.arange(count),
        splits=np.array(splits or [Split.NONE] * count, np.uint8),
        groups=np.array(groups, np.int32),
    )


images = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=60)


@given(images, st.integers(2, 5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_folds_use_each_image_once_and_part_no_group(drawn: list[tuple[int, int, int]], n: int, seed: int) -> None:
    labels = [[label] * count for label, count, _ in drawn]
    catalog = dataset(labels, [group for _, _, group in drawn])
    if len(set(catalog.groups.tolist())) < n:
        with pytest.raises(InputError, match="groups"):
            fold(catalog, 0, n, seed)
        return
    folds = [fold(catalog, k, n, seed).splits for k in range(n)]
    in_val = np.stack([splits == Split.VAL for splits in folds])
    assert (in_val.sum(0) == 1).all()
    assert in_val.any(1).all()
    for group in set(catalog.groups.tolist()):
        assert len(np.unique(in_val[:, catalog.groups == group], axis=1)[0]) == 1
    assert (fold(catalog, 0, n, seed).splits == folds[0]).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), min_size=5, max_size=60), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_each_class_with_enough_groups_is_in_each_part(drawn: list[tuple[int, int]], n: int) -> None:
    counts = np.zeros((len(drawn), 6), np.int64)
    for group, (label, boxes) in enumerate(drawn):
        counts[group, label] = boxes
    for shares in (np.full(n, 1 / n), np.array([0.8, 0.2])):
        parts = stratified(counts, np.ones(len(drawn), np.int64), shares, np.random.Generator(np.random.Philox(0)))
        for label in range(6):  # one class in each group: it is always possible
            having = counts[:, label] > 0
            assert len(set(parts[having].tolist())) == len(shares) or having.sum() < len(shares)


def test_classes_that_share_groups_are_in_each_fold_too() -> None:
    rng = np.random.Generator(np.random.Philox(5))
    counts = (rng.random((60, 8)) < np.linspace(0.1, 0.9, 8)) * rng.integers(1, 5, (60, 8))
    parts = stratified(counts, np.ones(60, np.int64), np.full(4, 0.25), rng)
    assert all(set(parts[counts[:, label] > 0].tolist()) == {0, 1, 2, 3} for label in range(8))


def test_validation_gets_its_share_of_each_class() -> None:
    labels = [[i % 4] * (1 + i % 3) if i % 4 else [0] for i in range(400)]
    catalog = with_splits(dataset(labels, list(range(400))), val_share=0.25)
    val = (catalog.splits == Split.VAL)[catalog.images_of_boxes()]
    share = np.bincount(catalog.labels[val], minlength=4) / catalog.class_counts()
    assert np.abs(share - 0.25).max() < 0.03


def test_no_part_is_empty() -> None:
    catalog = with_splits(dataset([[0], [1]], [0, 1]))
    assert sorted(catalog.splits) == [Split.TRAIN, Split.VAL]


def test_test_images_stay_and_old_splits_are_pooled() -> None:
    old = [Split.TRAIN, Split.VAL, Split.TEST, Split.NONE] * 5
    catalog = dataset([[0]] * 20, list(range(20)), old)
    for new in (fold(catalog, 1, 5), with_splits(catalog)):
        assert ((new.splits == Split.TEST) == (catalog.splits == Split.TEST)).all()
        assert not (new.splits == Split.NONE).any()


def test_ids_that_two_splits_share_become_rows() -> None:
    catalog = replace(dataset([[0]] * 4, [0, 1, 2, 3]), ids=np.array([0, 1, 0, 1]))
    assert fold(catalog, 0, 2).ids.tolist() == [0, 1, 2, 3]


def test_another_seed_divides_otherwise() -> None:
    catalog = dataset([[0]] * 40, list(range(40)))
    assert (fold(catalog, 0, 4, seed=0).splits != fold(catalog, 0, 4, seed=1).splits).any()


def test_no_names_no_groups() -> None:
    assert groups_by_runs([]).shape == (0,)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("a/road12.png", "a/road23.png", True),
        ("a/road11.png", "a/road12.png", False),
        ("a/road12.png", "b/road12.png", False),
        ("train/images/road12.png", "val/images/road13.png", True),
        ("road12.png", "street12.png", False),
        ("tree.png", "bush.png", False),
        ("x/tree.png", "x/tree.jpg", True),
        ("cat_jpg.rf.0a1.jpg", "cat_jpg.rf.9f2.jpg", True),
        ("v3_jpg.rf.0a1.jpg", "v4_jpg.rf.9f2.jpg", True),
        ("v3.rf.0a1.jpg", "v99.rf.9f2.jpg", False),
        ("٣.jpg", "12.jpg", False),
    ],
)
def test_neighbours(first: str, second: str, together: bool) -> None:
    groups = groups_by_runs([first, second])
    assert groups.dtype == np.int32
    assert (groups[0] == groups[1]) == together


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/1", "1", "a/b", "", "-1/3", "1/3/5", "1.0/3"])
def test_folds_that_do_not_exist(text: str) -> None:
    with pytest.raises(InputError, match="K/N"):
        parse_fold(text)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_shares_that_divide_nothing(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        with_splits(dataset([[0]] * 4, [0, 1, 2, 3]), share)


def philox(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def missing(parts: np.ndarray, present: np.ndarray, number: int) -> tuple[int, int, int, int]:
    """How bad a division is, by counting: empty parts; missing pairs of classes with enough groups; classes that part 0
    lacks; parts that the other classes could reach and do not."""
    empty = sum(part not in parts for part in range(number))
    pairs = absent = short = 0
    for label in range(present.shape[1]):
        holding = set(parts[present[:, label]].tolist())
        groups = int(present[:, label].sum())
        pairs += number - len(holding) if groups >= number else 0
        short += groups - len(holding) if groups < number else 0
        absent += groups > 0 and 0 not in holding
    return empty, pairs, absent, short


@pytest.mark.parametrize("seed", range(40))
def test_a_division_misses_no_more_than_the_best_of_all(seed: int) -> None:
    rng = philox(seed)
    number, groups, classes = int(rng.integers(2, 4)), int(rng.integers(3, 9)), int(rng.integers(1, 8))
    present = rng.random((groups, classes)) < rng.uniform(0.15, 0.7)
    shares = np.array([0.7, 0.15, 0.15])[:number] / sum([0.7, 0.15, 0.15][:number])
    parts = stratified(present * rng.integers(1, 5, present.shape), np.ones(groups, np.int64), shares, rng, first=True)
    every = (np.array(parts) for parts in itertools.product(range(number), repeat=groups))
    assert missing(parts, present, number) == min(missing(other, present, number) for other in every)


@pytest.mark.parametrize("seed", range(20))
def test_a_division_that_exists_is_found(seed: int) -> None:
    """60 classes of three groups each, which a hidden division of the 200 groups has in all three parts."""
    rng = philox(seed)
    hidden = rng.integers(0, 3, 200)
    present = np.zeros((200, 60), bool)
    for label in range(60):
        for part in range(3):
            present[rng.choice(np.flatnonzero(hidden == part)), label] = True
    parts = stratified(present.astype(np.int64), np.ones(200, np.int64), np.full(3, 1 / 3), rng)
    assert missing(parts, present, 3)[:2] == (0, 0)


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_repair_never_worsens_and_is_the_same_each_time(seed: int, number: int) -> None:
    rng = philox(seed)
    present = rng.random((30, 12)) < rng.uniform(0.02, 0.3)
    given_parts = rng.integers(0, number, 30)
    given_parts.flags.writeable = False
    shares, images = np.full(number, 1 / number), rng.integers(1, 9, 30)
    first, again = (repaired(given_parts, present, images, shares, philox(1)) for _ in range(2))
    assert (first == again).all()
    worth = [
        (empty, pairs, short) for empty, pairs, _, short in (missing(p, present, number) for p in (first, given_parts))
    ]
    assert worth[0] <= worth[1]


def test_a_class_of_few_groups_is_trained_first() -> None:
    labels = [[0]] + [[1]] * 2 + [[2]] * 30 + [[3]] * 3
    for seed in range(10):
        catalog = with_splits(dataset(labels, list(range(36))), 0.15, seed, 0.15)
        groups = groups_per_split(catalog)
        assert groups[Split.TRAIN][0] == 1
        assert groups[Split.TRAIN][1] == 1
        assert [groups[split][3] for split in (Split.TRAIN, Split.VAL, Split.TEST)] == [1, 1, 1]


def test_three_shares_are_kept_and_old_test_images_are_divided_anew() -> None:
    catalog = dataset([[i % 4] for i in range(400)], list(range(400)), [Split.TEST, Split.TRAIN] * 200)
    new = with_splits(catalog, 0.2, 3, 0.1)
    assert [abs(np.mean(new.splits == split) - share) < 0.02 for split, share in ((1, 0.7), (2, 0.2), (3, 0.1))] == [
        True
    ] * 3
    assert not (with_splits(catalog, 0.2, 3, 0.0).splits == Split.TEST).any()
    assert not (with_splits(catalog, 0.0, 3, 0.1).splits == Split.VAL).any()
    assert (fold(catalog, 0, 4, keep_test=False).splits != Split.TEST).all()
    for val, test in ((0.5, 0.5), (0.0, 0.0), (-0.1, 0.5), (0.2, float("nan"))):
        with pytest.raises(InputError, match="shares"):
            with_splits(catalog, val, 0, test)


@needs_real
@pytest.mark.parametrize("run", [1, 12, 100])
def test_tt100k_has_each_class_of_three_groups_in_each_split(run: int) -> None:
    stems: list[str] = []
    labels: list[int] = []
    owners: list[int] = []
    classes: dict[bytes, int] = {}
    with ZipFile(REAL / "formats" / "tt100k_voc_all.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".xml")):
            found = re.findall(rb"<object>.*?<name>(.*?)</name>", archive.read(name), re.DOTALL)
            labels += [classes.setdefault(label, len(classes)) for label in found]
            owners += [len(stems)] * len(found)
            stems.append(Path(name).name)
    assert (len(stems), len(labels), len(classes)) == (9170, 24705, 162)
    groups = groups_by_runs(stems, run)
    counts = np.zeros((groups.max() + 1, len(classes)), np.int64)
    np.add.at(counts, (groups[np.array(owners)], np.array(labels)), 1)
    images = np.bincount(groups)
    for shares in (np.array([0.7, 0.15, 0.15]), np.array([0.8, 0.1, 0.1])):
        parts = stratified(counts, images, shares, philox(0), first=True)
        assert missing(parts, counts > 0, 3) == (0, 0, 0, 0)
        assert np.abs(np.bincount(parts, weights=images) / images.sum() - shares).max() < 0.06
    for number in (3, 5, 10):
        parts = stratified(counts, images, np.full(number, 1 / number), philox(0))
        assert missing(parts, counts > 0, number)[:2] == (0, 0)


@needs_real
def test_road_signs_has_each_class_in_each_split() -> None:
    catalog = with_splits(read(REAL / "data" / "road_signs"), 0.15, 0, 0.15)
    assert all((groups > 0).all() for groups in groups_per_split(catalog).values())
    for group in np.unique(catalog.groups):
        assert len(set(catalog.splits[catalog.groups == group].tolist())) == 1


def written(catalog: Catalog, tmp_path: Path, text: str | None = None) -> Path:
    file = tmp_path / "split.csv"
    file.write_text(split_csv(catalog) if text is None else text, encoding="utf-8", newline="")
    return file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    catalog = with_splits(dataset([[0], [1], [2], [3]] * 5, [i // 2 for i in range(20)]), 0.2, 0, 0.2)
    names = [f'{i},"é" \n;.jpg' if i else "a\nb.jpg" for i in range(20)]
    text, ends = pack_names(names)
    catalog = replace(catalog, text=text, ends=ends)
    plain = replace(catalog, splits=np.zeros(20, np.uint8), groups=np.arange(20, dtype=np.int32))
    back = obeys(with_split_file(plain, written(catalog, tmp_path)))
    assert back.splits.tolist() == catalog.splits.tolist()
    assert [(a == b) for a, b in itertools.combinations(back.groups.tolist(), 2)] == [
        (a == b) for a, b in itertools.combinations(catalog.groups.tolist(), 2)
    ]
    assert back.findings == ()


def test_a_file_edited_by_hand(tmp_path: Path) -> None:
    catalog = dataset([[0]] * 5, [0, 0, 1, 1, 2])
    lines = ["\ufeffImage;Split;Group", "./0.jpg;Training;town", "1.jpg;val;town", "", "2.jpg;NONE;", "9.jpg;test;x"]
    text = "\r\n".join([*lines, "3.jpg;test;", ""])
    back = obeys(with_split_file(catalog, written(catalog, tmp_path, text)))
    assert back.splits.tolist() == [Split.TRAIN, Split.VAL, Split.NONE, Split.TEST, Split.NONE]
    assert back.groups.tolist() == [0, 0, 1, 2, 3]
    assert kinds(back) == ["unknown-image", "unlisted-image"]
    assert "9.jpg" in back.findings[0].value
    assert back.findings[1].file == "4.jpg"
    without = with_split_file(catalog, written(catalog, tmp_path, "image\tsplit\n0.jpg\ttrain\n"))
    assert without.groups.tolist() == catalog.groups.tolist()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "first line"),
        ("name,split\n0.jpg,train\n", "first line"),
        ("image,split\n0.jpg,tarin\n", "line 2 has the split 'tarin'"),
        ("image,split\n0.jpg,\n", "line 2 has the split ''"),
        ("image,split\n0.jpg,train\n1.jpg,val\n0.jpg,train\n", "line 4 names '0.jpg' again, after line 2"),
        ("image,split\n0.jpg,train,1\n", "line 2 has 3 columns"),
        ("image,split\nx.jpg,train\n", "names none of the images"),
        ("image,split\n", "names none of the images"),
        ('image,split\n"0.jpg,train\n', "not valid CSV"),
        ("image,split\n0.jpg,train\n\0,val\n", "split.csv"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, named: str) -> None:
    catalog = dataset([[0]] * 2, [0, 1])
    file = written(catalog, tmp_path, text)
    if "\0" in text:
        assert kinds(with_split_file(catalog, file)) == ["unknown-image", "unlisted-image"]
        return
    with pytest.raises(InputError, match=re.escape(named)) as error:
        with_split_file(catalog, file)
    assert str(file) in str(error.value)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_a_catalog_or_an_input_error(data: bytes) -> None:
    catalog = dataset([[0]] * 2, [0, 1])
    with TemporaryDirectory() as place:
        file = Path(place) / "split.csv"
        for start in (b"", b"image,split\n0.jpg,train\n", b"image,split,group\n0.jpg,val,"):
            file.write_bytes(start + data)
            with suppress(InputError):
                obeys(with_split_file(catalog, file))
