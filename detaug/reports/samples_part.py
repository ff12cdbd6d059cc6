"""Augmented samples and suspicious labels, as pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from detaug.batches.augmenter import Augmenter
from detaug.batches.page import read_page
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.reports.colours import class_colours
from detaug.reports.marks import draw_sample
from detaug.reports.pictures import Card, Mark, as_card, card
from detaug.reports.preview import origins_of
from detaug.reports.run_data import RunData
from detaug.reports.run_files import RunFiles

SAMPLES = 8
SUSPECTS = 12
_SIDE = 340  # pixels of a sample


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures in a row.

    Attributes:
        title: above them; empty where there is but one strip.
        note: what they have in common.
        cards: the pictures.
    """

    title: str
    note: str
    cards: tuple[Card, ...]


def samples(run: RunFiles, data: RunData) -> list[Strip]:
    """The first samples of the first epoch, made again from the configuration.

    Raises:
        InputError: there is no training split or no configuration that can be used.
    """
    if data.train is None or run.config_text is None:
        raise InputError("No samples are shown: this run has no training images or no config.yaml.")
    page = read_page(str(run.folder / "config.yaml"))
    augmenter = Augmenter(
        data.train, page.recipe, page.size or (640, 640), int(run.setting("data", "seed") or 0),
        balance=page.balance, rare=page.rare, length=run.setting("data", "epoch_length"), cache_bytes=1 << 28,
        partners=page.partners, block=page.block,
    )  # fmt: skip
    colours = class_colours(len(data.names))
    cards = []
    for slot in range(min(SAMPLES, len(augmenter))):
        made = augmenter.make(augmenter.draw(0, slot))
        picture = draw_sample(made.sample, origins_of(made), data.names, colours, _SIDE)
        there = [str(data.names[label]) for label in made.sample.labels.tolist()]
        name = data.train.name(augmenter.draw(0, slot).item)
        alt = f"Augmented sample with {', '.join(there) or 'no sign'}"
        cards.append(as_card(picture, (name,), alt))
    operations = ", ".join(page.recipe.operations()) or "no operation"
    note = f"Epoch 0, slots 0 to {len(cards) - 1}; {operations}. Whole lines: own image; thin: mosaic partner; "
    return [Strip("", note + "short dashes: mixup; long dashes: pasted.", tuple(cards))]


def suspects(run: RunFiles, data: RunData) -> list[Strip]:
    """Training boxes with the highest loss under the best weights, the highest first.

    Raises:
        InputError: they were not looked for, or none of them is in the dataset.
    """
    if run.suspects is None:
        raise InputError("Suspicious labels were not looked for: this run has no suspects.json.")
    if not run.suspects:
        raise InputError("No label is suspicious.")
    rows = {data.whole.name(r): r for r in range(len(data.whole))}
    made = [_suspect(found, data.whole, rows) for found in run.suspects[:SUSPECTS]]
    cards = tuple(c for c in made if c is not None)
    if not cards:
        raise InputError("None of the images in suspects.json is in the dataset.")
    note = "Training boxes with the highest loss under the kept weights: a wrong label, a loose box, or a hard sign."
    return [Strip("", note, cards)]


def _suspect(found: Any, catalog: Catalog, rows: dict[str, int]) -> Card | None:
    """One of them; None where its image is not there or cannot be decoded."""
    image, label, loss = found["image"], str(found["label"]), float(found["loss"])
    row = rows.get(str(image))
    if row is None and isinstance(image, int):
        row = next(iter(np.flatnonzero(catalog.ids == image).tolist()), None)
    if row is None:
        return None
    box = np.array(found["box"], np.float32).reshape(4)
    lines = (f"labelled {label}", f"loss {loss:.2f}", catalog.name(row))
    return card(catalog, row, [Mark(box, label, truth=True)], lines, f"Training box labelled {label}, loss {loss:.2f}")
