"""Rare signs cut out and pasted into other scenes (Ghiasi et al., "Simple Copy-Paste", 2021), by boxes alone."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.outline import Array
from detaug.scenes.block import Block
from detaug.scenes.decoy import NUMBERS as BACKGROUND
from detaug.scenes.decoy import backgrounds
from detaug.scenes.edge import edges, usual_edges
from detaug.scenes.hosts import Hosts
from detaug.scenes.light import BRIGHTNESS
from detaug.scenes.operation import BlockOperation, between
from detaug.scenes.patches import NO_LABEL, Laid, Patches, both, carried, reaches, shaped, with_laid
from detaug.scenes.placement import NUMBERS, Placed, Wanted, placed
from detaug.scenes.scene import Blend
from detaug.scenes.stage import Stage
from detaug.scenes.window import KEEP_SIDE

_TIMES, _TURN, _SHEAR_X, _SHEAR_Y, _GAIN, _EDGE, _SOFT, _POLE, _CHANCES = range(9)


@dataclass(frozen=True, kw_only=True)
class Paste(BlockOperation):
    """Paste signs of rare classes, cut out along their outline, where signs stand and as large as they are there.

    Attributes:
        count_range: how many are tried, a whole number from low to high.
        scale_range: factor on the size that the training boxes have at that place.
        placement: `learned`, where boxes of any class stand in training; `anywhere` in the picture.
        enlarge: a donor is never pasted larger than this many times its own pixels.
        shrink: nor smaller than this share of them.
        turn_range: degrees that it is turned by itself, within its class's limit.
        shear_range: degrees, drawn for each axis.
        gain_range: brightness of its own, beside the host's light.
        light: how far its light follows the host's, 0 to 1; 0 leaves it as it is.
        blend: weights of the edges `hard`, `feather`, `gaussian` and `poisson`.
        feather_range: width of the ramp in canvas pixels.
        sigma_range: of the Gaussian edge, in canvas pixels.
        overlap: share of an object that pastes may cover, and of a paste that may lie over an object.
        leave: share of its width or height that may lie outside the canvas.
        pole: probability that a place directly above or below a sign is tried first.
        decoy: probability that a paste is accompanied by a patch without a sign and without a label.
    """

    mixes: ClassVar[bool] = True

    p: float = 0.5
    count_range: tuple[int, int] = (1, 2)
    scale_range: tuple[float, float] = (0.8, 1.25)
    placement: Literal["learned", "anywhere"] = "learned"
    enlarge: float = 1.5
    shrink: float = 0.1
    turn_range: tuple[float, float] = (-4.0, 4.0)
    shear_range: tuple[float, float] = (-3.0, 3.0)
    gain_range: tuple[float, float] = (0.9, 1.1)
    light: float = 0.6
    blend: dict[str, float] = field(default_factory=usual_edges)
    feather_range: tuple[float, float] = (1.0, 3.0)
    sigma_range: tuple[float, float] = (0.5, 1.2)
    overlap: float = 0.05
    leave: float = 0.1
    pole: float = 0.1
    decoy: float = 0.25

    def __post_init__(self) -> None:
        BlockOperation.__post_init__(self)
        for name, weight in self.blend.items():
            if name.upper() not in Blend.__members__:
                known = ", ".join(b.name.lower() for b in Blend)
                raise InputError(f"paste.blend names {name!r}; known are {known}.")
            if not weight >= 0:
                raise InputError(f"paste.blend.{name} is a weight of at least 0, not {weight}.")
        if not sum(self.blend.values()) > 0:
            raise InputError(f"paste.blend gives no edge a weight above 0: {self.blend}.")
        if self.placement not in ("learned", "anywhere"):
            raise InputError(f"paste.placement is learned or anywhere, not {self.placement!r}.")
        for key in ("light", "overlap", "leave", "pole", "decoy"):
            if not 0 <= getattr(self, key) <= 1:
                raise InputError(f"paste.{key} lies between 0 and 1, not {getattr(self, key)}.")
        if not 0 < self.shrink <= self.enlarge:
            raise InputError(f"paste.shrink is above 0 and at most paste.enlarge ({self.enlarge}), not {self.shrink}.")

    def numbers(self, block: Block, stage: Stage) -> int:  # noqa: ARG002
        """How many signs, then for each which one and how it is laid."""
        return stage.donors.numbers(self.count_range) + _CHANCES * stage.donors.most(self.count_range)

    def plan(self, block: Block, stage: Stage, on: NDArray[np.bool_], chance: Array) -> Block:
        """The scenes with up to `count` more signs, then decoys; those for which no place is free are left out."""
        signs = self._signs(block, stage, np.flatnonzero(on), chance)
        if len(signs) == 0:
            return block
        decoys = self._decoys(signs, block, stage) if self.decoy > 0 else signs.take(np.empty(0, np.int64))
        if stage.replaced:
            signs = signs.take(np.array([row not in stage.replaced for row in signs.image.tolist()], bool))
        hosts = Hosts.of(block, stage, self.overlap)
        signs, lie, taken = self._laid(signs, hosts, (), block, stage)
        if len(decoys) == 0:
            return with_laid(block, signs, lie)
        decoys, lie_too, _ = self._laid(decoys, hosts, taken, block, stage)
        return with_laid(block, both(signs, decoys), both(lie, lie_too))

    def _signs(self, block: Block, stage: Stage, scenes: NDArray[np.int64], chance: Array) -> Patches:
        """The donors of some scenes; a donor is whole, so its mask is its class's."""
        catalog, donors = stage.catalog, stage.donors
        first = donors.numbers(self.count_range)
        owner, rank, found = donors.hands([block.draws[s] for s in scenes], self.count_range, chance[scenes, :first])
        box = donors.box[found]
        label = catalog.labels[box].astype(np.int64)
        return Patches(
            scene=scenes[owner],
            image=donors.image[found],
            box=catalog.boxes[box].astype(np.float64),
            outline=catalog.classes.outline[label].astype(np.uint8),
            label=label,
            origin=box,
            chance=chance[scenes, first:].reshape(len(scenes), donors.most(self.count_range), _CHANCES)[owner, rank],
        )

    def _decoys(self, signs: Patches, block: Block, stage: Stage) -> Patches:
        """Backgrounds of the shapes and sizes of these signs, from random numbers of their own."""
        chance = stage.chances(block.draws, signs.scene, "paste/decoy", 1 + _CHANCES)
        wanted = np.flatnonzero(chance[:, 0] < self.decoy)
        like = replace(signs.take(wanted), chance=chance[wanted, 1:])
        return backgrounds(stage, like, stage.chances(block.draws, like.scene, "paste/background", BACKGROUND))

    def _laid(
        self, patches: Patches, hosts: Hosts, taken: tuple[Array, ...], block: Block, stage: Stage
    ) -> tuple[Patches, Laid, tuple[Array, ...]]:
        """Those patches, all signs or all decoys, that found a place, how they lie, and what is then taken."""
        signs = bool((patches.label != NO_LABEL).any())
        low, high = self.scale_range
        chance, half = patches.chance, patches.half
        shape = self._shapes(patches, stage)
        wanted = Wanted(
            scene=patches.scene,
            half=half,
            reach=reaches(shape, half),
            times=np.array([low * (high / low) ** c for c in chance[:, _TIMES].tolist()]),
            least=np.maximum(self.shrink, KEEP_SIDE / (2 * half.min(1, initial=np.inf))),
            pole=chance[:, _POLE] < self.pole,
            most=self.enlarge,
            overlap=self.overlap if signs else 0.0,
            margin=0.0 if signs else 0.1,
            leave=self.leave,
        )
        name = "paste/place" if signs else "paste/decoy/place"
        place = placed(wanted, hosts, stage.places, taken, stage.chances(block.draws, patches.scene, name, NUMBERS))
        patches, shape = patches.take(place.rows), shape[place.rows]
        return patches, self._lie(patches, shape, place, hosts, block, stage), place.taken

    def _shapes(self, patches: Patches, stage: Stage) -> Array:
        """(R, 2, 2) each patch's own turn, within its class's limit, and shear."""
        chance, classes = patches.chance, stage.catalog.classes
        limit = np.where(patches.label == NO_LABEL, 180.0, classes.turn[patches.label])
        turn = between(self.turn_range, chance[:, _TURN])
        return shaped(np.clip(turn, -limit, limit), between(self.shear_range, chance[:, [_SHEAR_X, _SHEAR_Y]]))

    def _lie(self, patches: Patches, shape: Array, place: Placed, hosts: Hosts, block: Block, stage: Stage) -> Laid:
        """The patches in their places, with their edges and light."""
        middle = (patches.box[:, :2] + patches.box[:, 2:]) / 2
        side = 2 * patches.half.min(1, initial=np.inf) * place.ratio * hosts.scale[place.host]
        chance = patches.chance
        blend, soft = edges(self.blend, chance[:, [_EDGE, _SOFT]], self.feather_range, self.sigma_range, side)
        return Laid(
            host=hosts.layer[place.host],
            matrix=carried(hosts.matrix[place.host], place.centre, place.ratio, shape, middle),
            gain=self._gains(patches, place, hosts, block, stage),
            blend=blend,
            soft=soft,
        )

    def _gains(self, patches: Patches, place: Placed, hosts: Hosts, block: Block, stage: Stage) -> Array:
        """(R, 3) the factor on each channel: the host's light, times the patch's own brightness."""
        own, gain = between(self.gain_range, patches.chance[:, _GAIN]), np.ones((len(patches), 3))
        if stage.light is not None and self.light > 0:
            wide = np.tile(stage.catalog.sizes[patches.image][:, ::-1], 2)
            half = place.ratio[:, None] * patches.half
            there = np.concatenate([place.centre - half, place.centre + half], 1) / np.tile(hosts.sides[place.host], 2)
            host = block.image[hosts.layer[place.host]]
            gain = stage.light.gains(patches.image, patches.box / wide, host, there, self.light)
            most = np.where(patches.origin < 0, np.inf, stage.light.most[patches.origin])
            own = np.minimum(own, most / gain[:, 1])
        bright = np.clip(gain[:, 1] * own, *BRIGHTNESS)
        return bright[:, None] * gain / gain[:, 1:2]
