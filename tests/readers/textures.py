"""Pictures that differ from each other, as photographs do."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def texture(seed: int, height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: a smooth random landscape with a little grain."""
    rng = np.random.Generator(np.random.Philox(seed))
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)


def textured(path: Path, seed: int, height: int = 120, width: int = 160, mode: str = "RGB", **options: Any) -> Path:
    """A file with such a picture; `options` are Pillow's for saving."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(texture(seed, height, width)).convert(mode).save(path, **options)
    return path


def all_different(root: Path, height: int = 40, width: int = 60) -> Path:
    """Give every JPEG below a folder a picture of its own."""
    for seed, path in enumerate(sorted(root.rglob("*.jpg"))):
        textured(path, seed, height, width)
    return root
