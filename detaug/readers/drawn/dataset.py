"""Writing drawn scenes as a COCO folder, all of it or nothing."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from detaug.errors import InputError
from detaug.readers.drawn.scene import SIZE, draw_scene
from detaug.readers.drawn.shares import generator, scene_labels
from detaug.readers.drawn.signs import NAMES

DESCRIPTION = "detaug drawn scenes"
VERSION = "1"  # raise it when the same seed draws other pixels
IMAGES: Mapping[str, int] = MappingProxyType({"train": 600, "val": 150})
_SPLITS = ("train", "val", "test")
_SMALLEST = (192, 320)
_ALONE_BELOW = 48  # starting a second process takes about as long as drawing this many scenes

Job = tuple[str, str, int, int, tuple[int, int]]
Objects = list[tuple[int, list[float]]]


def draw_dataset(
    root: Path, *, images: Mapping[str, int] = IMAGES, seed: int = 0, size: tuple[int, int] = SIZE
) -> None:
    """Draw a dataset into the folder `root`, or leave it as it is when it already holds this very one.

    Image i of a split depends on the seed, the split and i alone: a longer split begins with the shorter one.

    Args:
        root: the folder to make; `annotations/instances_SPLIT.json` beside `SPLIT/000000.jpg`.
        images: number of images of each split, out of train, val and test.
        seed: 0 or above.
        size: height and width, pixels, at least 192 by 320.

    Raises:
        InputError: a setting is out of range, or `root` holds something else.
    """
    root = Path(root)
    info = _info(images, seed, size)
    if _holds(root, info):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}-", ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / root.name
        _write(made, info)
        try:
            made.rename(root)
        except OSError:  # another process was faster; the scenes are the same
            if not _holds(root, info):
                raise


def _info(images: Mapping[str, int], seed: int, size: tuple[int, int]) -> dict[str, Any]:
    """What the annotation files say of themselves, and what tells one drawn dataset from another."""
    for split, count in images.items():
        if split not in _SPLITS or count < 0:
            raise InputError(f"drawn scenes: expected a number of images for train, val or test, got {split}: {count}.")
    if seed < 0:
        raise InputError(f"drawn scenes: expected a seed of 0 or above, got {seed}.")
    if size[0] < _SMALLEST[0] or size[1] < _SMALLEST[1]:
        raise InputError(f"drawn scenes: expected a size of at least {_SMALLEST}, got {tuple(size)}.")
    counts = {split: int(images[split]) for split in _SPLITS if split in images}
    return {"description": DESCRIPTION, "version": VERSION, "seed": int(seed), "size": list(size), "images": counts}


def _holds(root: Path, info: dict[str, Any]) -> bool:
    """Whether `root` holds the dataset of `info`; False where there is nothing yet."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    found = [_read_info(root / "annotations" / f"instances_{split}.json") for split in info["images"]]
    if found and all(f == info for f in found):
        return True
    what = (
        "drawn scenes of other settings" if any(f.get("description") == DESCRIPTION for f in found) else "other files"
    )
    raise InputError(f"{root}: holds {what}, so no scenes with seed {info['seed']} are drawn there.")


def _read_info(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content.get("info"), dict):
            return dict(content["info"])
    return {}


def _write(root: Path, info: dict[str, Any]) -> None:
    jobs: list[Job] = []
    (root / "annotations").mkdir(parents=True)
    for split, count in info["images"].items():
        (root / split).mkdir()
        jobs += [(str(root), split, i, info["seed"], tuple(info["size"])) for i in range(count)]
    drawn = _draw_all(jobs)
    if len(jobs) >= _ALONE_BELOW:
        drawn = track(drawn, "Drawing scenes", len(jobs), transient=True, console=Console(file=sys.stderr))  # type: ignore[assignment]
    objects: dict[str, list[Objects]] = {split: [] for split in info["images"]}
    for job, found in zip(jobs, drawn, strict=True):
        objects[job[1]].append(found)
    for split, rows in objects.items():
        text = json.dumps(_coco(info, rows))
        (root / "annotations" / f"instances_{split}.json").write_text(text, encoding="utf-8")


def _draw_all(jobs: list[Job]) -> Iterator[Objects]:
    """Each job's signs, in order; drawn by several processes where that is worth it."""
    done = 0
    if len(jobs) >= _ALONE_BELOW and (cpu_count() or 1) > 1 and _can_spawn():
        workers = min(cpu_count() or 1, 8)
        with (
            suppress(BrokenProcessPool),  # a script without a `__main__` guard: the rest is drawn here
            ProcessPoolExecutor(workers, get_context("spawn"), cv2.setNumThreads, (1,)) as pool,
        ):
            for found in pool.map(draw_file, jobs, chunksize=8):
                yield found
                done += 1
    yield from map(draw_file, jobs[done:])


def _can_spawn() -> bool:
    """Whether a fresh process could import the program again; one typed in at a prompt or a pipe could not."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return file is None or Path(file).exists()


def draw_file(job: Job) -> Objects:
    """Draw one scene and write its picture: root, split, index, seed, size.

    Returns:
        Its signs, each its label and x, y, width, height in pixels.
    """
    root, split, index, seed, size = job
    rng = generator(seed, split, index, "scene")
    image, boxes, labels = draw_scene(rng, scene_labels(seed, split, index), size=size)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(90, 96))]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), quality)
    (Path(root) / split / f"{index:06d}.jpg").write_bytes(data.tobytes())
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).astype(np.float64).round(3)
    return list(zip(labels.tolist(), corners.tolist(), strict=True))


def _coco(info: dict[str, Any], rows: list[Objects]) -> dict[str, Any]:
    """One split as COCO's dictionary; image ids count from 1, category ids are the label + 1."""
    height, width = info["size"]
    signs = [(i, label, box) for i, row in enumerate(rows, 1) for label, box in row]
    return {
        "info": info,
        "licenses": [],
        "categories": [{"id": i, "name": name, "supercategory": "sign"} for i, name in enumerate(NAMES, 1)],
        "images": [
            {"id": i, "file_name": f"{i - 1:06d}.jpg", "width": width, "height": height}
            for i in range(1, len(rows) + 1)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": label + 1,
                "bbox": box,
                "area": round(box[2] * box[3], 3),
                "iscrowd": 0,
            }
            for number, (image, label, box) in enumerate(signs, 1)
        ],
    }
