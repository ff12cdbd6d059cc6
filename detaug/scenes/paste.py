"""Rare signs cut out and pasted into other scenes (Ghiasi et al., "Simple Copy-Paste", 2021), by boxes alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from detaug.errors import InputError
from detaug.scenes.decoy import background
from detaug.scenes.edge import edge, usual_edges
from detaug.scenes.laid import NO_LABEL, Cut, Laid, with_laid
from detaug.scenes.light import BRIGHTNESS, Gain, bounded
from detaug.scenes.operation import Operation
from detaug.scenes.placement import Hosts, Placed, Span, Wanted, placed
from detaug.scenes.scene import Blend, Scene
from detaug.scenes.shape import Shape, carried, reach, shaped
from detaug.scenes.stage import Stage
from detaug.scenes.window import KEEP_SIDE

_TIMES, _TURN, _SHEAR_X, _SHEAR_Y, _GAIN, _EDGE, _SOFT, _POLE, _CHANCES = range(9)

Chances = list[float]  # one random number for each of the names above


@dataclass(frozen=True, kw_only=True)
class Paste(Operation):
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
        Operation.__post_init__(self)
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

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene with up to `count` more signs, then decoys; those for which no place is free are left out."""
        cuts = [_donor(stage, donor) for donor in stage.donors.hand(scene.draw, self.count_range, rng)]
        if not cuts:
            return scene
        chances = rng.random((len(cuts), _CHANCES)).tolist()
        signs = [(c, chance) for c, chance in zip(cuts, chances, strict=True) if c.image not in stage.replaced]
        decoys = self._decoys(cuts, scene, stage)
        hosts = Hosts.of(scene, stage, self.overlap)
        laid, taken = self._laid(signs, hosts, [], scene, stage, stage.search(scene.draw, "paste"))
        more, _ = self._laid(decoys, hosts, taken, scene, stage, stage.search(scene.draw, "paste/decoy"))
        return with_laid(scene, laid + more)

    def _decoys(self, cuts: Sequence[Cut], scene: Scene, stage: Stage) -> list[tuple[Cut, Chances]]:
        """Backgrounds of the shapes and sizes of these signs, from random numbers of their own."""
        if self.decoy == 0:
            return []
        rng = stage.streams.of(scene.draw.epoch, scene.draw.slot, "paste/decoy")
        search = stage.search(scene.draw, "paste/background")
        found = []
        for like in cuts:
            wanted, *chance = rng.random(1 + _CHANCES).tolist()
            cut = background(stage, like, search) if wanted < self.decoy else None
            if cut is not None:
                found.append((cut, chance))
        return found

    def _laid(
        self,
        patches: Sequence[tuple[Cut, Chances]],
        hosts: Hosts,
        taken: list[Span],
        scene: Scene,
        stage: Stage,
        search: np.random.Generator,
    ) -> tuple[list[Laid], list[Span]]:
        """Those patches, all signs or all decoys, that found a place, and what is then taken."""
        if not patches:
            return [], taken
        shapes = [self._shape(cut, chance, stage) for cut, chance in patches]
        half = np.array([((c.box[2] - c.box[0]) / 2, (c.box[3] - c.box[1]) / 2) for c, _ in patches])
        low, high = self.scale_range
        sign = patches[0][0].label != NO_LABEL
        wanted = Wanted(
            half=half,
            reach=np.array([reach(shape, *own) for shape, own in zip(shapes, half.tolist(), strict=True)]),
            times=np.array([low * (high / low) ** chance[_TIMES] for _, chance in patches]),
            least=np.maximum(self.shrink, KEEP_SIDE / (2 * half.min(1))),
            most=self.enlarge,
            overlap=self.overlap if sign else 0.0,
            margin=0.0 if sign else 0.1,
            leave=self.leave,
            pole=np.array([chance[_POLE] < self.pole for _, chance in patches]),
        )
        laid = []
        for (cut, chance), shape, place in zip(
            patches, shapes, placed(wanted, hosts, stage.places, taken, search), strict=True
        ):
            if place is not None:
                taken = [*taken, place.box]
                laid.append(self._lay(cut, chance, shape, place, hosts, scene, stage))
        return laid, taken

    def _shape(self, cut: Cut, chance: Chances, stage: Stage) -> Shape:
        """Its own turn, within its class's limit, and shear."""
        limit = float(stage.catalog.classes.turn[cut.label]) if cut.label != NO_LABEL else 180.0
        return shaped(
            bounded(_between(self.turn_range, chance[_TURN]), -limit, limit),
            _between(self.shear_range, chance[_SHEAR_X]),
            _between(self.shear_range, chance[_SHEAR_Y]),
        )

    def _lay(
        self, cut: Cut, chance: Chances, shape: Shape, place: Placed, hosts: Hosts, scene: Scene, stage: Stage
    ) -> Laid:
        """The patch in its place, with its edge and light."""
        x1, y1, x2, y2 = cut.box
        side = min(x2 - x1, y2 - y1) * place.ratio * float(hosts.scale[place.host])
        blend, soft = edge(self.blend, chance[_EDGE], chance[_SOFT], self.feather_range, self.sigma_range, side)
        return Laid(
            cut=cut,
            host=int(hosts.layer[place.host]),
            matrix=carried(hosts.matrix[place.host], place, shape, ((x1 + x2) / 2, (y1 + y2) / 2)),
            gain=self._gain(cut, _between(self.gain_range, chance[_GAIN]), place, hosts, scene, stage),
            blend=blend,
            soft=soft,
        )

    def _gain(self, cut: Cut, own: float, place: Placed, hosts: Hosts, scene: Scene, stage: Stage) -> Gain:
        """The factor on each channel: the host's light, times the patch's own brightness."""
        red = green = blue = 1.0
        if stage.light is not None and self.light > 0:
            high, wide = stage.catalog.sizes[cut.image].tolist()
            across, down = hosts.sides[place.host].tolist()
            x1, y1, x2, y2 = cut.box
            a, b = place.ratio * (x2 - x1) / 2, place.ratio * (y2 - y1) / 2
            red, green, blue = stage.light.gain(
                cut.image,
                (x1 / wide, y1 / high, x2 / wide, y2 / high),
                int(scene.image[hosts.layer[place.host]]),
                ((place.x - a) / across, (place.y - b) / down, (place.x + a) / across, (place.y + b) / down),
                self.light,
            )
            if cut.origin >= 0:
                own = min(own, float(stage.light.most[cut.origin]) / green)
        bright = bounded(green * own, *BRIGHTNESS)
        return bright * red / green, bright, bright * blue / green


def _donor(stage: Stage, donor: int) -> Cut:
    """What is cut out for a donor; it is whole, so its mask is its class's."""
    row = int(stage.donors.box[donor])
    label = int(stage.catalog.labels[row])
    x1, y1, x2, y2 = stage.catalog.boxes[row].tolist()
    return Cut(int(stage.donors.image[donor]), (x1, y1, x2, y2), int(stage.catalog.classes.outline[label]), label, row)


def _between(span: tuple[float, float], chance: float) -> float:
    return span[0] + (span[1] - span[0]) * chance
