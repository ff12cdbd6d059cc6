"""Rare signs cut out and pasted into other scenes (Ghiasi et al., "Simple Copy-Paste", 2021), by boxes alone."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from detaug.outline import Array
from detaug.scenes.operation import Operation, within_log
from detaug.scenes.scene import Role, Scene, joined
from detaug.scenes.stage import Stage
from detaug.scenes.window import KEEP_SIDE

_TRIES = 12


@dataclass(frozen=True, kw_only=True)
class Paste(Operation):
    """Paste signs of rare classes, cut out along their class's outline.

    Attributes:
        count_range: how many are tried, a whole number from low to high.
        scale_range: size relative to the donor's in its own image fitted to the canvas.
        enlarge: a donor is never shown larger than this many times its own pixels.
        overlap: a place is refused if the paste covers a larger share of an object there, or the other way round.
    """

    mixes: ClassVar[bool] = True

    p: float = 0.5
    count_range: tuple[int, int] = (1, 2)
    scale_range: tuple[float, float] = (0.5, 1.5)
    enlarge: float = 1.5
    overlap: float = 0.05

    def apply(self, scene: Scene, stage: Stage, rng: np.random.Generator) -> Scene:
        """The scene with up to `count` more layers; those for which no free place is found are left out."""
        count = int(rng.integers(self.count_range[0], self.count_range[1] + 1))
        search = stage.search(scene.draw, "paste")
        for _ in range(count if len(stage.donors) else 0):
            donor = stage.donors.pick(rng)
            scale = within_log(self.scale_range, rng)
            if int(stage.donors.image[donor]) in stage.replaced:
                continue
            placed = self._placed(scene, stage, donor, scale, search)
            scene = scene if placed is None else joined([scene, placed])
        return scene

    def _placed(
        self, scene: Scene, stage: Stage, donor: int, scale: float, search: np.random.Generator
    ) -> Scene | None:
        """The donor as a scene of one layer at a free place, or None."""
        row = int(stage.donors.image[donor])
        whole = stage.base(row, scene.draw)
        own = int(stage.donors.box[donor]) - int(stage.catalog.objects(row).start)
        box = whole.box[own]
        sides = box[2:] - box[:2]
        scale = min(scale * float(whole.matrix[0, 0, 0]), self.enlarge)
        scale = max(scale, min(self.enlarge, KEEP_SIDE / float(sides.min())))
        wide, high = (sides * scale).tolist()
        tiles = scene.tiles()
        taken = scene.hulls()
        for _ in range(_TRIES):
            host = int(tiles[int(search.integers(len(tiles)))])
            x1, y1, x2, y2 = _canvas_rectangle(scene, host)
            chance = search.random(2)
            if x2 - x1 < wide or y2 - y1 < high:
                continue
            left, top = x1 + float(chance[0]) * (x2 - x1 - wide), y1 + float(chance[1]) * (y2 - y1 - high)
            if _free(np.array([left, top, left + wide, top + high]), taken, self.overlap):
                matrix = np.array([[scale, 0, left - scale * box[0]], [0, scale, top - scale * box[1]], [0, 0, 1.0]])
                return self._layer(whole, own, matrix, host, scene)
        return None

    @staticmethod
    def _layer(whole: Scene, own: int, matrix: Array, host: int, scene: Scene) -> Scene:
        """A scene of the donor alone, hosted by a tile of `scene`."""
        return replace(
            whole,
            region=whole.box[own][None],
            matrix=matrix[None],
            role=np.array([Role.PASTE], np.uint8),
            outline=whole.shape[own][None],
            group=scene.group[host][None],
            host=np.array([host - len(scene.image)], np.int64),  # joining adds the number of layers before
            box=whole.box[own][None],
            layer=np.zeros(1, np.int64),
            label=whole.label[own][None],
            shape=whole.shape[own][None],
            origin=whole.origin[own][None],
        )


def _canvas_rectangle(scene: Scene, layer: int) -> tuple[float, float, float, float]:
    """Where a tile shows on the canvas; tiles are upright when pasting is planned."""
    matrix, region = scene.matrix[layer], scene.region[layer]
    low = matrix[:2, :2] @ region[:2] + matrix[:2, 2]
    high = matrix[:2, :2] @ region[2:] + matrix[:2, 2]
    height, width = scene.size
    return max(0.0, low[0]), max(0.0, low[1]), min(float(width), high[0]), min(float(height), high[1])


def _free(box: Array, taken: Array, overlap: float) -> bool:
    """Whether a box shares no more than a part `overlap` of itself or of any taken box."""
    sides = np.minimum(taken[:, 2:], box[2:]) - np.maximum(taken[:, :2], box[:2])
    shared = np.clip(sides, 0, None).prod(1)
    areas = np.minimum((taken[:, 2:] - taken[:, :2]).prod(1), (box[2:] - box[:2]).prod())
    return bool((shared <= overlap * areas).all())
