"""Albumentations: Mosaic of four, Affine, mirroring, ColorJitter, GaussNoise."""

import sys
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import torch

from benchmarks.throughput.peers.folder import SIZE, Folder
from benchmarks.throughput.rounds import Make, serve


def prepare(root: Path, kept: bool) -> Make:
    """The pipeline over `root`."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    folder, rng = Folder(root, kept), np.random.default_rng(0)
    steps = [
        A.Mosaic(grid_yx=(2, 2), target_size=(SIZE, SIZE), cell_shape=(SIZE, SIZE), fill=114, p=1),
        A.Affine(scale=(0.5, 1.5), rotate=(-10, 10), translate_percent=(-0.1, 0.1), shear=(-2, 2), fill=114, p=1),
        A.HorizontalFlip(p=0.5),
        A.ColorJitter(p=1),
        A.GaussNoise(p=1),
    ]
    pipeline = A.Compose(steps, bbox_params=A.BboxParams(format="pascal_voc", label_fields=["labels"]), seed=0)
    at = 0

    def make(count: int) -> None:
        nonlocal at
        for _ in range(count):
            image, boxes, labels = folder[at % len(folder)]
            partners = [folder[int(i)] for i in rng.integers(0, len(folder), 3)]
            others = [{"image": i, "bboxes": b, "labels": n} for i, b, n in partners]
            sample = pipeline(image=image, bboxes=boxes, labels=labels, mosaic_metadata=others)
            tensor = torch.from_numpy(np.ascontiguousarray(sample["image"].transpose(2, 0, 1)))
            assert tensor.shape == (3, SIZE, SIZE)
            assert tensor.dtype == torch.uint8
            torch.as_tensor(np.asarray(sample["bboxes"], np.float32))
            at += 1

    return make


if __name__ == "__main__":
    serve(lambda: prepare(Path(sys.argv[1]), "cached" in sys.argv))
