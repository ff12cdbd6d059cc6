"""Where signs and other plates stand, and their tight boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.decoys import DECOYS, decoy
from detaug.readers.drawn.roadside import hull_of
from detaug.readers.drawn.sheet import Image, Points
from detaug.readers.drawn.signs import NAMES, TABLE, paint, silhouette
from detaug.readers.drawn.view import View

SIDE_RANGE = (12.0, 96.0)
DECOY = -1
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Plate:
    """A face that stands in the scene.

    Attributes:
        label: index into `NAMES`, or `DECOY`.
        face: (h, w, 3) uint8, RGB.
        outline: `Outline` code.
        matrix: (3, 3) float64, from the face's unit square [-1, 1] to pixels; projective.
        box: (4,) float64, x1 y1 x2 y2 of the outline in the image, pixels, edges.
        foot: (2,) float64, where its pole meets the ground, pixels.
        z: metres ahead.
        spot: x, up and side in metres, for a second sign on the same pole.
    """

    label: int
    face: Image
    outline: int
    matrix: NDArray[np.float64]
    box: NDArray[np.float64]
    foot: NDArray[np.float64]
    z: float
    spot: tuple[float, float, float]

    def corners(self) -> Points:
        """(K, 2) the outline in the image, pixels, edges."""
        return carried(silhouette(self.outline), self.matrix)

    def keep(self) -> NDArray[np.float64]:
        """(4,) what nothing nearer may cover: the face with a margin, and its pole."""
        x1, y1, x2, y2 = self.box
        return np.array([x1 - 3, y1 - 3, x2 + 3, max(y2 + 3, float(self.foot[1]))])


def carried(points: Points, matrix: NDArray[np.float64]) -> Points:
    """Points (K, 2) carried by a projective matrix (3, 3)."""
    whole = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(whole[:, :2] / whole[:, 2:])


def meet(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether two boxes share a pixel."""
    return bool((np.maximum(a[:2], b[:2]) < np.minimum(a[2:], b[2:])).all())


def pose(
    view: View, centre: NDArray[np.float64], half: tuple[float, float], z: float, angles: tuple[float, float, float]
) -> NDArray[np.float64]:
    """The matrix of a plate that is turned in space, seen through the camera.

    Args:
        view: the camera.
        centre: (2,) of the plate in the image, pixels.
        half: half its width and height, metres.
        z: metres ahead.
        angles: roll, yaw and pitch, degrees.

    Returns:
        (3, 3) from the unit square [-1, 1] to pixels.
    """
    (cr, cy, cp), (sr, sy, sp) = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    axes = (yaw @ pitch @ roll)[:, :2] * np.asarray(half)
    lens = np.array([[view.focal, 0, centre[0]], [0, view.focal, centre[1]], [0, 0, 1]])
    return np.asarray(lens @ np.column_stack([axes, [0, 0, z]]))


def place(rng: np.random.Generator, view: View, labels: list[int]) -> list[Plate]:
    """Signs for `labels`, in their order as far as there is room, then a few plates without meaning.

    The first sign always finds room in an empty scene; later ones are left out where they would overlap.
    """
    placed: list[Plate] = []
    for label in labels:
        plate = _find(rng, view, label, placed)
        placed += [plate] if plate else []
    for _ in range(int(rng.integers(0, 4))):
        plate = _find(rng, view, DECOY, placed)
        placed += [plate] if plate else []
    return placed


def _find(rng: np.random.Generator, view: View, label: int, placed: list[Plate]) -> Plate | None:
    if label == DECOY:
        outline, face = decoy(int(rng.integers(DECOYS)))
    else:
        outline, face = int(TABLE.outline[label]), paint(NAMES[label])
    mate = placed[-1] if placed and label not in (DECOY, placed[-1].label) and rng.random() < 0.3 else None
    for attempt in range(_TRIES):
        plate = _stand(rng, view, label, outline, face, mate if attempt < 2 else None)
        shared = mate if attempt < 2 else None
        clear = not any(meet(plate.keep(), p.keep()) for p in placed if p is not shared)
        if clear and _fits(plate, view) and not (shared and meet(plate.box, shared.box)):
            return plate
    return None


def _fits(plate: Plate, view: View) -> bool:
    sides = plate.box[2:] - plate.box[:2]
    inside = (plate.box[:2] >= 2).all() and (plate.box[2:] <= [view.width - 2, view.height - 2]).all()
    return bool(inside and sides.min() >= SIDE_RANGE[0] and sides.max() <= SIDE_RANGE[1])


def _stand(rng: np.random.Generator, view: View, label: int, outline: int, face: Image, mate: Plate | None) -> Plate:
    """One try: how large it looks is drawn first, which with its true size gives the distance."""
    aspect = face.shape[0] / face.shape[1]
    if mate is None:
        metres = rng.uniform(0.6, 0.95)
        # log-uniform would give as many signs per octave; the power makes small ones more frequent still
        pixels = 14.0 * (92.0 / 14.0) ** (rng.random() ** 1.35)
        z = view.focal * metres / pixels
        right = rng.random() < 0.7
        x = view.edges[1] + rng.uniform(0.3, 3.2) if right else view.edges[0] - rng.uniform(0.3, 3.0)
        up = rng.uniform(1.9, 3.0)
    else:
        (x, up, metres), z = mate.spot, mate.z
        up -= metres * 1.1
    wide = metres * (rng.uniform(0.8, 1.8) if label == DECOY and aspect == 1 else 1.0)
    angles = (float(np.clip(rng.normal(0, 2.5), -8, 8)), rng.uniform(-28, 28), rng.uniform(-5, 5))
    centre, foot = view.spots([x, x], [up, 0], [z, z])
    matrix = pose(view, centre, (wide / 2, metres * aspect / 2), z, angles)
    return Plate(label, face, outline, matrix, hull_of(carried(silhouette(outline), matrix)), foot, z, (x, up, metres))
