"""A dataset of coloured rectangles on disk; each image's ground has a colour of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.readers.making import coco

COLOURS = {"red": (230, 40, 40), "green": (40, 230, 40), "yellow": (240, 220, 60), "white": (250, 250, 250)}
NAMES = ("red", "green", "yellow")
SPACE = 20  # between file numbers, so that every image is a group of its own


def ground(number: int) -> tuple[int, int, int]:
    """The colour that only image `number` has."""
    return 20 * (number % 5), 20 * (number // 5 % 5), 90


def painted(
    root: Path,
    parts: Mapping[str, int],
    names: Sequence[str] = NAMES,
    size: tuple[int, int] = (64, 64),
    empty: int = 0,
    suffix: str = "png",
) -> Path:
    """A COCO folder; image ids count from 1 over all parts.

    Args:
        root: the folder.
        parts: number of images of each part: train, val, test, or a name that is no split's.
        names: class names, in the order of their category ids; image i shows classes i and i + 1.
        size: height and width.
        empty: the first so many images of each part have no box.
        suffix: png or jpg.
    """
    number = 0
    for part, count in parts.items():
        images: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        for place in range(count):
            name = f"{part}/{number * SPACE:04d}.{suffix}"
            image = np.full((*size, 3), ground(number), np.uint8)
            for i, (x, y) in enumerate(((6, 6), (size[1] // 2, size[0] // 2)) if place >= empty else ()):
                label = (number + i) % len(names)
                wide, high = size[1] // 3 + number % 4, size[0] // 3 - number % 3
                image[y : y + high, x : x + wide] = COLOURS[names[label]]
                box = [x, y, wide, high]
                row = {"id": 1000 * number + i + 1, "image_id": number + 1, "category_id": label + 1, "bbox": box}
                boxes.append({**row, "area": wide * high, "iscrowd": 0})
            (root / part).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / name), image[..., ::-1])
            images.append({"id": number + 1, "file_name": name, "height": size[0], "width": size[1]})
            number += 1
        categories = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
        coco(root / "annotations" / f"instances_{part}.json", images, boxes, categories)
    return root


def grounds_in(image: NDArray[np.uint8], numbers: int) -> int:
    """How many images' grounds a picture (H, W, 3) shows."""
    return sum(bool((image == np.array(ground(n), np.uint8)).all(2).any()) for n in range(numbers))


def damaged(path: Path) -> Path:
    """Spoil a JPEG's Huffman tables: its header and its end are as they were, but nothing decodes it."""
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xc4")
    while at >= 0:
        data[at + 5 : at + 21] = b"\xff" * 16
        at = data.find(b"\xff\xc4", at + 2)
    path.write_bytes(bytes(data))
    return path
