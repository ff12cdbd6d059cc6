"""The scene: a small description of the picture that will be made. No pixels here.

Points are (x, y) in edge coordinates: the centre of the first pixel lies at (0.5, 0.5).
"""

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Draw
from detaug.outline import Outline, hulls
from detaug.readers.catalog import Catalog

Array = NDArray[np.float64]
GREY = (114, 114, 114)
_CHUNK = 1 << 18  # boxes looked at together


class Role(IntEnum):
    """What a layer is there for."""

    TILE = 0
    PASTE = 1
    DECOY = 2


class Blend(IntEnum):
    """How a pasted layer's edge passes into what lies beneath."""

    HARD = 0
    FEATHER = 1
    GAUSSIAN = 2
    POISSON = 3


_TILE = int(Role.TILE)


@dataclass(frozen=True, slots=True)
class Noise:
    """Where in the pool of Gaussian noise the picture's field begins, and how strong it is.

    Attributes:
        sigma: standard deviation in grey levels of 0 to 255.
        y: first row in the pool, as a share of the rows that are free to begin at.
        x: first column, likewise.
        negative: the field is taken with its sign turned; as good as another field, and free.
        keep: factor on the picture's distance to mid grey (127.5) before the noise is added; 1 leaves it.
    """

    sigma: float
    y: float
    x: float
    negative: bool
    keep: float = 1.0


@dataclass(frozen=True, slots=True)
class Effect:
    """An image-only transform that is run after joining.

    Attributes:
        name: its name in `detaug.render.effects`.
        seed: what its random numbers are made from.
    """

    name: str
    seed: int


class Layers:
    """What one scene and a block of scenes can do alike with their flat arrays of layers and objects."""

    __slots__ = ()

    matrix: Array
    box: Array
    layer: NDArray[np.int64]
    shape: NDArray[np.uint8]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def changed(self, **values: Any) -> Self:
        """The same with some fields changed: `dataclasses.replace` in a third of the time.

        Raises:
            TypeError: a name is no field.
        """
        names = self.__dataclass_fields__
        if not values.keys() <= names.keys():
            kind = type(self).__name__.lower()
            raise TypeError(f"a {kind} has no field {sorted(values.keys() - names.keys())[0]!r}")
        made = object.__new__(type(self))
        for name in names:
            object.__setattr__(made, name, values[name] if name in values else getattr(self, name))
        return made

    def hulls(self) -> Array:
        """(N, 4) tight canvas boxes of the whole objects, nothing cut."""
        return hulls(self.shape, self.box, self.matrix[self.layer])


@dataclass(frozen=True, slots=True, eq=False)
class Scene(Layers):
    """L layers in painter's order with N objects on a canvas; struct of arrays.

    Attributes:
        size: canvas height and width in pixels.
        draw: the place in the epoch that it was planned for.
        image: (L,) int64, catalog row the layer shows.
        region: (L, 4) float64, the source pixels it may show, x1 y1 x2 y2.
        matrix: (L, 3, 3) float64, source pixels to canvas pixels.
        role: (L,) uint8 `Role`.
        outline: (L,) uint8 `Outline` of the layer's own mask, inscribed in its region.
        under: (L, 4) bool, whether the left, top, right, bottom side lies beneath a later layer; sides in source space.
        free: (L, 4) bool, whether that side may be moved outwards to show more of the image.
        group: (L,) uint8, index into `opacity`.
        host: (L,) int64, the layer a paste was placed in; a tile names itself.
        gain: (L, 3) float32, factor on the layer's red, green and blue before it is joined.
        blend: (L,) uint8 `Blend` of a pasted layer's edge.
        soft: (L,) float32, canvas pixels: the ramp's width, or the Gaussian's sigma.
        opacity: one share per group; the first group is the ground and has 1.
        box: (N, 4) float64, the whole object in SOURCE pixels of its layer.
        layer: (N,) int64.
        label: (N,) int64, after mirroring.
        shape: (N,) uint8 `Outline`.
        origin: (N,) int64, the box's row in the catalog.
        erased: (E, 4) float64, canvas boxes that are painted over in the colour round them.
        erased_group: (E,) uint8, the opacity group of each.
        colour: (3, 4) float64 on RGB in 0 to 255, or None.
        curve: (256,) uint8 tone curve after `colour`, or None.
        noise: the noise field, or None.
        effects: image-only transforms, in order.
        fill: RGB where no layer is.
    """

    size: tuple[int, int]
    draw: Draw
    image: NDArray[np.int64]
    region: Array
    matrix: Array
    role: NDArray[np.uint8]
    outline: NDArray[np.uint8]
    under: NDArray[np.bool_]
    free: NDArray[np.bool_]
    group: NDArray[np.uint8]
    host: NDArray[np.int64]
    gain: NDArray[np.float32]
    blend: NDArray[np.uint8]
    soft: NDArray[np.float32]
    opacity: tuple[float, ...]
    box: Array
    layer: NDArray[np.int64]
    label: NDArray[np.int64]
    shape: NDArray[np.uint8]
    origin: NDArray[np.int64]
    erased: Array = field(default_factory=lambda: np.zeros((0, 4)))
    erased_group: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    colour: Array | None = None
    curve: NDArray[np.uint8] | None = None
    noise: Noise | None = None
    effects: tuple[Effect, ...] = ()
    fill: tuple[int, int, int] = GREY

    def moved(self, matrix: Array) -> "Scene":
        """The scene with everything carried by a canvas matrix (3, 3)."""
        return self.changed(matrix=matrix @ self.matrix)

    def tiles(self) -> NDArray[np.int64]:
        """Indices of the layers that are tiles."""
        return np.flatnonzero(self.role == _TILE)


PER_LAYER = ("image", "region", "matrix", "role", "outline", "under", "free", "group", "host", "gain", "blend", "soft")
PER_OBJECT = ("box", "layer", "label", "shape", "origin")


def fit_matrix(height: int, width: int, size: tuple[int, int]) -> Array:
    """The matrix that fits a whole image into the canvas, centred, at one scale for both axes.

    >>> fit_matrix(400, 300, (320, 320)).tolist()
    [[0.8, 0.0, 40.0], [0.0, 0.8, 0.0], [0.0, 0.0, 1.0]]
    """
    scale = min(size[0] / height, size[1] / width)
    return np.array([[scale, 0, (size[1] - scale * width) / 2], [0, scale, (size[0] - scale * height) / 2], [0, 0, 1]])


def seen_outlines(catalog: Catalog) -> NDArray[np.uint8]:
    """(N,) the outline of each box: its class's, or a rectangle.

    What is seen of an object that the picture's border cuts is not its whole outline, so its box is all we know.
    """
    outlines = np.zeros(len(catalog.boxes), np.uint8)
    for start in range(0, len(outlines), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(outlines)))
        outlines[rows] = cut_outlines(catalog, rows, np.searchsorted(catalog.starts, rows, side="right") - 1)
    return outlines


def cut_outlines(catalog: Catalog, boxes: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(K,) the outlines of K boxes of the catalog, whose images' rows are given."""
    edge = np.pad(catalog.sizes[images][:, ::-1].astype(np.float32), ((0, 0), (2, 0)))
    cut = (np.abs(catalog.boxes[boxes] - edge) < 0.5).any(1)
    return np.where(cut, np.uint8(Outline.RECTANGLE), catalog.classes.outline[catalog.labels[boxes]])


def same(one: Scene, other: Scene) -> bool:
    """Whether two scenes describe the same picture, bit for bit."""
    for f in fields(Scene):
        a, b = getattr(one, f.name), getattr(other, f.name)
        equal = np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a is b or a == b
        if not equal:
            return False
    return True
