"""The curves of a training, one value per validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError

Floats = NDArray[np.float64]
Given = Sequence[float | None] | NDArray[np.floating[Any]] | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PerClass:
    """The classes' last AP on clean training images and on validation.

    Attributes:
        names: C class names.
        clean_ap: (C,) AP on clean training images, 0 to 1; NaN where the class has no box there.
        val_ap: (C,) AP on validation.
        clean_boxes: (C,) boxes of the class in the clean training images.
        val_boxes: (C,) boxes in validation.
        train_boxes: (C,) boxes in all training images; `clean_boxes` where it is not given.
    """

    names: tuple[str, ...]
    clean_ap: Floats
    val_ap: Floats
    clean_boxes: Floats
    val_boxes: Floats
    train_boxes: Floats

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        clean_ap: Given,
        val_ap: Given,
        clean_boxes: Given,
        val_boxes: Given,
        train_boxes: Given = None,
    ) -> "PerClass":
        """From any sequences; None is NaN.

        Raises:
            InputError: the lengths differ.
        """
        columns = {"clean_ap": clean_ap, "val_ap": val_ap, "clean_boxes": clean_boxes, "val_boxes": val_boxes}
        columns["train_boxes"] = clean_boxes if train_boxes is None else train_boxes
        return cls(names=tuple(names), **{n: _column(n, c, len(names)) for n, c in columns.items()})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class History:
    """What was measured at V validations; NaN where something was not measured.

    Attributes:
        epoch: (V,) int64, strictly rising.
        val_loss: (V,) loss on validation.
        clean_loss: (V,) loss on training images without augmentation and dropout, by the same weights.
        train_loss: (V,) the augmented training loss; shown, and judged by only where there is no clean loss.
        clean_ap50: (V,) AP50 on the clean training images, 0 to 1.
        val_ap: (V,) AP on validation.
        val_ap50: (V,) AP50 on validation.
        rare_ap: (V,) AP of the rare classes on validation.
        clean_loss_se: (V,) standard error of `clean_loss` over images (bootstrap).
        val_loss_se: (V,) the same of `val_loss`.
        chance_loss: loss of a model that knows only the class frequencies; NaN where unknown.
        closing_epoch: the epoch from which nothing is mixed, where curves may jump; None where there is none.
        classes: the last AP per class.
    """

    epoch: NDArray[np.int64]
    val_loss: Floats
    clean_loss: Floats
    train_loss: Floats
    clean_ap50: Floats
    val_ap: Floats
    val_ap50: Floats
    rare_ap: Floats
    clean_loss_se: Floats
    val_loss_se: Floats
    chance_loss: float = float("nan")
    closing_epoch: int | None = None
    classes: PerClass | None = None

    @classmethod
    def of(
        cls,
        epoch: Sequence[int] | NDArray[np.int64],
        val_loss: Given,
        clean_loss: Given = None,
        *,
        train_loss: Given = None,
        clean_ap50: Given = None,
        val_ap: Given = None,
        val_ap50: Given = None,
        rare_ap: Given = None,
        clean_loss_se: Given = None,
        val_loss_se: Given = None,
        chance_loss: float | None = None,
        closing_epoch: int | None = None,
        classes: PerClass | None = None,
    ) -> "History":
        """From any sequences; None for a value or for a whole curve is NaN.

        Raises:
            InputError: lengths differ, or epochs do not rise.
        """
        epochs = np.asarray(epoch, np.int64)
        if epochs.ndim != 1 or (np.diff(epochs) <= 0).any():
            raise InputError(f"A history's epochs rise strictly, these do not: {epochs.tolist()}.")
        columns: Mapping[str, Given] = {
            "val_loss": val_loss,
            "clean_loss": clean_loss,
            "train_loss": train_loss,
            "clean_ap50": clean_ap50,
            "val_ap": val_ap,
            "val_ap50": val_ap50,
            "rare_ap": rare_ap,
            "clean_loss_se": clean_loss_se,
            "val_loss_se": val_loss_se,
        }
        read: dict[str, Any] = {name: _column(name, column, len(epochs)) for name, column in columns.items()}
        chance = float("nan") if chance_loss is None else float(chance_loss)
        return cls(epoch=epochs, chance_loss=chance, closing_epoch=closing_epoch, classes=classes, **read)

    def __len__(self) -> int:
        return len(self.epoch)


def _column(name: str, values: Given, length: int) -> Floats:
    if values is None:
        return np.full(length, np.nan)
    column = np.array([np.nan if value is None else value for value in values], np.float64)
    if column.shape != (length,):
        raise InputError(f"{name}: expected {length} values, got {len(column)}.")
    return column
