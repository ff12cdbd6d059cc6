"""Labels and class tables on their way between data, model and checkpoint."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detaug.batches.batch import Batch
from detaug.classes import NEVER, ClassTable
from detaug.errors import InputError
from detaug.outline import Outline


def relabelled(batch: Batch, to_model: Tensor) -> Batch:
    """The batch with labels `to_model[label]`; boxes whose class becomes -1 are left out."""
    labels = to_model.to(batch.labels.device)[batch.labels]
    kept = labels >= 0
    starts = torch.cat([batch.starts.new_zeros(1), kept.cumsum(0)])[batch.starts]
    return replace(batch, boxes=batch.boxes[kept], labels=labels[kept], starts=starts)


def table_rows(table: ClassTable) -> dict[str, dict[str, Any]]:
    """A class table as plain values, as `ClassTable.build` takes them."""

    def mirror(index: int) -> str:
        partner = int(table.mirror[index])
        return "never" if partner == NEVER else "self" if partner == index else table.names[partner]

    return {
        name: {
            "outline": Outline(int(table.outline[i])).name.lower(),
            "mirror": mirror(i),
            "turn": float(table.turn[i]),
        }
        for i, name in enumerate(table.names)
    }


def checkpoint_names(checkpoint: Mapping[str, Any]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Class names and class table of a checkpoint.

    Raises:
        InputError: it has none.
    """
    classes = checkpoint.get("classes")
    if not isinstance(classes, dict) or not classes.get("names"):
        raise InputError("The checkpoint holds no class names; it was not written by detaug.")
    return list(classes["names"]), dict(classes.get("table") or {})


def checkpoint_file(path: object) -> None:
    """See that a checkpoint is a file.

    Raises:
        InputError: there is no such file, or it is an address: Lightning would run code from it.
    """
    if "://" in str(path):
        raise InputError(f"{path}: checkpoints are read from files only, not from addresses.")
    if not Path(str(path)).is_file():
        raise InputError(f"{path}: there is no such checkpoint.")
