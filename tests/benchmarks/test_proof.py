"""The proof's program: its differences, its intervals, and that a finished run is not trained again."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.proof import runs
from benchmarks.proof.arms import STUDIES, Study, rectangles
from benchmarks.proof.pairs import FIGURES, Unit, Values, drawn, gain
from benchmarks.proof.runs import Job, Numbers, Row, rows, run_all
from detaug.classes import ClassTable
from detaug.measures.precision import score
from detaug.readers.drawn.signs import NAMES as SIGNS
from tests.measures.cases import chance
from tests.measures.test_precision import NAMES, same

RARE = np.array([k % 2 == 0 for k in range(len(NAMES))])


def rng(key: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


@pytest.mark.parametrize("seed", range(5))
def test_the_first_values_are_the_metrics(seed: int) -> None:
    truth, found = chance(seed)
    values = drawn(Unit(truth, {"a": found}, RARE), 3, rng())["a"]
    metrics = score(truth, found, NAMES, [n for n, r in zip(NAMES, RARE, strict=True) if r])
    wanted = (metrics.ap, metrics.ap50, metrics.rare, metrics.common)
    for figure, value in zip(FIGURES, wanted, strict=True):
        assert same(float(values[figure][0]), value)


def test_an_arm_gains_nothing_on_itself_and_the_same_sets_serve_both() -> None:
    truth, found = chance(1)
    values = drawn(Unit(truth, {"a": found, "b": found}, RARE), 50, rng())
    for figure in FIGURES:
        result = gain([values, values], "a", "b", figure, rng())
        assert (result.value, result.low, result.high) == (0, 0, 0)


def test_intervals_of_a_mean_over_units_hold_the_truth() -> None:
    """Gains that differ by unit (spread 0.02) and by image: 95 % intervals hold the mean gain in 80 to 99 of 100.

    Five units are few: the bootstrap of so few is known to be too narrow, not too wide.
    """
    held = 0
    chances = np.random.default_rng(3)
    for trial in range(300):
        units = []
        for _ in range(5):
            mean = 0.05 + 0.02 * chances.normal() + 0.01 * chances.normal()
            draws = np.append(mean, mean + 0.01 * chances.normal(size=400))
            arms: dict[str, Values] = {"more": {"AP": draws}, "less": {"AP": np.zeros(401)}}
            units.append(arms)
        result = gain(units, "more", "less", "AP", rng(trial))
        held += result.low <= 0.05 <= result.high
    assert 0.80 <= held / 300 <= 0.99


def test_a_finished_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    def train(job: Job, out: Path, numbers: Numbers) -> Row:
        trained.append(job.name)
        if job.unit == "2":
            raise KeyboardInterrupt
        return {"arm": job.arm, "unit": job.unit, "epochs": str(job.epochs), "said": "so, so"}

    monkeypatch.setattr(runs, "_trained", train)
    jobs = [Job(arm, unit, 3, ()) for unit in ("1", "2") for arm in ("full", "plain")]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_all(jobs, tmp_path)
    assert trained == ["full_1_3", "plain_1_3", "full_2_3", "full_2_3"]
    assert [(r["arm"], r["unit"]) for r in rows(tmp_path / "runs.csv")] == [("full", "1"), ("plain", "1")]
    assert {r["said"] for r in rows(tmp_path / "runs.csv")} == {"so, so"}


def test_a_run_that_another_process_has_begun_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_trained", lambda *_: pytest.fail("it is another's"))
    with runs.claimed(tmp_path / ".full_1_3.lock") as mine:
        assert mine
        run_all([Job("full", "1", 3, ())], tmp_path)


def test_the_table_of_rectangles_changes_the_outlines_alone(tmp_path: Path) -> None:
    usual = ClassTable.known(SIGNS)
    table = ClassTable.from_yaml(rectangles(tmp_path, SIGNS), SIGNS)
    assert len(set(table.outline.tolist())) == 1
    assert len(set(usual.outline.tolist())) > 3
    np.testing.assert_array_equal(table.mirror, usual.mirror)
    np.testing.assert_array_equal(table.turn, usual.turn)


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_each_pair_names_arms_of_its_study(study: Study) -> None:
    assert {arm for pair in (*study.pairs, *study.parts) for arm in pair} <= set(study.arms)
