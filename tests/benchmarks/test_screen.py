"""The screening design: what is switched off, and that effects are found with intervals that hold them."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.proof import screen
from benchmarks.proof.screen import PAGE, PARTS, arms, design, effects, settings, table
from detaug.batches.page import read_page
from detaug.scenes.recipe import Recipe
from tests.running import program


def test_parts_are_switched_independently_of_each_other() -> None:
    signs = design()
    assert signs.shape == (12, len(PARTS))
    np.testing.assert_array_equal(signs.T @ signs, 12 * np.eye(len(PARTS)))
    assert (signs.sum(0) == 0).all()
    for pair in range(24):
        (_, one), (_, other) = arms(pair)
        np.testing.assert_array_equal(one, -other)


def differing(one: Recipe, other: Recipe) -> set[str]:
    """Names of settings that differ, as operation or operation.setting."""
    found = set()
    for name in vars(one):
        a, b = getattr(one, name), getattr(other, name)
        if a is None or b is None:
            found |= {name} if a is not b else set()
        elif a != b:
            found |= {f"{name}.{key}" for key in vars(a) if getattr(a, key) != getattr(b, key)}
    return found


def written(folder: Path, off: set[str]) -> Path:
    page = folder / "page.yaml"
    signs = [-1 if name in off else 1 for name in PARTS]
    page.write_text(yaml.safe_dump(settings(signs, Path("rectangles.yaml"))))
    return page


@pytest.mark.parametrize("name", PARTS)
def test_one_part_off_changes_that_part_alone(name: str, tmp_path: Path) -> None:
    changed = {
        "geometry and colour": {"flip", "affine", "colour"},
        "mosaic": {"mosaic"},
        "multiplying": {"affine.multiply", "colour.multiply"},
        "decoys": {"paste.decoy"},
        "light": {"paste.light"},
        "outlines": set(),
        "placement": {"paste.placement"},
        "noise": {"noise"},
        "soft edges": {"paste.blend"},
    }
    full = read_page(str(written(tmp_path, set()))).recipe
    assert differing(full, read_page(str(PAGE)).recipe) == {"affine.multiply", "colour.multiply"}
    page = written(tmp_path, {name})
    assert differing(read_page(str(page)).recipe, full) == changed[name]
    assert ("classes" in yaml.safe_load(page.read_text())["data"]) == (name == "outlines")


def test_all_off_is_what_the_program_takes(tmp_path: Path) -> None:
    page = written(tmp_path, set(PARTS))
    done = program("fit", f"--config={PAGE}", f"--config={page}", "--print_config")
    assert done.code == 0, done.err
    data = yaml.safe_load(done.out)["data"]
    assert data["balance"]["first"] == "pastes"
    assert data["classes"] == "rectangles.yaml"
    recipe = data["recipe"]
    assert {name for name, value in recipe.items() if isinstance(value, dict) and value} == {"crop", "paste"}
    assert (recipe["paste"]["placement"], recipe["paste"]["blend"]) == ("anywhere", {"hard": 1.0})


def test_effects_without_noise_are_exact_whatever_data_and_seed_do() -> None:
    """Two parts that only help together share what they bring; a pair's own level does not matter."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=len(PARTS))
    signs = np.concatenate([design(), design()])

    def score(row: np.ndarray, level: float) -> float:
        on = (row + 1) / 2
        return float(level + on @ true + 3 * on[0] * on[1])

    gaps = np.array([(lambda level, row=row: score(row, level) - score(-row, level))(rng.normal()) for row in signs])
    wanted = true + np.array([1.5, 1.5] + [0] * (len(PARTS) - 2))
    np.testing.assert_allclose([e.value for e in effects(signs, gaps)], wanted, atol=1e-9)


def test_intervals_hold_the_effects() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(size=len(PARTS))
    held = []
    for trial in range(300):
        signs = design()[np.arange(16 + trial % 9) % 12]
        found = effects(signs, signs @ true + rng.normal(size=len(signs)))
        held += [e.low <= t <= e.high for e, t in zip(found, true, strict=True)]
    assert 0.93 < np.mean(held) < 0.97


def test_few_pairs_claim_nothing() -> None:
    signs = design()[:5]
    assert all(np.isinf(e.high - e.low) for e in effects(signs, np.ones(5)))


def test_what_was_made_elsewhere_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def data(out: Path, seed: int, images: object) -> Path:
        drawn.append(seed)
        return out

    monkeypatch.setattr(screen, "drawn_data", data)
    keys = [job.key for job in screen.jobs(tmp_path, 3, 10, {0, 2})]
    assert keys == [("row1", "1", "10"), ("opposite1", "1", "10")]
    assert set(drawn) == {1}


def test_the_table_takes_complete_pairs_of_one_place_alone() -> None:
    assert "no pair" in table([[], []])
    rows = []
    for pair in range(13):
        for k, (arm, row) in enumerate(arms(pair)):
            figure = str(0.3 + pair + 0.02 * (row[1] > 0))
            if (pair, k) != (12, 1):
                rows.append({"arm": arm, "unit": str(pair), **dict.fromkeys(("AP", "AP50", "rare", "common"), figure)})
    opposite = {**rows[-1], "arm": "opposite0", "AP": "9"}  # of the last pair, but made elsewhere
    text = table([rows, [opposite]])
    assert text.startswith("12 pairs")
    lines = {line[:22].strip(): line[22:] for line in text.splitlines()[2:]}
    assert lines["mosaic"].split()[0] == "+2.0"
    assert lines["noise"].split()[0] in ("+0.0", "-0.0")
    assert table([rows, rows]).startswith("24 pairs")
