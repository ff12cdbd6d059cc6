"""A sheet of augmented samples with their boxes, to look at before anything is trained."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.batches.augmenter import Augmenter, Made
from detaug.draws.balance import Balance
from detaug.draws.neighbours import BLOCK
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.colours import Colours
from detaug.reports.marks import Origin, Picture
from detaug.reports.sheet import contact_sheet, default_columns
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Role
from detaug.writing import write_whole

ENDINGS = (".png", ".jpg", ".jpeg")


def origins_of(made: Made) -> NDArray[np.int64]:
    """(N,) `Origin` of each box of a sample, read from its scene."""
    scene = made.scene
    layer = scene.layer[made.visible.objects]
    found = np.where(scene.image[layer] == scene.draw.item, Origin.OWN, Origin.MOSAIC)
    found = np.where(scene.group[layer] > 0, Origin.MIXUP, found)
    return np.where(scene.role[layer] == Role.PASTE, Origin.PASTE, found).astype(np.int64)


def preview(
    catalog: Catalog,
    recipe: Recipe,
    size: int | tuple[int, int] = 640,
    *,
    count: int = 24,
    seed: int = 0,
    epoch: int = 0,
    balance: Balance | None = None,
    rare: Sequence[str] | None = None,
    plain: bool = False,
    columns: int | None = None,
    side: int = 480,
    title: str = "",
    watched: Callable[[Sequence[int]], Iterable[int]] = iter,
    colours: Colours | None = None,
    partners: str = "any",
    block: int = BLOCK,
) -> Picture:
    """A sheet of the first samples of an epoch, the very ones that training would see.

    Args:
        catalog: the training images.
        recipe: what is done to them.
        size: canvas side, or height and width, in pixels.
        count: how many; where an epoch is shorter the next ones follow.
        seed: of everything random.
        epoch: the epoch to look at.
        balance: how much more often images of rare classes are shown.
        rare: names of the classes to paste.
        plain: before each sample stands the image it was made from.
        columns: samples in a row; None is about half as many again as there are rows.
        side: longest side of a sample on the sheet, pixels.
        title: a line at the top.
        watched: what the slots are counted through, such as a progress bar.
        colours: light and sharpness, as for `Augmenter`.
        partners: `any` or `block`, as for `Augmenter`.
        block: slots in a block.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: the catalog is empty, a name in `rare` is no class, or no image can be decoded.
    """
    augmenter = Augmenter(
        catalog, recipe, size, seed, balance=balance, rare=rare, cache_bytes=1 << 30, colours=colours,
        partners=partners, block=block,
    )  # fmt: skip
    original = Augmenter(catalog, Recipe(min_visible=0, min_side=0), size, seed, balance=balance)
    made: list[Made] = []
    captions: list[str] = []
    for i in watched(range(count)):
        draw = augmenter.draw(epoch + i // len(augmenter), i % len(augmenter))
        name = catalog.name(draw.item)
        if plain:
            made.append(original.make(draw))
            captions.append(name)
        made.append(augmenter.make(draw))
        captions.append(f"epoch {draw.epoch}, slot {draw.slot}" if plain else f"{draw.slot}: {name}")
    if plain and columns is None:
        columns = 2 * math.ceil(default_columns(len(made)) / 2)
    return contact_sheet(
        [m.sample for m in made],
        catalog.classes.names,
        columns,
        side=side,
        origins=[origins_of(m) for m in made],
        captions=captions,
        title=title,
    )


def writable(path: Path, force: bool = False) -> None:
    """Refuse a place that a sheet cannot be written to.

    Raises:
        InputError: its ending names no image format, or something is there and `force` is not set.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: a sheet ends in {', '.join(ENDINGS)}, not in {path.suffix!r}.")
    if path.is_dir():
        raise InputError(f"{path}: this is a folder.")
    if path.exists() and not force:
        raise InputError(f"{path}: this file exists already; --force replaces it.")


def write_sheet(path: Path, sheet: Picture, force: bool = False) -> None:
    """Write a sheet, whole or not at all, as PNG or JPEG by its ending.

    Raises:
        InputError: as for `writable`, the sheet is too large for the format, or the disk refuses it.
    """
    writable(path, force)
    jpeg = path.suffix.lower() != ".png"
    if jpeg and max(sheet.shape) > 65500:
        raise InputError(f"{path}: a JPEG has at most 65500 pixels a side, not {max(sheet.shape)}; take .png.")
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90] if jpeg else []
    _, data = cv2.imencode(path.suffix.lower(), np.ascontiguousarray(sheet[..., ::-1]), quality)
    try:
        write_whole(path, data.tobytes())
    except OSError as error:
        raise InputError(f"{path}: the sheet cannot be written ({error.strerror}).") from error
