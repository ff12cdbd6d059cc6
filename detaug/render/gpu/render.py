"""The GPU renderer: batches of scenes, as the CPU renderer shows them within two grey levels."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from detaug.render.gpu import fallback
from detaug.render.gpu.packing import PackedScenes
from detaug.render.gpu.resident import ResidentImages


@dataclass(frozen=True, slots=True)
class Normalise:
    """Grey levels of 0 to 255 less a mean, over a deviation.

    Attributes:
        mean: of red, green and blue, 0 to 255.
        std: likewise.
        dtype: of the numbers that come out.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dtype: torch.dtype = torch.bfloat16


def render_batch(
    scenes: PackedScenes,
    images: ResidentImages,
    normalise: Normalise | None = None,
    painter: Literal["kernel", "torch"] | None = None,
) -> Tensor:
    """The pictures of B scenes, on the device that the images are on.

    Args:
        scenes: what `pack` gave, on the images' device.
        images: what they show, for the same canvas.
        normalise: give floating-point numbers; None gives grey levels.
        painter: `kernel` for Triton, `torch` for the fallback; None takes the kernel on a GPU that has Triton.

    Returns:
        (B, 3, H, W) uint8 RGB, or `normalise.dtype`.

    Raises:
        ValueError: the images are kept for another canvas, or lie on another device.
    """
    if scenes.size != images.size:
        raise ValueError(f"scenes: expected a canvas of {images.size}, got {scenes.size}")
    if scenes.codes.device.type != images.device.type:
        raise ValueError(f"scenes: expected them on {images.device}, got {scenes.codes.device}")
    if painter is None:
        painter = "kernel" if images.device.type == "cuda" and find_spec("triton") else "torch"
    if painter == "kernel":
        from detaug.render.gpu import kernel

        mean, std, dtype = ((0.0,) * 3, (1.0,) * 3, torch.uint8)
        if normalise is not None:
            mean, std, dtype = normalise.mean, normalise.std, normalise.dtype
        return kernel.paint(scenes, images, mean, std, dtype)
    made = fallback.paint(scenes, images)
    if normalise is None:
        return made
    mean_of, std_of = (made.new_tensor(v, dtype=torch.float32)[:, None, None] for v in (normalise.mean, normalise.std))
    return ((made - mean_of) / std_of).to(normalise.dtype)
