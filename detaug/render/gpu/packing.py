"""Scenes as a few flat tensors: what a worker sends, and what both GPU painters read.

Every number that does not depend on the pixel is worked out here, once for a layer, in double precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detaug.outline import UNIT_POLYGONS, Array, Outline, affine, inverses, products
from detaug.render.blend import margin
from detaug.render.gpu.limits import require_renderable
from detaug.render.noise import corner, faded
from detaug.render.picture import PAD
from detaug.scenes.levels import choose, levels
from detaug.scenes.scene import Blend, Role, Scene

LEVELS = 2  # an image has at most so many
TILE, POLYGON, ELLIPSE, SOFT_POLYGON, SOFT_ELLIPSE = range(5)  # kinds of layers; soft is a Gaussian edge
_FIXED_POINT = 1024  # OpenCV rounds a colour matrix for bytes to this


@dataclass(frozen=True, slots=True, eq=False)
class PackedScenes:
    """B scenes with G opacity groups, L layers and E erased boxes together, in painter's order.

    Attributes:
        size: canvas height and width.
        way: (L, 6) float32, a b c d e f: a canvas point (x, y) lies at a x + b y + c, d x + e y + f in a grid whose
            cells are `step` x `step` pixels of the level and begin at its region.
        gain: (L, 3) float32 factor on red, green and blue.
        edge: (L, 27) float32 of a patch: how steep its edge is; its centre on the canvas; then eight sides (normal x,
            normal y, offset), or the way from the canvas to the unit circle (4) for an ellipse.
        codes: (L, 11) int32: picture (row * LEVELS + level); kind; region left, top, right, bottom in pixels of the
            padded level; step; canvas window x1, y1, x2, y2 outside which the layer has no pixel.
        layers: (G + 1,) int32, where the layers of each group begin.
        erasures: (G + 1,) int32, where its erased boxes begin.
        opacity: (G,) float32; 1 for the first group of a scene.
        groups: (B + 1,) int32, where the groups of each scene begin.
        erased: (E, 4) int32, x1 y1 x2 y2 of whole canvas pixels.
        colour: (B, 15) float32: the colour matrix row by row, then the ground's red, green and blue.
        curves: (B, 256) uint8, tone curve and fading before the noise in one.
        sigma: (B,) float32 grey levels of noise, negative where the field's sign is turned.
        field: (B, 2) int32 first row and column in the noise pool.
    """

    size: tuple[int, int]
    way: Tensor
    gain: Tensor
    edge: Tensor
    codes: Tensor
    layers: Tensor
    erasures: Tensor
    opacity: Tensor
    groups: Tensor
    erased: Tensor
    colour: Tensor
    curves: Tensor
    sigma: Tensor
    field: Tensor

    def __len__(self) -> int:
        return len(self.sigma)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "PackedScenes":
        """The same on another device."""
        return replace(self, **{n: t.to(device, non_blocking=non_blocking) for n, t in self._tensors().items()})

    def pin_memory(self) -> "PackedScenes":
        """The same in page-locked memory."""
        return replace(self, **{n: t.pin_memory() for n, t in self._tensors().items()})

    def _tensors(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in self.__slots__ if n != "size"}


def pack(scenes: Sequence[Scene], sizes: NDArray[np.integer]) -> PackedScenes:
    """Scenes of one canvas size, at least one.

    Args:
        scenes: the plans.
        sizes: (N, 2) height and width of the catalog's images.

    Raises:
        InputError: a scene has an effect or a Poisson edge.
    """
    for scene in scenes:
        require_renderable(scene)
    size = scenes[0].size
    counts = [len(scene.opacity) for scene in scenes]
    first_group = np.cumsum([0, *counts])
    group = np.concatenate([scene.group + first for scene, first in zip(scenes, first_group, strict=False)])
    order = np.argsort(group, kind="stable")
    joined = {n: np.concatenate([getattr(s, n) for s in scenes])[order] for n in _JOINED}
    erased, erased_group = _erased(scenes, first_group, size)
    every = np.arange(first_group[-1] + 1)
    noise = [scene.noise for scene in scenes]
    packed: dict[str, NDArray[np.generic]] = {
        **_layers(joined, sizes[joined["image"]].astype(np.int64), size),
        "layers": np.searchsorted(group[order], every).astype(np.int32),
        "erasures": np.searchsorted(erased_group, every).astype(np.int32),
        "opacity": np.concatenate([(1.0, *scene.opacity[1:]) for scene in scenes]).astype(np.float32),
        "groups": first_group.astype(np.int32),
        "erased": erased,
        "colour": np.stack([_colour(scene) for scene in scenes]),
        "curves": np.stack([_curve(scene) for scene in scenes]),
        "sigma": np.array([0.0 if n is None else -n.sigma if n.negative else n.sigma for n in noise], np.float32),
        "field": np.array([(0, 0) if n is None else corner(n) for n in noise], np.int32),
    }
    return PackedScenes(size, **{n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in packed.items()})


_JOINED = ("image", "region", "matrix", "role", "outline", "under", "gain", "blend", "soft")


def _layers(
    own: dict[str, NDArray[np.generic]], sizes: NDArray[np.int64], size: tuple[int, int]
) -> dict[str, NDArray[np.generic]]:
    """What `PackedScenes` holds of each layer."""
    matrix, box, tile = np.asarray(own["matrix"], float), np.asarray(own["region"], float), own["role"] == Role.TILE
    linear = matrix[:, :2, :2].reshape(-1, 4).tolist()
    chosen = [choose(m, h, w, size) for m, (h, w) in zip(linear, sizes.tolist(), strict=True)]
    kept = [levels(h, w, size)[index] for (h, w), (index, _) in zip(sizes.tolist(), chosen, strict=True)]
    level, halvings = np.array(chosen, np.int64).reshape(-1, 2).T
    sides = np.array([(k.width, k.height) for k in kept], float).reshape(-1, 2)
    scale, step = sides / sizes[:, ::-1], 1 << halvings
    # As in the CPU renderer: a tile shows its region and reaches under later ones; a patch may show all its picture.
    reach = np.where(own["under"], PAD, 0)
    low = np.where(tile[:, None], np.rint(box[:, :2] * scale) + PAD - reach[:, :2], 0)
    high = np.where(tile[:, None], np.rint(box[:, 2:] * scale) + PAD + reach[:, 2:], sides + 2 * PAD)
    zero = np.zeros(len(step))
    cells = affine(
        *(step / scale[:, 0], zero, (low[:, 0] - PAD) / scale[:, 0]),
        *(zero, step / scale[:, 1], (low[:, 1] - PAD) / scale[:, 1]),
    )
    to_canvas = products(matrix, cells)
    blend, soft = own["blend"], np.asarray(own["soft"], float)
    more = [1 if t else margin(int(b), float(s)) for t, b, s in zip(tile, blend, soft, strict=True)]
    shown = _hulls(to_canvas, np.zeros_like(low), (high - low) / step[:, None])
    shown = np.where(tile[:, None], shown, _hulls(matrix, box[:, :2], box[:, 2:]))
    kind = np.where(own["outline"] == Outline.ELLIPSE, ELLIPSE, POLYGON) + 2 * (blend == Blend.GAUSSIAN)
    codes = [np.asarray(own["image"], np.int64) * LEVELS + level, np.where(tile, TILE, kind), low, high, step]
    codes.append(_windows(shown, np.array(more), size))
    return {
        "way": inverses(to_canvas)[:, :2].reshape(-1, 6).astype(np.float32),
        "gain": np.asarray(own["gain"], np.float32),
        "edge": _edges(np.asarray(own["outline"], np.int64), box, matrix, blend == Blend.GAUSSIAN, soft),
        "codes": np.column_stack(codes).astype(np.int32),
    }


def _hulls(matrix: Array, low: Array, high: Array) -> Array:
    """(L, 4) the boxes round boxes that matrices carry."""
    middle, half = (low + high) / 2, (high - low) / 2
    centre = (matrix[:, :2, :2] @ middle[:, :, None])[:, :, 0] + matrix[:, :2, 2]
    spread = (np.abs(matrix[:, :2, :2]) @ half[:, :, None])[:, :, 0]
    return np.concatenate([centre - spread, centre + spread], 1)


def _windows(boxes: Array, more: NDArray[np.integer], size: tuple[int, int]) -> NDArray[np.int64]:
    """(L, 4) the canvas pixels round boxes, with `more` on each side; empty where there are none."""
    most = np.array([size[1], size[0]])
    low = np.clip(np.floor(boxes[:, :2]) - more[:, None], 0, most)
    high = np.clip(np.ceil(boxes[:, 2:]) + more[:, None], low, most)
    return np.concatenate([low, high], 1).astype(np.int64)


_SIDES = 8
_FROM = np.stack([np.resize(UNIT_POLYGONS[code], (_SIDES, 2)) for code in Outline])
_TO = np.stack([np.resize(np.roll(UNIT_POLYGONS[code], -1, 0), (_SIDES, 2)) for code in Outline])


def _edges(
    outline: NDArray[np.int64], box: Array, matrix: Array, gaussian: NDArray[np.bool_], soft: Array
) -> NDArray[np.float32]:
    """(L, 27) as in `PackedScenes`; the arithmetic is that of `coverage.depth` and `blend.alpha`."""
    linear = matrix[:, :2, :2]
    made = np.zeros((len(box), 3 + 3 * _SIDES))
    made[:, 0] = 1 / np.where(gaussian, np.sqrt(soft * soft + 1 / 12), np.maximum(soft, 1.0))
    made[:, 1:3] = (linear @ ((box[:, :2] + box[:, 2:]) / 2)[:, :, None])[:, :, 0] + matrix[:, :2, 2]
    spread = linear * ((box[:, 2:] - box[:, :2]) / 2)[:, None, :]  # unit square to canvas
    corner, following = (_FROM[outline] @ spread.swapaxes(1, 2), _TO[outline] @ spread.swapaxes(1, 2))
    side = following - corner
    normal = np.stack([-side[..., 1], side[..., 0]], 2) * np.sign(np.linalg.det(spread))[:, None, None]
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    made[:, 3:] = np.concatenate([normal, (normal * corner).sum(2, keepdims=True)], 2).reshape(len(box), 3 * _SIDES)
    round_ = outline == Outline.ELLIPSE
    made[round_, 3:7] = np.linalg.inv(spread[round_]).reshape(-1, 4)
    return made.astype(np.float32)


def _erased(
    scenes: Sequence[Scene], first_group: NDArray[np.integer], size: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(E, 4) pixels of the erased boxes with a pixel's margin, and the group of each, rising."""
    boxes = np.concatenate([scene.erased for scene in scenes])
    group = np.concatenate([s.erased_group + first for s, first in zip(scenes, first_group, strict=False)]).astype(
        np.int64
    )
    pixels = _windows(boxes, np.ones(len(boxes), np.int64), size)
    held = (pixels[:, 2:] > pixels[:, :2]).all(1) & (pixels != [0, 0, size[1], size[0]]).any(1)
    order = np.argsort(group[held], kind="stable")
    return pixels[held][order].astype(np.int32), group[held][order]


def _colour(scene: Scene) -> NDArray[np.float32]:
    matrix = np.eye(3, 4) if scene.colour is None else scene.colour
    return np.concatenate([np.rint(matrix * _FIXED_POINT).ravel() / _FIXED_POINT, scene.fill]).astype(np.float32)


def _curve(scene: Scene) -> NDArray[np.uint8]:
    curve = np.arange(256, dtype=np.uint8) if scene.curve is None else scene.curve
    return curve if scene.noise is None else faded(scene.noise.keep)[curve]
