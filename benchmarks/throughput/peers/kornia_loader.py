"""kornia on the CPU, in batches of four: RandomMosaic, RandomAffine, mirroring, ColorJiggle, RandomGaussianNoise."""

import sys
from pathlib import Path

import torch

from benchmarks.throughput.peers.folder import SIZE, Folder
from benchmarks.throughput.rounds import Make, serve

BATCH = 4


def prepare(root: Path, kept: bool) -> Make:
    """The pipeline over `root`."""
    import kornia.augmentation as K

    torch.set_num_threads(1)
    folder = Folder(root, kept)
    pipeline = K.AugmentationSequential(
        K.RandomMosaic((SIZE, SIZE), p=1.0),
        K.RandomAffine(10.0, (0.1, 0.1), (0.5, 1.5), 2.0, p=1.0),
        K.RandomHorizontalFlip(p=0.5),
        K.ColorJiggle(0.4, 0.2, 0.7, 0.015, p=1.0),
        K.RandomGaussianNoise(0.0, 0.03, p=1.0),
        data_keys=["input", "bbox_xyxy"],
    )
    at = 0

    def make(count: int) -> None:
        nonlocal at
        assert count % BATCH == 0
        for _ in range(0, count, BATCH):
            samples = [folder.square((at + i) % len(folder)) for i in range(BATCH)]
            images = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image, _, _ in samples]).float() / 255
            most = max(len(boxes) for _, boxes, _ in samples)
            boxes = torch.zeros((BATCH, most, 4))
            for row, (_, found, _) in zip(boxes, samples, strict=True):
                row[: len(found)] = torch.from_numpy(found)
            made, _ = pipeline(images, boxes)
            assert made.shape == (BATCH, 3, SIZE, SIZE)
            (made * 255).round().clamp(0, 255).to(torch.uint8)
            at += BATCH

    return make


if __name__ == "__main__":
    serve(lambda: prepare(Path(sys.argv[1]), "cached" in sys.argv))
