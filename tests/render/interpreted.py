"""Compares the kernel in Triton's interpreter with the torch form on a few tiny scenes; see test_gpu.py."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from detaug.outline import Outline
from detaug.render.gpu.packing import pack
from detaug.render.gpu.render import Normalise, render_batch
from detaug.render.gpu.resident import ResidentImages
from detaug.scenes.affine import about_centre
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Blend, Role
from tests.render.test_gpu import ALL
from tests.scenes.painted import planned, stage, whole, world

SIZE = (24, 40)  # neither is a multiple of the kernel's block


def textured(path: Path) -> NDArray[np.uint8]:
    small = np.random.default_rng(int(path.stem)).integers(0, 256, (25, 35, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (280, 200), interpolation=cv2.INTER_CUBIC), np.uint8)


def main() -> None:
    """Print the largest and the mean difference in grey levels, and the largest of normalised numbers."""
    catalog = world(height=200, width=280)
    ground = stage(catalog, SIZE)
    scenes = [replace(planned(ALL, ground, slot), fill=(114, 114, 114)) for slot in range(20)]
    # Few scenes, so each kind of layer is put into one.
    most = max(scenes, key=lambda scene: len(scene.image))
    places = np.arange(len(most.image))
    role = np.where(places > 0, np.uint8(Role.PASTE), np.uint8(Role.TILE))
    outline = np.array([Outline.ELLIPSE, Outline.OCTAGON], np.uint8)[places % 2]
    blend = np.array([Blend.FEATHER, Blend.GAUSSIAN], np.uint8)[places // 2 % 2]
    soft = np.full(len(places), 1.5, np.float32)
    scenes = [*scenes[:2], replace(most, role=role, outline=outline, blend=blend, soft=soft)]
    small = planned(Recipe(mosaic=Mosaic(p=1)), ground, 9)
    scenes.append(small.moved(about_centre(SIZE, scale=0.3, degrees=20)))
    images = ResidentImages(catalog, SIZE, "cpu", open_file=whole(textured))
    packed = pack(scenes, catalog.sizes)
    assert len(packed.erased) > 0
    assert packed.codes[:, 6].max() > 1
    assert set(packed.codes[:, 1].tolist()) == set(range(5))
    made, expected = (render_batch(packed, images, painter=p).float() for p in ("kernel", "torch"))
    apart = (made - expected).abs()
    few = pack(scenes[:1], catalog.sizes)
    normalise = Normalise((120.0, 110.0, 100.0), (60.0, 50.0, 40.0), torch.float32)
    numbers = [render_batch(few, images, normalise, p) for p in ("kernel", "torch")]
    print(float(apart.max()), float(apart.mean()), float((numbers[0] - numbers[1]).abs().max()))


if __name__ == "__main__":
    main()
