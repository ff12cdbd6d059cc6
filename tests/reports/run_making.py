"""A run folder as a training leaves it, with drawn pictures and made-up detections."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from detaug.learning.diagnosis.verdict import Knob, Verdict
from detaug.measures.precision import score
from detaug.measures.truth import Found, GroundTruth
from detaug.readers.catalog import Catalog
from detaug.readers.read import read
from tests.readers.making import coco

HOSTILE = ("<script>alert(1)</script>", "speed $30$ & _x", '"><img src=x onerror=alert(1)>', "stop")
EPOCHS, CLOSING = 20, 16
FILES = (
    "metrics.csv", "metrics.json", "config.yaml", "diagnosis.json", "exposure.json", "suspects.json",
    "detections.json", "environment.json",
)  # fmt: skip


def dataset(root: Path, names: Sequence[str], images: int = 12, side: int = 96) -> Path:
    """A COCO folder with train and val; image i shows the classes i and i + 1, its name holds HTML."""
    number = 0
    for part, count in (("train", images), ("val", images)):
        rows: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        for place in range(count):
            picture = np.random.default_rng(number).integers(60, 120, (side, side, 3)).astype(np.uint8)
            for i, (x, y) in enumerate(((8, 10), (side // 2 + 4, side // 2))):
                label = (place + i) % len(names)
                wide, high = side // 4 + place % 5, side // 4 + place % 3
                colour = (37 * label % 200 + 55, 91 * label % 256, 53 * label % 256)
                picture[y : y + high, x : x + wide] = colour
                found = {"id": len(boxes) + 1 + 10000 * number, "image_id": number + 1, "category_id": label + 1}
                boxes.append({**found, "bbox": [x, y, wide, high], "area": wide * high, "iscrowd": 0})
            name = f"{part}/<img src=x onerror=alert({number})>{number * 20:05d}.png"
            (root / part).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / name), picture)
            rows.append({"id": number + 1, "file_name": name, "height": side, "width": side})
            number += 1
        categories = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
        coco(root / "annotations" / f"instances_{part}.json", rows, boxes, categories)
    return root


def detections(catalog: Catalog, rng: np.random.Generator) -> Found:
    """Most boxes found, some missed, some with another class, some elsewhere, some where nothing is."""
    rows = np.arange(len(catalog))
    boxes: list[Any] = []
    scores: list[float] = []
    labels: list[int] = []
    counts: list[int] = []
    for row in rows:
        start = len(boxes)
        for place in range(catalog.starts[row], catalog.starts[row + 1]):
            luck = rng.random()
            if luck < 0.12:
                continue
            label = int(catalog.labels[place])
            boxes.append(catalog.boxes[place] + rng.normal(0, 12 if luck < 0.24 else 1, 4))
            labels.append((label + 1) % len(catalog.classes) if luck > 0.88 else label)
            scores.append(rng.uniform(0.4, 1))
        if rng.random() < 0.4:
            boxes.append(np.array((60.0, 4.0, 84.0, 20.0)))
            labels.append(int(rng.integers(len(catalog.classes))))
            scores.append(rng.uniform(0.3, 0.95))
        counts.append(len(boxes) - start)
    corners = np.array(boxes, np.float32).reshape(-1, 4).clip(0, 96)
    corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + 1)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Found(rows, corners, np.array(scores, np.float32), np.array(labels, np.int64), starts)


def run_folder(folder: Path, names: Sequence[str] = HOSTILE, images: int = 12, seed: int = 0) -> Path:
    """`folder/runs/hostile/0` with all files, on a dataset in `folder/set`."""
    root = dataset(folder / "set", names, images)
    run = folder / "runs" / "hostile" / "0"
    run.mkdir(parents=True)
    catalog = read(root)
    evaluated, train = catalog.split("val"), catalog.split("train")
    found = detections(evaluated, np.random.default_rng(seed))
    _write(run / "detections.json", found.coco(evaluated.ids))
    _write(run / "metrics.json", _metrics(root, evaluated, train, found))
    _write(run / "diagnosis.json", _verdict(names).as_json())
    _write(run / "exposure.json", _exposure(train, np.random.default_rng(seed + 1)))
    _write(run / "suspects.json", _suspects(train))
    versions = {"versions": {"detaug": "0.1.0"}, "machine": {"system": "Linux", "processor": "x86", "cores": 2}}
    _write(run / "environment.json", {**versions, "began": "2026-01-01T00:00:00+00:00", "seconds": 4000})
    (run / "config.yaml").write_text(yaml.safe_dump(_config(root, seed)))
    (run / "metrics.csv").write_text(_csv(seed))
    return run


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _metrics(root: Path, evaluated: Catalog, train: Catalog, found: Found) -> dict[str, Any]:
    names = list(evaluated.classes.names)
    metrics = score(GroundTruth.of(evaluated), found, names, names[-1:]).plain()
    trained = dict(zip(names, train.class_counts().tolist(), strict=True))
    return {
        "root": str(root), "split": "val", "images": len(evaluated), "loss": 0.81, "AP": metrics["ap"],
        "AP50": metrics["ap50"], "AP75": metrics["ap75"], "AR100": metrics["ar100"],
        "by_size": {k: metrics[k] for k in ("small", "medium", "large")}, "rare": metrics["rare"],
        "common": metrics["common"], "rare_classes": names[-1:],
        "per_class": {
            name: {"AP": c["ap"], "AP50": c["ap50"], "boxes": c["boxes"], "training_boxes": trained[name]}
            for name, c in metrics["classes"].items()
        },
        "clean": {"per_class": {name: {"AP": 0.9} for name in names}},
        "images_not_decoded": [], "checkpoint": "best.ckpt",
    }  # fmt: skip


def _verdict(names: Sequence[str]) -> Verdict:
    return Verdict(
        state="overfitting",
        sentence="Since epoch 9 the loss on clean training images fell by 31 % while validation stayed as it was.",
        reasons=("The gap is 0.41.", "<b>Three</b> classes are known by heart."),
        knobs=(Knob("--model.dropout 0.2", "dropout is 0.1"), Knob("--model.backbone resnet18", "it is smaller")),
        confidence=0.93,
        best_epoch=9,
        memorised=(names[-1],),
    )


def _exposure(train: Catalog, rng: np.random.Generator) -> dict[str, Any]:
    mixed = np.arange(EPOCHS) < CLOSING
    classes = {}
    for name, boxes in zip(train.classes.names, train.class_counts().tolist(), strict=True):
        own = rng.integers(boxes, 2 * boxes + 2, EPOCHS)
        partner, paste = own * 2 * mixed, own * 3 * mixed
        shown = {"own": own.tolist(), "partner": partner.tolist(), "mixup": [0] * EPOCHS, "paste": paste.tolist()}
        classes[name] = {"boxes": boxes, "shown": (own + partner + paste).tolist(), **shown}
    return {"epochs": list(range(EPOCHS)), "images": [len(train)] * EPOCHS, "classes": classes}


def _suspects(train: Catalog) -> list[dict[str, Any]]:
    return [
        {"image": train.name(row), "box": train.boxes[train.starts[row]].tolist(),
         "label": train.classes.names[train.labels[train.starts[row]]], "loss": 4.0 - row}
        for row in range(3)
    ]  # fmt: skip


def _config(root: Path, seed: int) -> dict[str, Any]:
    recipe = {"mosaic": {"p": 0.5}, "flip": {"p": 0.5}, "extra": {}}
    data = {"root": str(root), "format": "auto", "recipe": recipe, "size": 96, "seed": seed, "closing_share": 0.2}
    model = {"backbone": "</pre><script>alert(2)</script>", "dropout": 0.1 * (seed + 1)}
    trainer = {"max_epochs": EPOCHS, "callbacks": None}
    return {"seed_everything": seed, "trainer": trainer, "model": model, "data": data, "name": "hostile"}


def _csv(seed: int) -> str:
    """Losses that part at epoch 9, where AP is best, and the scoring of the kept weights after the last epoch."""
    columns = "epoch,lr,step,train/loss,clean/loss,clean/AP,clean/AP50,val/AP,val/AP50,val/AP_rare,val/loss"
    lines = [columns]
    for epoch in range(EPOCHS):
        val = 0.8 + 1.2 * np.exp(-epoch / 4) + 0.02 * max(0, epoch - 9) + 0.01 * seed
        clean, ap = 0.3 + 1.6 * np.exp(-epoch / 5), 0.6 - 0.003 * (epoch - 9) ** 2
        lines += [
            f",0.001,{10 * epoch + 4},,,,,,,,",
            f"{epoch},,{10 * epoch + 9},,{clean:.4f},{1 - clean / 2:.4f},{1 - clean / 3:.4f},"
            f"{ap:.4f},{ap + 0.2:.4f},{ap - 0.2:.4f},{val:.4f}",
            f"{epoch},,{10 * epoch + 9},{clean + 0.4:.4f},,,,,,,",
        ]
    return "\n".join([*lines, f"{EPOCHS},,{10 * EPOCHS},,,,,0.99,0.99,0.99,0.1"]) + "\n"
