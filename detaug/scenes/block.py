"""Many scenes planned together: their layers and objects one after the other in flat arrays.

An operation then works on a whole block at the cost of a few scenes. No scene's numbers depend on those beside it, to
the last bit: sums are taken within a scene, and powers, sines and the like are Python's own, since numpy's may round
differently with the length of an array.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.draws.draw import Draw
from detaug.outline import Array
from detaug.readers.catalog import Catalog, spans
from detaug.scenes.scene import PER_LAYER, PER_OBJECT, Effect, Layers, Noise, Scene, cut_outlines


@dataclass(frozen=True, slots=True, eq=False)
class Block(Layers):
    """B scenes with L layers and N objects together.

    Attributes:
        size: canvas height and width in pixels, the same for all.
        draws: (B,) their places in the epoch.
        scene: (L,) int64, the scene that each layer belongs to, rising; within a scene in painter's order.
        image, region, matrix, role, outline, under, free, group, gain, blend, soft: (L, ...) as in `Scene`.
        host: (L,) int64, index of a layer of the block.
        box, label, shape, origin: (N, ...) as in `Scene`, scene after scene.
        layer: (N,) int64, index of a layer of the block.
        opacity, colour, curve, noise, effects: (B,) as in `Scene`.
    """

    size: tuple[int, int]
    draws: tuple[Draw, ...]
    scene: NDArray[np.int64]
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
    box: Array
    layer: NDArray[np.int64]
    label: NDArray[np.int64]
    shape: NDArray[np.uint8]
    origin: NDArray[np.int64]
    opacity: tuple[tuple[float, ...], ...]
    colour: tuple[Array | None, ...]
    curve: tuple[NDArray[np.uint8] | None, ...]
    noise: tuple[Noise | None, ...]
    effects: tuple[tuple[Effect, ...], ...]

    def __len__(self) -> int:
        return len(self.draws)

    @classmethod
    def whole(
        cls,
        catalog: Catalog,
        outlines: NDArray[np.uint8] | None,
        rows: NDArray[np.int64],
        scene: NDArray[np.int64],
        size: tuple[int, int],
        draws: tuple[Draw, ...],
    ) -> "Block":
        """Whole images, each fitted to the canvas, as one layer each.

        Args:
            catalog: where they stand.
            outlines: its `seen_outlines`; None looks at these images alone.
            rows: (L,) rows there.
            scene: (L,) the scene of each, rising.
            size: canvas height and width.
            draws: of all scenes.
        """
        layers, sizes = len(rows), catalog.sizes[rows].astype(np.float64)
        counts = catalog.starts[rows + 1] - catalog.starts[rows]
        origin = spans(catalog.starts[rows], counts)
        scale = np.minimum(size[0] / sizes[:, 0], size[1] / sizes[:, 1])
        region, matrix = np.zeros((layers, 4)), np.zeros((layers, 3, 3))
        region[:, 2:] = sizes[:, ::-1]
        matrix[:, 0, 0] = matrix[:, 1, 1] = scale
        matrix[:, 0, 2], matrix[:, 1, 2] = (size[1] - scale * sizes[:, 1]) / 2, (size[0] - scale * sizes[:, 0]) / 2
        matrix[:, 2, 2] = 1
        none = (None,) * len(draws)
        return cls(
            size=size,
            draws=draws,
            scene=scene,
            image=rows,
            region=region,
            matrix=matrix,
            role=np.zeros(layers, np.uint8),
            outline=np.zeros(layers, np.uint8),
            under=np.zeros((layers, 4), bool),
            free=np.zeros((layers, 4), bool),
            group=np.zeros(layers, np.uint8),
            host=np.arange(layers),
            gain=np.ones((layers, 3), np.float32),
            blend=np.zeros(layers, np.uint8),
            soft=np.zeros(layers, np.float32),
            box=catalog.boxes[origin].astype(np.float64),
            layer=np.repeat(np.arange(layers), counts),
            label=catalog.labels[origin].astype(np.int64),
            shape=cut_outlines(catalog, origin, np.repeat(rows, counts)) if outlines is None else outlines[origin],
            origin=origin,
            opacity=((1.0,),) * len(draws),
            colour=none,
            curve=none,
            noise=none,
            effects=((),) * len(draws),
        )

    @classmethod
    def of(cls, scene: Scene) -> "Block":
        """A single scene."""
        parts: dict[str, Any] = {name: getattr(scene, name) for name in PER_LAYER + PER_OBJECT}
        canvas: dict[str, Any] = {name: (getattr(scene, name),) for name in _PER_CANVAS}
        return cls(scene.size, (scene.draw,), np.zeros(len(scene.image), np.int64), **parts, **canvas)

    def scenes(self) -> list[Scene]:
        """The scenes, each by itself; their arrays are parts of the block's."""
        every = np.arange(len(self) + 1)
        layers = np.searchsorted(self.scene, every).tolist()
        objects = np.searchsorted(self.scene[self.layer], every).tolist()
        by_layer = [(name, getattr(self, name)) for name in PER_LAYER if name != "host"]
        by_object = [(name, getattr(self, name)) for name in PER_OBJECT if name != "layer"]
        first = np.array(layers[:-1], np.int64)
        host, layer = self.host - first[self.scene], self.layer - first[self.scene[self.layer]]
        made = []
        for i, draw in enumerate(self.draws):
            own, things = slice(layers[i], layers[i + 1]), slice(objects[i], objects[i + 1])
            made.append(
                Scene(
                    size=self.size,
                    draw=draw,
                    host=host[own],
                    layer=layer[things],
                    **{name: array[own] for name, array in by_layer},
                    **{name: array[things] for name, array in by_object},
                    opacity=self.opacity[i],
                    colour=self.colour[i],
                    curve=self.curve[i],
                    noise=self.noise[i],
                    effects=self.effects[i],
                )
            )
        return made

    def counts(self) -> NDArray[np.int64]:
        """(B,) layers of each scene."""
        return np.bincount(self.scene, minlength=len(self))

    def having(self, classes: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(B,) whether a scene's images hold one of some classes, given as (C,)."""
        found = np.zeros(len(self), bool)
        found[self.scene[self.layer[classes[self.label]]]] = True
        return found

    def without(self, scenes: NDArray[np.bool_]) -> "Block":
        """The block with the layers and objects of some scenes, (B,), taken out; the scenes stay, empty."""
        kept = ~scenes[self.scene]
        things = kept[self.layer]
        place = np.cumsum(kept) - 1
        parts = {name: getattr(self, name)[kept] for name in PER_LAYER}
        parts |= {name: getattr(self, name)[things] for name in PER_OBJECT}
        parts["host"], parts["layer"] = place[parts["host"]], place[parts["layer"]]
        return self.changed(scene=self.scene[kept], **parts)

    def topped(self, added: Mapping[str, NDArray[Any]]) -> "Block":
        """The block with more layers and objects, each layer on top of its own scene's.

        Args:
            added: `scene` and all fields of layers and objects. `host` and `layer` count through this block's layers
                and then the added ones.
        """
        scene = np.concatenate([self.scene, added["scene"]])
        parts = {name: np.concatenate([getattr(self, name), added[name]]) for name in PER_LAYER + PER_OBJECT}
        layers, things = (np.argsort(s, kind="stable") for s in (scene, scene[parts["layer"]]))
        place = np.empty_like(layers)
        place[layers] = np.arange(len(layers))
        parts["host"], parts["layer"] = place[parts["host"]], place[parts["layer"]]
        parts = {name: array[things if name in PER_OBJECT else layers] for name, array in parts.items()}
        return self.changed(scene=scene[layers], **parts)

    def joined(self, other: "Block") -> "Block":
        """The layers of another block of the same scenes on top of this one's."""
        added = {name: getattr(other, name) for name in ("scene", *PER_LAYER, *PER_OBJECT)}
        before = len(self.scene)
        return self.topped(added | {"host": other.host + before, "layer": other.layer + before})


_PER_CANVAS = ("opacity", "colour", "curve", "noise", "effects")


def scene_of(catalog: Catalog, row: int, size: tuple[int, int], draw: Draw) -> Scene:
    """One whole image fitted to the canvas."""
    return Block.whole(catalog, None, np.array([row], np.int64), np.zeros(1, np.int64), size, (draw,)).scenes()[0]
