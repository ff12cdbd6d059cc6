"""torchvision's v2 transforms: affine, mirroring, ColorJitter, GaussianNoise; it has no mosaic.

With `paste`, half of another image's objects are laid over first, in the steps of the simple copy-paste of
torchvision's detection references (resize, blend through a blurred mask, boxes from what is left); masks are the boxes.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import ops, tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchmarks.throughput.peers.folder import SIZE, Folder
from benchmarks.throughput.rounds import Make, serve

Target = tuple[Tensor, Tensor]  # (3, H, W) uint8 image, (N, 4) boxes


def prepare(root: Path, kept: bool, paste: bool) -> Make:
    """The pipeline over `root`."""
    torch.set_num_threads(1)
    folder, rng = Folder(root, kept), np.random.default_rng(0)
    pipeline = v2.Compose([
        v2.RandomAffine(10, (0.1, 0.1), (0.5, 1.5), 2, fill=114),
        v2.RandomHorizontalFlip(0.5),
        v2.ColorJitter(0.4, 0.2, 0.7, 0.015),
        v2.ToDtype(torch.float32, scale=True),
        v2.GaussianNoise(0, 0.03),
        v2.ToDtype(torch.uint8, scale=True),
        v2.ClampBoundingBoxes(),
    ])  # fmt: skip
    at = 0

    def read(i: int) -> Target:
        image, boxes, _ = folder.square(i)
        return torch.from_numpy(image).permute(2, 0, 1).contiguous(), torch.from_numpy(boxes)

    def make(count: int) -> None:
        nonlocal at
        for _ in range(count):
            image, boxes = read(at % len(folder))
            if paste:
                image, boxes = pasted((image, boxes), read(int(rng.integers(len(folder)))), rng)
            kind = tv_tensors.BoundingBoxFormat.XYXY
            made, _ = pipeline(
                tv_tensors.Image(image), tv_tensors.BoundingBoxes(boxes, format=kind, canvas_size=(SIZE, SIZE))
            )
            assert made.shape == (3, SIZE, SIZE)
            assert made.dtype == torch.uint8
            at += 1

    return make


def pasted(target: Target, source: Target, rng: np.random.Generator) -> Target:
    """Half of the source's objects laid over the target."""
    (image, boxes), (other, donors) = target, source
    picked = donors[torch.from_numpy(rng.random(len(donors)) < 0.5)]
    if len(picked) == 0:
        return target
    masks, laid = filled(boxes), filled(picked)
    alpha = laid.any(0, keepdim=True).to(torch.uint8)
    soft = F.gaussian_blur(alpha.float(), [5, 5], [2.0])
    mixed = (image * (1 - soft) + other * soft).to(torch.uint8)
    masks = masks * (1 - alpha)
    masks = masks[masks.sum((1, 2)) > 0]
    return mixed, ops.masks_to_boxes(torch.cat([masks, laid])).float()


def filled(boxes: Tensor) -> Tensor:
    """(N, SIZE, SIZE) uint8 masks of boxes."""
    masks = torch.zeros((len(boxes), SIZE, SIZE), dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.round().int().tolist(), strict=True):
        mask[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = 1
    return masks


if __name__ == "__main__":
    serve(lambda: prepare(Path(sys.argv[1]), "cached" in sys.argv, "paste" in sys.argv))
