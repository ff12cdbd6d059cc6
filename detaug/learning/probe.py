"""The curves that a diagnosis is made from, and the loss that knowing the class frequencies alone would give."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from detaug.batches.batch import Batch
from detaug.draws.draw import Draw
from detaug.learning.diagnosis import History, PerClass
from detaug.learning.evaluation import EvaluatedModule
from detaug.learning.scoring import CLEAN, Scored
from detaug.measures.precision import Metrics
from detaug.readers.catalog import Catalog
from detaug.scenes.block import scene_of
from detaug.scenes.finish import finished

CURVES = (
    "epoch", "train_loss", "clean_loss", "clean_loss_se", "clean_ap", "clean_ap50", "val_loss", "val_loss_se", "val_ap",
    "val_ap50", "rare_ap",
)  # fmt: skip
CHUNK = 32  # images whose targets are made at a time


@dataclass(slots=True, eq=False)
class Record:
    """What the validations of a training have measured so far.

    Attributes:
        curves: by name one value per validation; NaN where it was not measured.
        chance_loss: of a model that knows only the class frequencies, on the clean training images; NaN without them.
        closing_epoch: from which nothing is mixed; None where that is not known.
        classes: the last average precisions per class.
    """

    curves: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CURVES})
    chance_loss: float = math.nan
    closing_epoch: int | None = None
    classes: PerClass | None = None

    def __len__(self) -> int:
        return len(self.curves["epoch"])

    def add(self, epoch: int, scored: Mapping[str, Scored], training_boxes: Mapping[str, int]) -> None:
        """Add a validation; of several in one epoch the last counts."""
        if len(self) and self.curves["epoch"][-1] == epoch:
            for values in self.curves.values():
                values.pop()
        val, clean = scored["validate"], scored.get(CLEAN)
        row = {"epoch": float(epoch), **_numbers("val", val), **_numbers("clean", clean)}
        assert val.metrics is not None
        row["rare_ap"] = val.metrics.rare
        for name, values in self.curves.items():
            values.append(row.get(name, math.nan))
        self.classes = _per_class(val.metrics, None if clean is None else clean.metrics, training_boxes)

    def trained(self, epoch: int, loss: float) -> bool:
        """Note the augmented training loss of an epoch, known only after its validation; whether it had one."""
        if len(self) == 0 or self.curves["epoch"][-1] != epoch:
            return False
        self.curves["train_loss"][-1] = loss
        return True

    def history(self) -> History:
        """As a diagnosis takes it."""
        curves: dict[str, Any] = {n: v for n, v in self.curves.items() if n not in ("epoch", "clean_ap")}
        epochs = [int(epoch) for epoch in self.curves["epoch"]]
        return History.of(
            epochs, chance_loss=self.chance_loss, closing_epoch=self.closing_epoch, classes=self.classes, **curves
        )

    def as_json(self) -> dict[str, Any]:
        """The curves as plain values, null for what was not measured."""
        plain: dict[str, Any] = {n: [_plain(v) for v in values] for n, values in self.curves.items()}
        return {**plain, "epoch": [int(e) for e in self.curves["epoch"]], "chance_loss": _plain(self.chance_loss)}


def _numbers(prefix: str, scored: Scored | None) -> dict[str, float]:
    if scored is None or scored.metrics is None:
        return {}
    loss, metrics = scored.loss, scored.metrics
    named = {"loss": loss.value, "loss_se": loss.error, "ap": metrics.ap, "ap50": metrics.ap50}
    return {f"{prefix}_{name}": value for name, value in named.items()}


def _per_class(val: Metrics, clean: Metrics | None, training_boxes: Mapping[str, int]) -> PerClass | None:
    if clean is None:
        return None
    names = list(val.classes)
    before, after = [clean.classes[n] for n in names], [val.classes[n] for n in names]
    return PerClass.of(
        names,
        [c.ap for c in before],
        [c.ap for c in after],
        [c.boxes for c in before],
        [c.boxes for c in after],
        [training_boxes.get(n, 0) for n in names],
    )


def chance_loss(model: EvaluatedModule, catalog: Catalog, size: tuple[int, int]) -> float:
    """The loss on these images of a model that knows only how frequent the classes are, and says the same everywhere.

    Args:
        model: whose losses and weights of them are meant.
        catalog: the images; pixels are not read.
        size: canvas height and width.
    """
    assert model.detector is not None
    chunks = [range(a, min(a + CHUNK, len(catalog))) for a in range(0, len(catalog), CHUNK)]
    sums, count = model.detector.chance_losses([targets_alone(catalog, rows, size) for rows in chunks])
    return float(model.weighted({name: value / count.clamp(min=1) for name, value in sums.items()}))


def targets_alone(catalog: Catalog, rows: Sequence[int], size: tuple[int, int]) -> Batch:
    """These images whole on the canvas, as a batch without pixels."""
    shown = finished([scene_of(catalog, row, size, Draw(0, row, row, mixing=False)) for row in rows])
    return Batch(
        images=torch.empty((len(shown), 3, *size), dtype=torch.uint8, device="meta"),
        boxes=torch.cat([torch.from_numpy(s.boxes) for s in shown]),
        labels=torch.cat([torch.from_numpy(s.labels) for s in shown]),
        starts=torch.tensor([0, *[len(s.boxes) for s in shown]]).cumsum(0),
        rows=torch.tensor(list(rows)),
        fits=torch.empty((len(shown), 4)),
        sizes=torch.empty((len(shown), 2), dtype=torch.int64),
    )


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
