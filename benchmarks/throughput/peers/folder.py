"""A YOLO folder's images and boxes, as a peer's own few lines would read them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 640


class Folder:
    """Images with their boxes; the images shrunk to fit `SIZE`, as Ultralytics caches them, and kept if asked.

    Args:
        root: a YOLO folder with `images/train` and `labels/train`.
        kept: decode each image once only.
    """

    def __init__(self, root: Path, kept: bool) -> None:
        self.files = sorted((root / "images" / "train").iterdir())
        self.labels = [root / "labels" / "train" / f"{file.stem}.txt" for file in self.files]
        self._objects = [
            np.array([line.split() for line in f.read_text().splitlines()], float).reshape(-1, 5) for f in self.labels
        ]
        self._images = [self._read(i) for i in range(len(self.files))] if kept else None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
        """The image (H, W, 3) RGB, its boxes (N, 4) x1 y1 x2 y2 in its pixels, their labels (N,)."""
        image = self._read(i) if self._images is None else self._images[i]
        objects = self._objects[i]
        middle, half = objects[:, 1:3], objects[:, 3:5] / 2
        boxes = np.concatenate([middle - half, middle + half], 1).clip(0, 1) * np.tile(image.shape[1::-1], 2)
        return image, boxes.astype(np.float32), objects[:, 0].astype(np.int64)

    def square(self, i: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
        """The same on a grey square of `SIZE`, for peers that want images of one size."""
        image, boxes, labels = self[i]
        height, width = image.shape[:2]
        top, left = (SIZE - height) // 2, (SIZE - width) // 2
        edges = (top, SIZE - height - top, left, SIZE - width - left)
        made = cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        return np.asarray(made, np.uint8), boxes + np.array([left, top, left, top], np.float32), labels

    def _read(self, i: int) -> NDArray[np.uint8]:
        image = cv2.imread(str(self.files[i]), cv2.IMREAD_COLOR_RGB)
        assert image is not None, self.files[i]
        scale = SIZE / max(image.shape[:2])
        side = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        return np.asarray(cv2.resize(image, side, interpolation=cv2.INTER_LINEAR), np.uint8)
