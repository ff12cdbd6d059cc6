"""A recipe: which operations, in which order, how strong."""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from detaug.draws.draw import Draw
from detaug.draws.places import Places
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.colours import Colours, colours_of
from detaug.scenes.affine import Affine
from detaug.scenes.colour import Colour
from detaug.scenes.crop import Crop
from detaug.scenes.effects import Effects
from detaug.scenes.finish import Visible, finished, without_remnants
from detaug.scenes.flip import Flip
from detaug.scenes.mixup import Mixup
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.operation import BlockOperation, Operation
from detaug.scenes.paste import Paste
from detaug.scenes.scene import Scene
from detaug.scenes.stage import Stage

BLOCK = 32  # scenes that are planned together
Planned = tuple[Scene, Visible]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One named field per operation, applied in this order; None switches one off.

    The field's name keys its random numbers, so switching one off leaves the others' as they were.

    Attributes:
        mosaic: four images in one.
        crop: a window into a single image.
        mixup: a second image shining through.
        paste: rare signs cut out and pasted.
        flip: mirroring by the class table.
        affine: turn, scale, shear, shift.
        colour: light and colour.
        noise: Gaussian noise.
        effects: image-only transforms after joining.
        extra: own operations by name, applied last.
        min_visible: an object of which a smaller share is left loses its box.
        min_side: a box with a shorter side, in canvas pixels, goes.
        remnants: what is left of an object whose box goes: `leave` it, or `erase` it with the colour round it.
    """

    mosaic: Mosaic | None = None
    crop: Crop | None = None
    mixup: Mixup | None = None
    paste: Paste | None = None
    flip: Flip | None = None
    affine: Affine | None = None
    colour: Colour | None = None
    noise: GaussianNoise | None = None
    effects: Effects | None = None
    extra: dict[str, Operation] = field(default_factory=dict)
    min_visible: float = 0.3
    min_side: float = 3.0
    remnants: Literal["leave", "erase"] = "leave"

    def __post_init__(self) -> None:
        if self.remnants not in ("leave", "erase"):
            raise InputError(f"recipe.remnants is leave or erase, not {self.remnants!r}.")

    def operations(self) -> dict[str, Operation]:
        """The operations that are on, by name, in order."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {n: op for n, op in own.items() if isinstance(op, Operation)} | self.extra

    def plan(self, draw: Draw, stage: Stage) -> Scene:
        """The scene of one draw: a pure function of the draw and the stage."""
        return next(self.plans((draw,), stage))

    def plans(self, draws: Iterable[Draw], stage: Stage) -> Iterator[Scene]:
        """The scenes of several draws, bit for bit those that each would have alone, at a quarter of the cost."""
        coming = iter(draws)
        while some := tuple(islice(coming, BLOCK)):
            yield from self._plans(some, stage)

    def planned(self, draws: Iterable[Draw], stage: Stage) -> Iterator[Planned]:
        """The scenes of several draws, each with what is seen of its objects."""
        scenes = self.plans(draws, stage)
        while some := list(islice(scenes, BLOCK)):
            yield from zip(some, finished(some, self.min_visible, self.min_side), strict=True)

    def _plans(self, draws: tuple[Draw, ...], stage: Stage) -> list[Scene]:
        every = np.arange(len(draws))
        mixing = np.array([draw.mixing for draw in draws], bool)
        block = stage.bases(np.array([draw.item for draw in draws], np.int64), every, draws)
        left = list(self.operations().items())
        while left and isinstance(operation := left[0][1], BlockOperation):
            name = left.pop(0)[0]
            chance = stage.chances(draws, every, name, 1 + operation.numbers(block, stage))
            on = operation.picks(chance[:, 0]) & (mixing | (not operation.mixes))
            block = operation.plan(block, stage, on, chance[:, 1:])
        scenes = [_after(left, scene, stage) for scene in block.scenes()] if left else block.scenes()
        if self.remnants == "leave":
            return scenes
        return [without_remnants(scene, self.min_visible, self.min_side) for scene in scenes]

    def places(self, catalog: Catalog) -> Places:
        """Where pastes may stand, as `paste.placement` says."""
        return Places.of(catalog, learned=self.paste is None or self.paste.placement == "learned")

    def colours(
        self, catalog: Catalog, watched: Callable[[Iterable[object]], Iterable[object]] = iter
    ) -> Colours | None:
        """What planning must know of the pixels: light and sharpness, for pastes alone; see `colours_of`."""
        return None if self.paste is None or self.paste.p == 0 else colours_of(catalog, watched)

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Recipe":
        """Read a recipe file: a mapping from operation to its settings, or null.

        Raises:
            InputError: the file cannot be read, or names an operation or setting that does not exist.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: the recipe cannot be read ({error.strerror}).") from error
        return cls._parse(text, str(path))

    @classmethod
    def builtin(cls, name: str) -> "Recipe":
        """A recipe that comes with the package: `signs`, `signs_light` or `plain`."""
        file = resources.files("detaug") / "recipes" / f"{name}.yaml"
        if not file.is_file():
            known = sorted(f.name[:-5] for f in (resources.files("detaug") / "recipes").iterdir())
            raise InputError(f"There is no built-in recipe {name!r}; there are {', '.join(known)}.")
        return cls._parse(file.read_text(encoding="utf-8"), f"recipes/{name}.yaml")

    @classmethod
    def _parse(cls, text: str, source: str) -> "Recipe":
        try:
            settings = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"{source}: the recipe is not valid YAML.") from error
        if not isinstance(settings, dict):
            raise InputError(f"{source}: a recipe maps operations to their settings, this is {settings!r}.")
        return typing.cast("Recipe", built(cls, settings, source, ""))


def _after(operations: Sequence[tuple[str, Operation]], scene: Scene, stage: Stage) -> Scene:
    """The scene after the operations of a user, which see one scene at a time, and all that follow them."""
    draw = scene.draw
    for name, operation in operations:
        if not operation.mixes or draw.mixing:
            rng = stage.streams.of(draw.epoch, draw.slot, name)
            if operation.happens(rng):
                scene = operation.apply(scene, stage, rng)
    return scene


def built(kind: type, settings: dict[str, Any], source: str, where: str) -> Any:
    """A dataclass from nested settings; every key must be one of its fields."""
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in hints or key == "extra":
            raise InputError(f"{source}: {where}{key} is not a setting of {kind.__name__}; there are {_known(hints)}.")
        values[key] = _value(hints[key], value, source, f"{where}{key}")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _known(hints: dict[str, Any]) -> str:
    return ", ".join(k for k in hints if k not in ("extra", "mixes"))


def _value(hint: Any, value: Any, source: str, where: str) -> Any:
    """A setting brought to the type of its field."""
    if type(None) in typing.get_args(hint):
        if value is None:
            return None
        hint = next(h for h in typing.get_args(hint) if h is not type(None))
    if typing.get_origin(hint) is typing.Literal and value in typing.get_args(hint):
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise InputError(f"{source}: {where} takes settings by name or null, not {value!r}.")
        return built(hint, value, source, f"{where}.")
    origin = typing.get_origin(hint) or hint
    if origin is tuple and isinstance(value, list) and all(_number(v) for v in value):
        return tuple(value)
    if origin in (float, int) and _number(value) and float(value) == origin(value):
        return origin(value)
    if origin is dict and isinstance(value, dict) and all(_number(v) for v in value.values()):
        return {str(k): float(v) for k, v in value.items()}
    raise InputError(f"{source}: {where} takes {hint}, not {value!r}.")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
