import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detaug.classes import ClassTable
from detaug.errors import InputError
from detaug.measures.analysis import analyse
from detaug.measures.precision import score
from detaug.measures.results import read_results
from detaug.measures.truth import Found, GroundTruth
from detaug.readers.catalog import Catalog, Flag, pack_names
from tests.measures.cases import chance
from tests.measures.test_precision import NAMES, nothing_found, same


def catalog_of(truth: GroundTruth) -> Catalog:
    text, ends = pack_names([f"{i}.jpg" for i in truth.ids])
    return Catalog(
        root=Path("somewhere"),
        classes=ClassTable.plain(NAMES),
        text=text,
        ends=ends,
        sizes=truth.sizes.astype(np.int32),
        starts=truth.starts,
        boxes=truth.boxes,
        labels=truth.labels.astype(np.int32),
        flags=np.where(truth.crowd, Flag.CROWD, 0).astype(np.uint8),
        ids=truth.ids,
        splits=np.zeros(len(truth), np.uint8),
        groups=np.arange(len(truth), dtype=np.int32),
    )


@pytest.mark.parametrize("seed", range(6))
def test_all_parts_speak_of_the_same_images(seed: int) -> None:
    truth, found = chance(seed, crowds=seed % 2 == 0)
    some = found.take(np.array([1, 2, 5, 6]))
    result = analyse(catalog_of(truth), some, ["b"], np.random.default_rng(seed))
    metrics = score(truth, some, NAMES, ["b"])
    assert result.images == 4
    assert result.boxes.tolist() == [metrics.classes[n].boxes for n in NAMES]
    assert same(result.intervals.ap.value, metrics.ap)
    assert same(result.errors.ap50, metrics.ap50)
    assert same(float(np.nanmean([c.ap50 for c in result.curves])), metrics.ap50)
    above = some.above(result.threshold)
    assert result.errors_above.kind.shape == above.scores.shape
    assert result.confusion.counts[:, :-1].sum() + result.confusion.ignored == len(above.boxes)
    json.dumps(result.as_json(), allow_nan=False)


def test_a_given_threshold_is_taken() -> None:
    truth, found = chance(3)
    result = analyse(catalog_of(truth), found, [], np.random.default_rng(0), threshold=0.25, draws=3)
    assert (result.threshold, result.intervals.draws) == (0.25, 3)
    assert result.confusion.counts[:, :-1].sum() == (found.scores >= 0.25).sum()


@pytest.mark.parametrize("images", [0, 2])
def test_nothing_found_can_be_analysed(images: int) -> None:
    truth = chance(0)[0].take(np.arange(images))
    result = analyse(catalog_of(truth), nothing_found(images), [], np.random.default_rng(0))
    assert result.errors.counts()["missed"] == result.boxes.sum() == len(truth.boxes)
    json.dumps(result.as_json(), allow_nan=False)


@pytest.mark.parametrize("seed", range(4))
def test_results_come_back_as_they_were(seed: int) -> None:
    truth, found = chance(seed)
    written: list[Any] = json.loads(json.dumps(found.coco(truth.ids)))
    back = read_results(written, catalog_of(truth))
    for name in ("rows", "boxes", "scores", "labels", "starts"):
        assert np.array_equal(getattr(back, name), getattr(found, name)), name
    mixed = read_results([written[i] for i in np.random.default_rng(0).permutation(len(written))], catalog_of(truth))
    assert mixed.starts.tolist() == found.starts.tolist()
    assert isinstance(mixed, Found)


GOOD = {"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}


@pytest.mark.parametrize(
    "bad",
    [
        3,
        {},
        {"image_id": 99},
        {"image_id": [1]},
        {"category_id": 0},
        {"category_id": 5},
        {"category_id": "x"},
        {"category_id": None},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, 3, float("nan")]},
        {"bbox": [1, 2, -3, 4]},
        {"score": "high"},
        {"score": float("inf")},
    ],
)
def test_a_wrong_entry_is_named(bad: Any) -> None:
    entry = {**GOOD, **bad} if isinstance(bad, dict) and bad else bad
    with pytest.raises(InputError, match=r"^here\.json: entry 1 "):
        read_results([GOOD, entry], catalog_of(chance(0)[0]), "here.json")
