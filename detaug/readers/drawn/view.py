"""The camera and the road it stands on: metres to pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SETTINGS = ("country", "suburb", "town")


@dataclass(frozen=True, slots=True)
class View:
    """A pinhole camera above a flat world whose road bends like a parabola.

    Attributes:
        height: of the image, pixels.
        width: of the image, pixels.
        horizon: row of the horizon, pixels.
        vanish: column where the road would end if it were straight, pixels.
        focal: focal length, pixels.
        eye: the camera's height, metres.
        bend: the road's curvature, 1 / metre, positive to the right.
        edges: left and right edge of the carriageway from the camera, metres.
        setting: one of `SETTINGS`.
    """

    height: int
    width: int
    horizon: float
    vanish: float
    focal: float
    eye: float
    bend: float
    edges: tuple[float, float]
    setting: str

    def spots(self, x: ArrayLike, up: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Where points appear.

        Args:
            x: metres to the right of the camera's path along the road.
            up: metres above the ground.
            z: metres ahead, above 0.

        Returns:
            (..., 2) columns and rows, pixels.
        """
        x, up, z = (np.asarray(v, np.float64) for v in (x, up, z))
        columns = self.vanish + self.focal * (x / z + self.bend * z / 2)
        rows = self.horizon + self.focal * (self.eye - up) / z
        return np.stack(np.broadcast_arrays(columns, rows), -1)

    def ground(self) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
        """What each pixel below the horizon sees of the ground.

        Returns:
            The first row R below the horizon; x (H - R, W) and z (H - R, 1), float32, in metres.
        """
        first = int(np.ceil(self.horizon))
        z = self.focal * self.eye / (np.arange(first, self.height)[:, None] + 0.5 - self.horizon)
        x = (np.arange(self.width)[None] + 0.5 - self.vanish) * z / self.focal - self.bend * z**2 / 2
        return first, x.astype(np.float32), z.astype(np.float32)


def draw_view(rng: np.random.Generator, height: int, width: int) -> View:
    """A camera on a road, by chance."""
    two_lanes = rng.random() < 0.75
    return View(
        height=height,
        width=width,
        horizon=height * rng.uniform(0.44, 0.6),
        vanish=width * rng.uniform(0.32, 0.6),
        focal=width * rng.uniform(0.85, 1.1),
        eye=rng.uniform(1.2, 1.7),
        bend=rng.uniform(-0.004, 0.004) if rng.random() < 0.5 else rng.uniform(-0.0006, 0.0006),
        edges=(-rng.uniform(4.6, 6.0) if two_lanes else -rng.uniform(1.8, 2.4), rng.uniform(1.6, 2.4)),
        setting=SETTINGS[int(rng.integers(len(SETTINGS)))],
    )
