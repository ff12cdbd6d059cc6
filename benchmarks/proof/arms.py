"""What is compared: recipes with a part put on or taken away, each trained on the same units, folds or seeds."""

import fcntl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from detaug.classes import ClassTable
from detaug.readers.drawn.dataset import draw_dataset
from detaug.writing import write_whole

Settings = tuple[str, ...]
IMAGES = {"train": 600, "val": 1000}  # of each drawn dataset


@dataclass(frozen=True, slots=True)
class Study:
    """Arms to train, and the pairs whose difference says what a part brings.

    Attributes:
        name: of the study.
        config: the configuration of the arm `full`, relative to the project's folder.
        arms: what train.py is given besides, by the arm's name.
        pairs: (with the part, without it) names of arms.
        parts: pairs of the second step, one for each part of the full recipe.
    """

    name: str
    config: str
    arms: dict[str, Settings]
    pairs: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, str], ...] = ()


def _overlay(path: str) -> Settings:
    return ("--config", path)


def _without(*names: str) -> Settings:
    return tuple(word for name in names for word in (f"--data.recipe.{name}", "null"))


STEPS = {
    "full": (),
    "balance": _without("paste"),
    "augmented": _overlay("configs/ablate/no_balance.yaml"),
}
STEP_PAIRS = (
    ("full", "augmented"), ("full", "balance"), ("balance", "augmented"), ("full", "plain"), ("augmented", "plain"),
)  # fmt: skip
_PASTES = '{"floor": 60, "most": 5, "donor_most": 15, "first": "pastes"}'
_FACTORS = '{"floor": null, "threshold": 0.3, "power": 0.5, "most": 5}'
PARTS: dict[str, Settings] = {
    "pastes_first": ("--data.balance", _PASTES),
    "repeat_factors": ("--data.balance", _FACTORS),
    "no_geometry_colour": _without("flip", "affine", "colour"),
    "no_mosaic": _without("mosaic"),
    "multiplied": ("--data.recipe.affine.multiply", "1.5", "--data.recipe.colour.multiply", "1.5"),
    "no_decoys": ("--data.recipe.paste.decoy", "0"),
    "no_light": ("--data.recipe.paste.light", "0"),
    "rectangles": ("--data.classes", "{rectangles}"),
    "anywhere": ("--data.recipe.paste.placement", "anywhere"),
    "no_noise": _without("noise"),
    "hard_edges": ("--data.recipe.paste.blend", '{"hard": 1}'),
}
STUDIES = {
    "drawn": Study(
        "drawn",
        "benchmarks/proof/drawn.yaml",
        {**STEPS, "plain": _overlay("benchmarks/proof/drawn_plain.yaml"), **PARTS},
        STEP_PAIRS,
        tuple(("full", part) for part in PARTS),
    ),
    "road_signs": Study(
        "road_signs", "configs/road_signs.yaml", {**STEPS, "plain": _overlay("configs/plain.yaml")}, STEP_PAIRS
    ),
}


def drawn_data(out: Path, seed: int, images: Mapping[str, int] = MappingProxyType(IMAGES)) -> Path:
    """The folder of the drawn dataset of a seed, made where it is not there yet."""
    root = out / "data" / f"seed{seed}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with (out / f".seed{seed}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a second process waits rather than draw the same
        draw_dataset(root, images=dict(images), seed=seed)
    return root


def rectangles(out: Path, names: Sequence[str]) -> Path:
    """A class table that is the built-in one but for the outlines, which are all rectangles."""
    known = ClassTable.known(names)
    rows = {
        name: {"outline": "rectangle", "mirror": _mirror(known, c), "turn": float(known.turn[c])}
        for c, name in enumerate(known.names)
    }
    path = out / "rectangles.yaml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, yaml.safe_dump(rows, sort_keys=False).encode())
    return path


def _mirror(table: ClassTable, label: int) -> str:
    partner = int(table.mirror[label])
    return "never" if partner < 0 else "self" if partner == label else table.names[partner]
