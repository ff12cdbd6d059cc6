"""The images that all are measured on: streets with about ten signs each, as a COCO folder."""

import json
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from detaug.readers.drawn.scene import draw_scene
from detaug.readers.drawn.shares import generator, shares
from detaug.readers.drawn.signs import NAMES

SIGNS = 10  # that are asked for; those that find no room are left out
QUALITY = 92

Rows = list[tuple[int, list[float]]]


def street(root: Path, count: int, size: tuple[int, int]) -> Path:
    """A folder of drawn streets, `train/000000.jpg` and on, or the one that is there already.

    Args:
        root: where it shall lie.
        count: images.
        size: height and width, pixels.
    """
    if root.exists():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{root.name}-"))
    try:
        (scratch / "train").mkdir()
        (scratch / "annotations").mkdir()
        jobs = [(scratch / "train" / f"{i:06d}.jpg", i, size) for i in range(count)]
        with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
            rows = list(pool.map(_draw, jobs))
        (scratch / "annotations" / "instances_train.json").write_text(json.dumps(_coco(rows, size)), encoding="utf-8")
        scratch.rename(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return root


def _draw(job: tuple[Path, int, tuple[int, int]]) -> Rows:
    """Draw and write one street: file, number, size. Its signs' labels and x, y, width, height."""
    file, index, size = job
    rng = generator(0, "throughput", index, "scene")
    labels = rng.choice(len(NAMES), SIGNS, p=shares())
    image, boxes, found = draw_scene(rng, labels.tolist(), size=size)
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    file.write_bytes(data.tobytes())
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).astype(np.float64).round(3)
    return list(zip(found.tolist(), corners.tolist(), strict=True))


def _coco(rows: list[Rows], size: tuple[int, int]) -> dict[str, object]:
    height, width = size
    signs = [(image, label, box) for image, row in enumerate(rows, 1) for label, box in row]
    return {
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)],
        "images": [
            {"id": i, "file_name": f"{i - 1:06d}.jpg", "width": width, "height": height}
            for i in range(1, len(rows) + 1)
        ],
        "annotations": [
            {"id": i, "image_id": image, "category_id": label + 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for i, (image, label, box) in enumerate(signs, 1)
        ],
    }
