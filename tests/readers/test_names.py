from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detaug.readers.check.names import FEW, similar_names


def told(counts: Mapping[str, int]) -> set[tuple[str, str]]:
    findings = similar_names(list(counts), list(counts.values()))
    return {(f.file, f.value) for f in findings}


@pytest.mark.parametrize(
    ("rare", "frequent"),
    [("Stop", "stop"), ("traffic light", "trafficlight"), ("give_way", "give-way"),
     ("Speed Limit 30", "speed_limit_30"), ("No.Entry", "no entry"), ("do\u0308nus", "d\u00f6nus")],
)  # fmt: skip
@pytest.mark.parametrize("boxes", [0, 3, 500])
def test_case_spacing_and_punctuation_whatever_the_counts(rare: str, frequent: str, boxes: int) -> None:
    ((file, value),) = told({frequent: 600, rare: boxes})
    assert file == rare
    assert f"{rare!r} ({boxes} boxes) is {frequent!r} (600 boxes)" in value


@pytest.mark.parametrize(
    ("rare", "frequent"),
    [("yeild", "yield"), ("crosswlk", "crosswalk"), ("pedestrians", "pedestrian"), ("roundabaut", "roundabout"),
     ("sola-donus", "sola-dönus"), ("speed linit 30", "speed limit 30"),
     ("Crosswlk", "crosswalk")],
)  # fmt: skip
def test_a_slip_of_one_letter_where_one_is_rare(rare: str, frequent: str) -> None:
    assert len(told({rare: FEW - 1, frequent: FEW})) == 1
    assert not told({rare: FEW, frequent: 500})
    assert not told({rare: 0, frequent: FEW - 1})


@pytest.mark.parametrize(
    "names",
    [("pl40", "pl50"), ("i2", "i4"), ("i2", "i2r"), ("turn left", "turn right"), ("speed_30", "speed_80"),
     ("speed limit 3", "speed limit 30"), ("ph4.5", "ph45"), ("ph4.5", "ph4"), ("1-2", "12"), ("pl40", "pm40"),
     ("p1", "w1"), ("lane_a", "lane_b"), ("laneA", "laneB"), ("stop", "shop"), ("sola-don", "saga-don"),
     ("warning--curve-left--g1", "warning--curve-left--g2"), ("end of 60", "end of 80"), ("car", "cars"),
     ("regulatory--maximum-speed-limit-30--g1", "regulatory--maximum-speed-limit-50--g1"), ("north", "south")],
)  # fmt: skip
def test_signs_that_differ_are_no_slips(names: tuple[str, str]) -> None:
    assert not told({names[0]: 1, names[1]: 500})
    assert not told({names[0]: 500, names[1]: 1})


def test_nothing_to_compare() -> None:
    assert not told({})
    assert not told({"stop": 3})


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 30), max_size=8))
def test_any_names_and_no_pair_twice(counts: dict[str, int]) -> None:
    findings = similar_names(list(counts), list(counts.values()))
    assert len({frozenset((f.file, f.value)) for f in findings}) == len(findings)
    assert len(findings) <= len(counts) * (len(counts) - 1) / 2
