"""Noise is Gaussian and does not repeat; effects are a function of their seed."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detaug.errors import InputError
from detaug.render import cpu
from detaug.render.cpu import render
from detaug.render.effects import run
from detaug.render.noise import add_noise, corner
from detaug.scenes.colour import Colour
from detaug.scenes.effects import LENS, NAMES, WEATHER
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Effect, Noise
from tests.scenes.painted import Painter, planned, stage, world


@pytest.mark.parametrize("sigma", [2.0, 5.0, 12.0, 30.0])
@pytest.mark.parametrize("negative", [False, True])
def test_noise_has_the_asked_spread_and_shape(sigma: float, negative: bool) -> None:
    grey = np.full((320, 320, 3), 128, np.uint8)
    noise = add_noise(grey, Noise(sigma, 0.3, 0.8, negative)).astype(float) - 128
    assert abs(noise.mean()) < 0.05 * sigma
    assert abs(noise.std() / np.hypot(sigma, 12**-0.5) - 1) < 0.02  # rounding adds a twelfth to the variance
    assert abs((noise**4).mean() / (noise**2).mean() ** 2 - 3) < 0.1
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(noise[:, :-1, 0].ravel(), noise[:, 1:, 0].ravel())[0, 1]) < 0.02


def test_noise_saturates_and_differs_by_place() -> None:
    black, bright = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    field = Noise(20.0, 0.1, 0.2, True)
    assert add_noise(black, field).max() < 130
    assert add_noise(bright, field).min() > 120
    other = add_noise(black, Noise(20.0, 0.6, 0.9, True))
    assert abs(np.corrcoef(add_noise(black, field).ravel(), other.ravel())[0, 1]) < 0.05
    assert black.max() == 0


def test_a_negative_field_is_the_other_turned_over() -> None:
    grey = np.full((64, 96, 3), 128, np.uint8)
    one, other = (add_noise(grey, Noise(12.0, 0.4, 0.7, negative)).astype(int) for negative in (False, True))
    np.testing.assert_array_equal(one + other, 256)
    assert (one != other).mean() > 0.9


def test_planned_noise_does_not_repeat() -> None:
    """Hundreds of samples, hardly two with the same field; and fields beside each other in the pool are unlike."""
    scenes = [planned(Recipe(noise=GaussianNoise(p=1)), stage(world()), slot) for slot in range(300)]
    fields = [scene.noise for scene in scenes if scene.noise is not None]
    assert len({(corner(field), field.negative) for field in fields}) > 290
    grey = np.full((64, 64, 3), 128, np.uint8)
    shown = [add_noise(grey, replace(field, sigma=20.0)).astype(float).ravel() for field in fields[:60]]
    alike = np.abs(np.corrcoef(shown) - np.eye(60))
    assert alike[~np.eye(60, dtype=bool)].max() < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_an_effect_is_a_function_of_its_seed(name: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)
    image.flags.writeable = False
    made = [run(image, [Effect(name, seed)]) for seed in (1, 2, 3, 4, 1)]
    assert all(m.shape == image.shape and m.dtype == np.uint8 for m in made)
    np.testing.assert_array_equal(made[0], made[4])
    assert any(not np.array_equal(made[0], m) for m in made[1:4])
    assert not np.array_equal(made[0], image)


@pytest.mark.parametrize("rows", [1, 7, 50, 1000])
@pytest.mark.parametrize("effects", [(), ("fog",), ("jpeg",), ("blur", "rain")])
def test_light_weather_noise_and_lens_follow_each_other(
    effects: tuple[str, ...], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is what these steps make of the bare one, one by one, whatever rows are worked on at once."""
    monkeypatch.setattr(cpu, "_BAND", rows * 160)
    catalog = world(images=2)
    source = Painter(catalog).source((120, 160))
    scene = planned(Recipe(colour=Colour(p=1), noise=GaussianNoise(p=1, schedule="cosine")), stage(catalog), 3)
    scene = replace(scene, effects=tuple(Effect(name, seed) for seed, name in enumerate(effects)))
    assert scene.colour is not None
    assert scene.curve is not None
    assert scene.noise is not None
    assert scene.noise.keep < 1
    image = render(replace(scene, colour=None, curve=None, noise=None, effects=()), source)
    image = np.asarray(cv2.LUT(cv2.transform(image, scene.colour), scene.curve), np.uint8)
    image = run(image, [e for e in scene.effects if e.name in WEATHER])
    image = run(add_noise(image, scene.noise), [e for e in scene.effects if e.name in LENS])
    np.testing.assert_array_equal(render(scene, source), image)


def test_the_package_imports_without_torch_and_opens_no_socket() -> None:
    program = """
import socket, sys
def refuse(*a, **k):
    raise AssertionError("a socket was opened")
socket.socket.connect = refuse
import detaug
assert "torch" not in sys.modules
import numpy as np
from detaug.render.effects import run
from detaug.scenes.scene import Effect
run(np.zeros((64, 64, 3), np.uint8), [Effect("jpeg", 1)])
assert "torch" not in sys.modules or "albumentations" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("t", [0, 40, 90])
def test_diffusion_noise_is_the_forward_process(schedule: Any, t: int) -> None:
    """x_t has mean sqrt(a_t) x_0 and variance 1 - a_t, counted from -1 to 1; a_t is multiplied up step by step here."""
    kept = 1.0
    for step in range(t):
        if schedule == "linear":
            beta = 1e-4 + (0.02 - 1e-4) * step / 999
        else:
            now, after = (np.cos((s / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 for s in (step, step + 1))
            beta = 1 - after / now
        kept *= 1 - beta
    operation = GaussianNoise(p=1, schedule=schedule, t_range=(t, t))
    scene = planned(Recipe(noise=operation), stage(world(images=2)), 0)
    assert scene.noise is not None
    for level in (110, 127, 150):
        start = level / 127.5 - 1
        seen = add_noise(np.full((320, 320, 3), level, np.uint8), scene.noise) / 127.5 - 1
        assert seen.mean() == pytest.approx(np.sqrt(kept) * start, abs=0.01)
        assert seen.std() == pytest.approx(np.sqrt(1 - kept), abs=0.008)


def test_too_much_diffusion_is_refused_with_the_bound() -> None:
    with pytest.raises(InputError, match=r"t_range lies between 0 and \d+ with the linear schedule"):
        GaussianNoise(schedule="linear", t_range=(0, 900))
    with pytest.raises(InputError, match="linear, cosine or null"):
        GaussianNoise(schedule="quadratic")  # type: ignore[arg-type]


def test_diffusion_is_read_from_a_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("noise: {schedule: cosine, t_range: [5, 60]}")
    assert Recipe.from_yaml(tmp_path / "r.yaml").noise == GaussianNoise(schedule="cosine", t_range=(5, 60))
    (tmp_path / "r.yaml").write_text("noise: {schedule: square}")
    with pytest.raises(InputError, match=r"r\.yaml: noise\.schedule"):
        Recipe.from_yaml(tmp_path / "r.yaml")
