"""Ultralytics' training dataset: mosaic of four, affine, HSV, mirroring."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.throughput.rounds import Make, serve

BATCH = 2  # its buffer of decoded images holds eight times as many; here less than there are images


def prepare(root: Path, kept: bool, albumentations: bool) -> Make:
    """The dataset over `root`; `albumentations` leaves its step of that name in, as it does where it is installed."""
    from ultralytics.cfg import get_cfg  # type: ignore[import-not-found]
    from ultralytics.data.dataset import YOLODataset  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    settings: dict[str, Any] = {
        "mosaic": 1.0, "degrees": 10.0, "scale": 0.5, "translate": 0.1, "shear": 2.0, "fliplr": 0.5, "mixup": 0.0,
        "hsv_h": 0.015, "hsv_s": 0.7, "hsv_v": 0.4,
    }  # fmt: skip
    names = {i: str(i) for i in range(1000)}
    dataset = YOLODataset(
        img_path=str(root / "images" / "train"), imgsz=640, cache="ram" if kept else False, augment=True,
        hyp=get_cfg(overrides=settings), batch_size=BATCH, data={"names": names, "nc": len(names), "channels": 3},
    )  # fmt: skip
    steps = dataset.transforms.transforms
    assert any(type(step).__name__ == "Albumentations" and step.transform for step in steps)
    if not albumentations:
        dataset.transforms.transforms = [step for step in steps if type(step).__name__ != "Albumentations"]
    at = 0

    def make(count: int) -> NDArray[np.uint8]:
        nonlocal at
        for _ in range(count):
            sample = dataset[at % len(dataset)]
            assert sample["img"].shape == (3, 640, 640)
            at += 1
        return np.asarray(sample["img"].numpy())

    return make


if __name__ == "__main__":
    serve(lambda: prepare(Path(sys.argv[1]), "cached" in sys.argv, "bare" not in sys.argv))
