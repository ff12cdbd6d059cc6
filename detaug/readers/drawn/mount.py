"""Putting a plate into the picture: its pole, its light, its wear, and the branch before it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detaug.readers.drawn.plates import DECOY, Plate, meet
from detaug.readers.drawn.view import View
from detaug.readers.drawn.weather import Floats, Weather, clouds

HIDDEN_MOST = 0.35
_FINER = 4


def pole(image: Floats, view: View, plate: Plate, light: Floats) -> None:
    """The pole from behind the face's middle to the ground; `image` is lit already, so it takes `light`."""
    scale = view.focal / plate.z
    x, foot = float(plate.foot[0]), float(plate.foot[1])
    top = float(plate.box[1] + plate.box[3]) / 2
    half = max(0.035 * scale, 0.5)
    rows = slice(max(int(top), 0), min(round(foot), view.height))
    across = np.arange(view.width) + 0.5
    cover = np.clip(half + 0.5 - np.abs(across - x), 0, 1).astype(np.float32)
    columns = np.flatnonzero(cover)
    if len(columns) == 0 or rows.stop <= rows.start:
        return
    seen = slice(int(columns[0]), int(columns[-1]) + 1)
    shade = 132 + 34 * np.clip((across[seen] - x) / half, -1, 1) * (1 if plate.spot[0] < 0 else -1)
    paint = shade[None, :, None].astype(np.float32) * light[rows, seen]
    image[rows, seen] += (paint - image[rows, seen]) * cover[None, seen, None]


def window(plate: Plate, shape: tuple[int, ...], margin: int = 2) -> tuple[slice, slice]:
    """Rows and columns around a plate's box, inside the image."""
    x1, y1 = (np.floor(plate.box[:2]).astype(int) - margin).tolist()
    x2, y2 = (np.ceil(plate.box[2:]).astype(int) + margin).tolist()
    return slice(max(y1, 0), min(y2, shape[0])), slice(max(x1, 0), min(x2, shape[1]))


def render(plate: Plate, rows: slice, columns: slice) -> tuple[Floats, Floats]:
    """The face in a window of the image, drawn finer and averaged down.

    Returns:
        Colours (h, w, 3), 0 to 255, and the outline's share of each pixel (h, w), 0 to 1, both float32.
    """
    height, width = rows.stop - rows.start, columns.stop - columns.start
    finer = np.diag([_FINER, _FINER, 1.0]) @ np.array([[1, 0, -columns.start], [0, 1, -rows.start], [0, 0, 1.0]])
    face: NDArray[Any] = plate.face
    # A level near the drawn size, or the warp would skip pixels of the face.
    while face.shape[1] >= 2 * _FINER * (plate.box[2] - plate.box[0]):
        face = cv2.resize(face, (face.shape[1] // 2, face.shape[0] // 2), interpolation=cv2.INTER_AREA)
    unit = np.array([[2 / face.shape[1], 0, -1], [0, 2 / face.shape[0], -1], [0, 0, 1]])
    # Pixel centres lie at +0.5 on both sides; OpenCV counts them from 0.
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.linalg.inv(shift) @ finer @ plate.matrix @ unit @ shift
    size = (width * _FINER, height * _FINER)
    fine = cv2.warpPerspective(face, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros((size[1], size[0]), np.uint8)
    corners = (plate.corners() - [columns.start, rows.start]) * _FINER - 0.5
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], (255,), shift=4)
    colours = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    cover = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(colours, np.float32), np.asarray(cover / 255.0, np.float32)


def mount(rng: np.random.Generator, image: Floats, plate: Plate, light: Floats, weather: Weather) -> Floats:
    """Paint the face into `image` (H, W, 3), lit; returns its cover in `window(plate)`."""
    rows, columns = window(plate, image.shape)
    colours, cover = render(plate, rows, columns)
    colours = _worn(rng, colours)
    gain = light[rows, columns].mean((0, 1)) * rng.uniform(0.62, 1.12)
    if weather.kind == "night":  # the face throws the headlights back; far ones get less of them
        gain = gain + rng.uniform(0.35, 0.95) * np.exp(-plate.z / 60)
    across = np.linspace(-1, 1, cover.shape[1], dtype=np.float32)[None, :, None]
    colours = colours * (gain * (1 + 0.12 * weather.sun * across))
    clear = np.exp(-plate.z / weather.sight)
    if weather.kind != "night":
        colours = colours * clear + np.asarray(weather.low) * np.asarray(weather.light) * (1 - clear)
    here = image[rows, columns]
    here += (colours.astype(np.float32) - here) * cover[..., None]
    return cover


def _worn(rng: np.random.Generator, colours: Floats) -> Floats:
    """Bleached, soiled and scratched by chance; most signs only a little."""
    grey = colours.mean(2, keepdims=True)
    fade = rng.uniform(0, 0.2) if rng.random() < 0.75 else rng.uniform(0.2, 0.55)
    worn = colours + (grey * 0.7 + 60 - colours) * fade
    if rng.random() < 0.4:
        height, width = colours.shape[:2]
        spots = np.clip((clouds(rng, height, width, (2, 2)) - rng.uniform(0.5, 0.7)) * 5, 0, 1)[..., None]
        worn = worn + (np.array([96, 84, 66]) - worn) * spots * rng.uniform(0.2, 0.75)
    return np.asarray(worn, np.float32)


def branch(
    rng: np.random.Generator, image: Floats, plate: Plate, cover: Floats, plates: list[Plate], light: Floats
) -> float:
    """Leaves that reach over a sign from one side, as long as at least 65 percent of it stay visible.

    Returns:
        The share of the outline that the leaves cover.
    """
    x1, y1, x2, y2 = plate.box
    side = max(x2 - x1, y2 - y1)
    grown = np.array([x1 - side * 0.5, y1 - side * 0.5, x2 + side * 0.5, y2 + side * 0.5])
    if any(p is not plate and p.label != DECOY and meet(p.box, grown) for p in plates):
        return 0.0
    leaves = _leaves(rng, plate, side, image.shape)
    rows, columns = window(plate, image.shape)
    hidden = float((leaves[rows, columns] * cover).sum() / max(float(cover.sum()), 1e-6))
    if hidden > HIDDEN_MOST:
        return 0.0
    shade = clouds(rng, leaves.shape[0], leaves.shape[1], (24, 40))[..., None] * 0.9 + 0.35
    paint = np.array([64, 92, 40], np.float32) * shade * light
    image += (paint - image) * leaves[..., None]
    return hidden


def _leaves(rng: np.random.Generator, plate: Plate, side: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(H, W) float32, 0 to 1: a twig of leaves that ends inside the plate."""
    centre = (plate.box[:2] + plate.box[2:]) / 2
    angle = np.radians(rng.uniform(150, 390))
    outward = np.array([np.cos(angle), np.sin(angle)])
    mask = np.zeros(shape[:2], np.uint8)
    leafy = rng.uniform(0.8, 1.7)
    for along in np.linspace(0.1, 0.8, 22):
        at = centre + side * (outward * along + rng.normal(0, 0.06, 2))
        axes = (max(int(side * 1.1 * leafy), 14), max(int(side * 0.5 * leafy), 8))
        spot = np.rint(at * 16).astype(int)
        turned = float(rng.uniform(0, 180))
        cv2.ellipse(mask, (int(spot[0]), int(spot[1])), axes, turned, 0, 360, (255,), -1, cv2.LINE_AA, 4)
    return np.asarray(mask / 255.0, np.float32)
