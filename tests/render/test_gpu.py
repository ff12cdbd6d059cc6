"""The GPU renderer's torch form against the CPU renderer; what it refuses; the images it keeps."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import polygon
from detaug.render.cpu import render
from detaug.render.gpu import resident as resident_module
from detaug.render.gpu.limits import require_supported, unsupported
from detaug.render.gpu.packing import LEVELS, pack
from detaug.render.gpu.render import Normalise, render_batch
from detaug.render.gpu.resident import ResidentImages
from detaug.render.noise import add_noise
from detaug.render.source import BrokenImage, Source
from detaug.scenes.affine import Affine, about_centre
from detaug.scenes.effects import Effects
from detaug.scenes.levels import levels
from detaug.scenes.mixup import Mixup
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import PER_LAYER, PER_OBJECT, Blend, Effect, Role, Scene
from tests.scenes.painted import planned, stage, whole, world
from tests.scenes.test_boxes_follow import STRONG

CATALOG = world(height=600, width=800)
GROUND = stage(CATALOG)
# Everything but the effects; also edges and light, which the painted world's own recipe has not.
ALL = Recipe(
    **{name: operation for name, operation in STRONG.items() if name not in ("effects", "paste", "mixup")},  # type: ignore[arg-type]
    mixup=Mixup(p=0.3),
    paste=Paste(p=1, count_range=(3, 5), decoy=0.5),
    remnants="erase",
)


def textured(path: Path) -> NDArray[np.uint8]:
    return _textured(int(path.stem))


@lru_cache
def _textured(number: int) -> NDArray[np.uint8]:
    """A photograph's kind of detail: random spots of eight pixels, smooth, with hard edges between."""
    small = np.random.default_rng(number).integers(0, 256, (75, 100, 3)).astype(np.uint8)
    image = np.array(cv2.resize(small, (800, 600), interpolation=cv2.INTER_CUBIC), np.uint8)
    image[:, ::50] //= 2
    return image


RESIDENT = ResidentImages(CATALOG, GROUND.size, "cpu", open_file=whole(textured))
SOURCE = Source(CATALOG, GROUND.size, open_file=whole(textured))


def on_cpu(scenes: Sequence[Scene]) -> NDArray[np.int64]:
    return np.stack([render(scene, SOURCE) for scene in scenes]).astype(np.int64)


def on_gpu(scenes: Sequence[Scene], images: ResidentImages = RESIDENT) -> NDArray[np.int64]:
    made = render_batch(pack(scenes, CATALOG.sizes), images)
    assert made.shape == (len(scenes), 3, *scenes[0].size)
    assert made.dtype == torch.uint8
    return made.permute(0, 2, 3, 1).numpy().astype(np.int64)


def scenes_of(recipe: Recipe, count: int) -> list[Scene]:
    return [replace(planned(recipe, GROUND, slot), fill=(114, 114, 114)) for slot in range(count)]


def borders(scene: Scene) -> NDArray[np.bool_]:
    """(H, W) what lies within three pixels of where a layer or an erased box ends."""
    drawn = np.zeros(scene.size, np.uint8)
    outlines = [
        polygon(outline, box) @ matrix[:2, :2].T + matrix[:2, 2]
        for outline, box, matrix in zip(scene.outline, scene.region, scene.matrix, strict=True)
    ]
    outlines += [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) for x1, y1, x2, y2 in scene.erased.tolist()]
    for corners in outlines:
        cv2.polylines(drawn, [np.rint(corners * 16 - 8).astype(np.int32)], True, 1, 7, cv2.LINE_8, shift=4)
    return drawn > 0


def spread(scene: Scene) -> int:
    """How far colour and tone curve may part two grey levels that follow each other."""
    colour, curve = (np.eye(3) if scene.colour is None else scene.colour[:, :3]), scene.curve
    steps = math.ceil(np.abs(colour).max() + 0.5)  # a change by more than half a level may be rounded up
    levels_of = np.arange(256) if curve is None else curve.astype(int)
    return int((levels_of[steps:] - levels_of[:-steps]).max())


def agree(scenes: Sequence[Scene], made: NDArray[np.int64]) -> bool:
    """Within two grey levels and 0.1 on average away from layer borders, and 0.5 on average everywhere.

    Two renderers may round the same number to two levels that follow each other. Strong contrast parts them further:
    a pixel in ten thousand may be apart as far as that goes.
    """
    apart = np.abs(made - on_cpu(scenes))
    away = ~np.stack([borders(scene) for scene in scenes])
    allowed = np.array([max(2, spread(scene)) for scene in scenes])[:, None, None, None]
    assert away.mean() > 0.2
    close = bool((apart <= allowed).all(3)[away].all()) and float((apart > 2).any(3)[away].mean()) <= 1e-4
    return close and apart[away].mean() <= 0.1 and apart.mean() <= 0.5


@pytest.mark.parametrize("name", ["mosaic", "crop", "mixup", "paste", "flip", "affine", "colour", "noise"])
def test_each_operation_looks_as_on_the_cpu(name: str) -> None:
    scenes = scenes_of(replace(Recipe(), **{name: getattr(ALL, name)}), 16)
    assert agree(scenes, on_gpu(scenes))


def test_everything_together_looks_as_on_the_cpu() -> None:
    scenes = scenes_of(ALL, 60)
    kinds = np.concatenate([scene.role for scene in scenes]), np.concatenate([scene.blend for scene in scenes])
    assert set(kinds[0].tolist()) == set(Role)
    assert set(kinds[1].tolist()) == {Blend.HARD, Blend.FEATHER, Blend.GAUSSIAN}
    assert any(len(scene.opacity) > 1 for scene in scenes)
    assert sum(len(scene.erased) for scene in scenes) > 20
    assert agree(scenes, on_gpu(scenes))


@pytest.mark.parametrize("shift", [(0.5, 0), (0, 0.5), (-0.5, 0), (0, -0.5), (0.1, 0)])
def test_a_shift_by_half_a_pixel_is_noticed(shift: tuple[float, float]) -> None:
    """The comparison itself: what is half a pixel off fails it, and even a tenth does."""
    scenes = scenes_of(Recipe(mosaic=ALL.mosaic, affine=ALL.affine), 8)
    off = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    assert agree(scenes, on_gpu(scenes))
    assert not agree(scenes, on_gpu([scene.moved(off) for scene in scenes]))


@pytest.mark.parametrize("scale", [0.08, 0.15, 0.3, 0.39, 0.5, 0.95, 1.4, 4.0])
def test_levels_and_halvings_are_the_same(scale: float) -> None:
    base = scenes_of(Recipe(flip=ALL.flip), 4)
    scenes = [s.moved(about_centre(s.size, scale=scale, degrees=17 * i)) for i, s in enumerate(base)]
    made = on_gpu(scenes)
    assert np.abs(made - on_cpu(scenes)).max() <= 1


@pytest.mark.parametrize("under", list(itertools.product([False, True], repeat=4)))
def test_sides_under_another_tile_reach_as_far(under: tuple[bool, ...]) -> None:
    region = np.array([[100.0, 60, 500, 420]])
    (base,) = scenes_of(Recipe(), 1)
    scene = base.changed(region=region, under=np.array([under])).moved(about_centre(base.size, degrees=30, scale=1.5))
    assert np.abs(on_gpu([scene]) - on_cpu([scene])).max() <= 1


def test_noise_is_the_same_field() -> None:
    """To the last grey level, on plain pictures; with and without fading."""
    plain = ResidentImages(CATALOG, GROUND.size, "cpu", open_file=whole(lambda _: np.full((600, 800, 3), 90, np.uint8)))
    for noise in (GaussianNoise(p=1, sigma_range=(1, 40)), GaussianNoise(p=1, schedule="linear", t_range=(1, 100))):
        scenes = [replace(s, fill=(90, 90, 90)) for s in scenes_of(Recipe(affine=Affine(p=1), noise=noise), 24)]
        fields = [s.noise for s in scenes if s.noise is not None]
        assert len({n.negative for n in fields}) == 2
        expected = [add_noise(np.full((*GROUND.size, 3), 90, np.uint8), n) for n in fields]
        np.testing.assert_array_equal(on_gpu(scenes, plain), np.stack(expected))


def test_a_scene_looks_the_same_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = scenes_of(ALL, 9)
    together = on_gpu(scenes)
    np.testing.assert_array_equal(np.concatenate([on_gpu([scene]) for scene in scenes]), together)
    np.testing.assert_array_equal(on_gpu(scenes[::-1])[::-1], together)
    monkeypatch.setattr("detaug.render.gpu.fallback._MOST", 2 * GROUND.size[0] * GROUND.size[1])
    np.testing.assert_array_equal(on_gpu(scenes), together)


def test_a_scene_without_layers_is_plain_ground() -> None:
    (scene,) = scenes_of(Recipe(), 1)
    empty = scene.changed(**{name: getattr(scene, name)[:0] for name in PER_LAYER + PER_OBJECT})
    assert (on_gpu([empty]) == 114).all()
    np.testing.assert_array_equal(on_gpu([scene, empty])[0], on_gpu([scene])[0])


def test_normalised_numbers() -> None:
    packed = pack(scenes_of(ALL, 3), CATALOG.sizes)
    normalise = Normalise((120.0, 110.0, 100.0), (60.0, 50.0, 40.0), torch.float32)
    mean, std = (torch.tensor(v)[:, None, None] for v in (normalise.mean, normalise.std))
    expected = (render_batch(packed, RESIDENT).float() - mean) / std
    torch.testing.assert_close(render_batch(packed, RESIDENT, normalise), expected)
    half = render_batch(packed, RESIDENT, replace(normalise, dtype=torch.bfloat16))
    torch.testing.assert_close(half, expected.bfloat16())


def test_what_cannot_be_done_is_named() -> None:
    assert unsupported(Recipe()) == unsupported(ALL) == []
    assert unsupported(Recipe(effects=Effects(p=0), paste=Paste(p=0, blend={"poisson": 1.0}))) == []
    effects = Effects(chances={"rain": 0.1, "jpeg": 0.2, "fog": 0.0})
    recipe = Recipe(effects=effects, paste=Paste(blend={"hard": 1.0, "poisson": 0.5}))
    assert unsupported(recipe) == ["paste.blend.poisson", "effects.chances.rain", "effects.chances.jpeg"]
    with pytest.raises(InputError, match=r"recipe\.paste\.blend\.poisson, recipe\.effects\.chances\.rain, .*jpeg"):
        require_supported(recipe)


def test_what_an_own_operation_asks_for_is_not_skipped() -> None:
    first, second = scenes_of(ALL, 2)
    with pytest.raises(InputError, match="effect 'blur'"):
        pack([first, replace(second, effects=(Effect("blur", 1),))], CATALOG.sizes)
    with pytest.raises(InputError, match="Poisson"):
        pack([first, replace(second, blend=np.full_like(second.blend, Blend.POISSON))], CATALOG.sizes)


def test_another_canvas_is_refused() -> None:
    packed = pack([replace(scenes_of(Recipe(), 1)[0], size=(64, 64))], CATALOG.sizes)
    with pytest.raises(ValueError, match="expected a canvas of"):
        render_batch(packed, RESIDENT)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_levels_kept_are_those_of_the_source(threads: int) -> None:
    kept = ResidentImages(CATALOG, GROUND.size, "cpu", threads=threads, open_file=whole(textured))
    for row, (height, width) in enumerate(CATALOG.sizes.tolist()):
        for index in range(len(levels(height, width, GROUND.size))):
            expected = SOURCE.picture(row, index).rgb
            first, stride = kept.places[row * LEVELS + index].tolist()
            found = kept.arena[first : first + expected.shape[0] * stride, :3].view(-1, stride, 3)
            np.testing.assert_array_equal(found.numpy(), expected)


def test_too_little_memory_is_refused_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = RESIDENT.arena.numel() / 2**30
    ResidentImages(CATALOG, GROUND.size, "cpu", held * 1.001, open_file=whole(textured))
    with pytest.raises(InputError, match=rf"all 8 .* takes {held:.2f} GB at 160x120, and data.resident_gb allows"):
        ResidentImages(CATALOG, GROUND.size, "cpu", held * 0.999, open_file=whole(textured))
    monkeypatch.setattr(resident_module, "_free_gb", lambda _: held / 2)
    with pytest.raises(InputError, match="half its free memory allows"):
        ResidentImages(CATALOG, GROUND.size, "cpu", open_file=whole(textured))


def test_images_that_cannot_be_decoded_are_named() -> None:
    def damaged(path: Path) -> NDArray[np.uint8]:
        if path.stem in "25":
            raise InputError(f"{path}: the file is cut short.")
        return textured(path)

    assert ResidentImages(CATALOG, GROUND.size, "cpu", open_file=whole(damaged)).broken == {2, 5}
    with pytest.raises(BrokenImage, match=r"2\.png: the file is cut short"):
        ResidentImages(CATALOG, GROUND.size, "cpu", on_bad_image="error", open_file=whole(damaged))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_kernel_paints_what_torch_paints() -> None:
    scenes = scenes_of(ALL, 60)
    images = ResidentImages(CATALOG, GROUND.size, "cuda", open_file=whole(textured))
    packed = pack(scenes, CATALOG.sizes).to("cuda")
    made = render_batch(packed, images, painter="kernel").permute(0, 2, 3, 1).cpu().numpy().astype(np.int64)
    assert agree(scenes, made)
    assert not agree(scenes, np.roll(made, 1, 1))
    torch_made = render_batch(packed, images, painter="torch").permute(0, 2, 3, 1).cpu().numpy()
    assert np.abs(made - torch_made).mean() < 0.01


@pytest.mark.slow
def test_the_kernel_interpreted_paints_what_torch_paints(tmp_path: Path) -> None:
    """Triton's interpreter must be asked for before Triton is imported, so it has a process of its own."""
    pytest.importorskip("triton")
    import os
    import subprocess
    import sys

    settings = {"TRITON_INTERPRET": "1", "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.render.interpreted"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    worst, mean, floating = (float(v) for v in done.stdout.split())
    assert worst <= 2
    assert mean < 0.01
    assert floating < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("normalised", [False, True])
def test_the_kernel_compiles_for_a_gpu(normalised: bool) -> None:
    """No GPU is needed for that."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from detaug.render.gpu import kernel

    numbers = {"int32": "i32", "int64": "i64", "float32": "fp32", "uint8": "u8", "bfloat16": "bf16"}
    rows, columns, warps = kernel.BLOCK
    constants: dict[str, Any] = {"ROWS": rows, "COLUMNS": columns, "NORMALISED": normalised, "RING": 128}
    packed = pack(scenes_of(ALL, 1), CATALOG.sizes)
    tensors: dict[str, torch.dtype] = {
        **{name: getattr(packed, name).dtype for name in packed.__slots__ if name != "size"},
        "out": torch.bfloat16 if normalised else torch.uint8,
        "arena": torch.int32,
        "places": RESIDENT.places.dtype,
        **dict.fromkeys(("noise", "tints", "normal"), torch.float32),
    }
    target = GPUTarget("cuda", 80, 32)
    for function in (kernel._paint_kernel, kernel._tint_kernel):
        kinds = {n: "constexpr" if n in constants else "i32" for n in function.arg_names}
        kinds |= {n: f"*{numbers[str(tensors[n])[6:]]}" for n in function.arg_names if n in tensors}
        fixed = {(function.arg_names.index(n),): v for n, v in constants.items() if n in function.arg_names}
        options = {"num_warps": warps, "enable_fp_fusion": True}
        made = triton.compile(ASTSource(function, kinds, fixed), target=target, options=options)
        assert len(made.asm["ptx"]) > 1000


def test_kernel_is_taken_only_where_it_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU without Triton gets the torch form."""
    taken: list[str] = []
    packed = pack(scenes_of(Recipe(), 1), CATALOG.sizes)
    monkeypatch.setattr("detaug.render.gpu.fallback.paint", lambda *_: taken.append("torch"))
    monkeypatch.setattr("detaug.render.gpu.render.find_spec", lambda _: None)
    gpu: Any = SimpleNamespace(size=GROUND.size, device=SimpleNamespace(type="cpu"))
    render_batch(packed, gpu)
    assert taken == ["torch"]
