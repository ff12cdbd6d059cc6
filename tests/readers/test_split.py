from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split, pack_names
from detaug.readers.split import fold, groups_by_runs, parse_fold, stratified, with_splits


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
        for label in range(6):
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
