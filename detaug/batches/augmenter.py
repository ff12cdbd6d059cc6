"""The augmentations as a library: from a catalog and a recipe to samples, without torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detaug.draws.balance import Balance
from detaug.draws.draw import Draw
from detaug.draws.neighbours import BLOCK
from detaug.readers.catalog import Catalog
from detaug.readers.colours import Colours
from detaug.render.bank import Bank
from detaug.render.bank_builder import bank_of
from detaug.render.cpu import render
from detaug.render.pack import Pack
from detaug.render.source import BrokenImage, Source
from detaug.sample import Sample
from detaug.scenes.ahead import Ahead, BatchesAhead
from detaug.scenes.finish import Visible, finish
from detaug.scenes.ground import ground
from detaug.scenes.recipe import Planned, Recipe
from detaug.scenes.scene import Scene

_STAND_INS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A sample with how it came about.

    Attributes:
        sample: the picture and its boxes.
        scene: its plan.
        visible: which objects of the plan were kept.
        broken: rows of images that could not be decoded and were replaced.
    """

    sample: Sample
    scene: Scene
    visible: Visible
    broken: tuple[int, ...]


class Augmenter:
    """Augmented samples by (epoch, slot), each a pure function of catalog, recipe, seed and place.

    Args:
        catalog: the training images.
        recipe: what is done to them.
        size: canvas side, or height and width, in pixels.
        seed: of everything random.
        balance: how much more often images of rare classes are shown; None shows all equally often.
        rare: names of the classes to paste; None takes those with fewer than an eighth of the most frequent's boxes.
        length: samples in an epoch; None is the number of images.
        cache_bytes: bound on the decoded images kept in memory; None is unbounded.
        on_bad_image: `skip` replaces an image that cannot be decoded, the same on every rank; `error` raises.
        colours: what `detaug.readers.colours.colours_of` measured, so that pastes get their host's light; None leaves
            them as they are.
        partners: where partners of mosaic and mixup come from: `any` draws them from all images, `block` from a
            slot's own block, so that the samples of a block need about one decoding each.
        block: slots in a block. Its images are kept while its samples are made, beside what `cache_bytes` allows.
        pack: what `detaug pack` made of this dataset for this size, or its file; images that it lacks, or that changed
            since, are read from their files.
        bank: keep the pixels of donors in a file beside the dataset's index, made first where it is not there, so that
            no paste decodes its donor's whole image. Not with a pack, which has them.

    Raises:
        InputError: the catalog has no image, a name in `rare` is no class, `partners` or `block` is nonsense, or the
            pack cannot be used or is for another size.

    Example::

        augmenter = Augmenter(read("DIR").split("train"), Recipe.builtin("signs"), size=320)
        sample = augmenter[0, 17]  # epoch 0, slot 17; an image of (320, 320, 3)
    """

    def __init__(
        self,
        catalog: Catalog,
        recipe: Recipe,
        size: int | tuple[int, int] = 640,
        seed: int = 0,
        *,
        balance: Balance | None = None,
        rare: Sequence[str] | None = None,
        length: int | None = None,
        cache_bytes: int | None = None,
        on_bad_image: str = "skip",
        colours: Colours | None = None,
        partners: str = "any",
        block: int = BLOCK,
        pack: Pack | str | Path | None = None,
        bank: bool = False,
    ) -> None:
        planned = ground(
            catalog, recipe, size, seed, balance=balance, rare=rare, length=length, colours=colours,
            partners=partners, block=block,
        )  # fmt: skip
        self.catalog = catalog
        self.recipe = planned.recipe
        self.stage = planned.stage
        self.solution = planned.solution
        self.seed = seed
        self.on_bad_image = on_bad_image
        self.order = self.stage.order
        opened = pack if pack is None or isinstance(pack, Pack) else Pack(pack)
        kept = self._bank() if bank and opened is None else None
        self.source = Source(catalog, self.stage.size, cache_bytes, pack=opened, bank=kept)
        self._items: tuple[int, list[int]] = (-1, [])
        self._ahead = Ahead(self._planned, self._following)
        self._batches = BatchesAhead(self._planned, self._shifted)

    def _bank(self) -> Bank | None:
        """The pixels of the donors, where the recipe pastes any."""
        paste = self.recipe.paste
        return None if paste is None or paste.p == 0 else bank_of(self.catalog, self.stage.size, self.stage.donors.box)

    def __len__(self) -> int:
        return self.order.length

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        """The sample of an epoch's slot."""
        return self._made(self._ahead.planned(self.draw(*place))).sample

    def draw(self, epoch: int, slot: int, mixing: bool = True) -> Draw:
        """Which image stands in an epoch's slot."""
        if not 0 <= slot < len(self):
            raise IndexError(f"slot {slot} is outside an epoch of {len(self)}")
        if self._items[0] != epoch:
            self._items = epoch, self.order.items(epoch).tolist()
        return Draw(epoch, slot, self._items[1][slot], mixing)

    def scene(self, epoch: int, slot: int, mixing: bool = True) -> Scene:
        """The plan of an epoch's slot; no image is read."""
        return self._ahead.planned(self.draw(epoch, slot, mixing))[0]

    def _planned(self, draws: Iterable[Draw]) -> Iterator[Planned]:
        return self.recipe.planned(draws, self.stage)

    def _following(self, draw: Draw, count: int) -> list[Draw]:
        """The next draws of the epoch, at most so many."""
        slots = range(draw.slot + 1, min(draw.slot + 1 + count, len(self)))
        return [self.draw(draw.epoch, slot, draw.mixing) for slot in slots]

    def _shifted(self, draws: Sequence[Draw], by: int) -> list[Draw]:
        """The draws so many slots later in the epoch; none if one of them would be past its end."""
        inside = max(draw.slot for draw in draws) + by < len(self)
        return [self.draw(draw.epoch, draw.slot + by, draw.mixing) for draw in draws] if inside else []

    def make(self, draw: Draw) -> Made:
        """The sample of a draw, with its plan.

        Raises:
            InputError: an image cannot be decoded and `on_bad_image` is `error`, or its stand-ins cannot be either.
        """
        return next(self.makes([draw]))

    def makes(
        self, draws: Sequence[Draw], picture: Callable[[Scene, Source], NDArray[np.uint8]] = render
    ) -> Iterator[Made]:
        """The samples of several draws, one after the other; planned together, which costs less.

        Args:
            draws: their places.
            picture: what makes a scene's pixels; it raises `BrokenImage` for an image that cannot be decoded.

        Raises:
            InputError: as for `make`.
        """
        return (self._made(planned, picture) for planned in self._batches.planned(draws))

    def _made(self, planned: Planned, picture: Callable[[Scene, Source], NDArray[np.uint8]] = render) -> Made:
        scene, visible = planned
        draw, replaced = scene.draw, dict[int, int]()
        if (neighbours := self.stage.neighbours) is not None:
            self.source.hold(neighbours.rows(draw.epoch, draw.slot).tolist() if draw.mixing else ())
        while True:
            try:
                image = picture(scene, self.source)
                break
            except BrokenImage as error:
                if self.on_bad_image == "error":
                    raise
                replaced = self._with_stand_in(draw, replaced, error)
                scene = self.recipe.plan(draw, replace(self.stage, replaced=replaced))
                visible = finish(scene, self.recipe.min_visible, self.recipe.min_side)
        return Made(Sample(image, visible.boxes, visible.labels), scene, visible, tuple(replaced))

    def _with_stand_in(self, draw: Draw, replaced: dict[int, int], error: BrokenImage) -> dict[int, int]:
        """The replacements with one more: a function of the place, so the same on every rank and after resuming."""
        broken = {*replaced, error.row}
        if error.row in replaced or len(broken) > _STAND_INS or len(broken) >= len(self.catalog):
            raise error
        rng = self.stage.streams.of(draw.epoch, draw.slot, f"stand-in/{len(replaced)}")
        stand_in = int(self.stage.order.partners(rng.random(1))[0])
        while stand_in in broken:
            stand_in = (stand_in + 1) % len(self.catalog)
        return {row: stand_in if old == error.row else old for row, old in replaced.items()} | {error.row: stand_in}
