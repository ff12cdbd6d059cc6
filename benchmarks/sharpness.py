"""How sharp signs come out: one resampling against the peers' two, by the signs' size and by scale.

    python -m benchmarks.sharpness                                          # drawn streets, canvas 640
    python -m benchmarks.sharpness --data DIR --size 320 --cross

The same sign at the same place on the canvas, scaled and turned a little, is made in three ways:

- detaug: the level that `detaug.scenes.levels` chooses, warped once, by the renderer itself;
- Ultralytics: the photograph resized to fit the canvas (linear), then warped (linear);
- Albumentations: its Mosaic's way by default, the photograph resized to cover the canvas (linear), then warped.

Each is compared with the mean of the full photograph over each canvas pixel's area: 8 x 8 samples, taken by Lanczos'
kernel, since linear ones would soften photographs that are hardly larger than the canvas shows them. Looked at is the
brightness in the sign's box and two pixels round it: the variance of its Laplacian, and what lies above half of the
Nyquist frequency (radial, under a Hann window), both as shares of the reference's. The latter is split: `true` is the
part that is the reference's own detail (by regression on it); `false` is what is left, aliases above all. 1, 1, 1 and
0 are as the reference; below 1 is softer. Signs of more than 160 pixels are left out. Peers' matrices are given the
half pixel between edges and centres, which their own programs leave out.
"""

import argparse
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.throughput.images import street
from detaug.commands.words import add_split, part, size
from detaug.draws.draw import Draw
from detaug.outline import hulls
from detaug.readers.catalog import Catalog
from detaug.readers.image import decode
from detaug.readers.read import read
from detaug.render.cpu import render
from detaug.render.source import Source
from detaug.scenes.affine import about_centre
from detaug.scenes.block import scene_of
from detaug.scenes.scene import GREY, Scene

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Photo = NDArray[np.integer | np.floating]
Window = tuple[int, int, int, int]  # x1 y1 x2 y2, canvas pixels

SCALES = (0.5, 0.6, 0.7, 0.85, 1.0, 1.25, 1.5)  # of the fitted image
DEGREES = 5.0
BOUNDS = (16, 32, 64)  # canvas pixels, the side of a square as large as the sign's box
LEAST, MOST = 6, 160  # canvas pixels; larger ones take long and are not in question
ROUND = 2  # canvas pixels looked at round the box
INSIDE = 6  # source pixels that the window keeps from the photograph's border
FINE = 8  # samples of a canvas pixel along each side
FLAT = 4.0  # variance of the Laplacian under which there is nothing to compare
FIGURES = ("Laplacian", "high band", "true", "false", "PSNR")

Way = Callable[[Pixels, Scene, Source, Window], Pixels]


def ours(image: Pixels, scene: Scene, source: Source, window: Window) -> Pixels:  # noqa: ARG001
    """By the renderer."""
    x1, y1, x2, y2 = window
    return render(scene, source)[y1:y2, x1:x2]


def fitted(image: Pixels, scene: Scene, source: Source, window: Window) -> Pixels:  # noqa: ARG001
    """Resized to fit the canvas, sides rounded up, then warped."""
    height, width = image.shape[:2]
    scale = min(scene.size[0] / height, scene.size[1] / width)
    small = (min(math.ceil(width * scale), scene.size[1]), min(math.ceil(height * scale), scene.size[0]))
    return twice(image, small, scene.matrix[0], window)


def covering(image: Pixels, scene: Scene, source: Source, window: Window) -> Pixels:  # noqa: ARG001
    """Resized to cover the canvas, then warped."""
    height, width = image.shape[:2]
    scale = max(scene.size[0] / height, scene.size[1] / width)
    return twice(image, (round(width * scale), round(height * scale)), scene.matrix[0], window)


WAYS: dict[str, Way] = {"detaug": ours, "Ultralytics": fitted, "Albumentations": covering}


def twice(image: Pixels, between: tuple[int, int], matrix: Array, window: Window) -> Pixels:
    """A canvas window by two linear resamplings, over an image of the width and height `between`."""
    height, width = image.shape[:2]
    if between != (width, height):
        image = np.asarray(cv2.resize(image, between, interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(warped(image, matrix @ np.diag([width / between[0], height / between[1], 1]), window), np.uint8)


def warped(image: Photo, matrix: Array, window: Window, fine: int = 1, how: int = cv2.INTER_LINEAR) -> Photo:
    """A canvas window, warped; `fine` samples along each side of a pixel. `matrix` counts in edges."""
    x1, y1, x2, y2 = window
    zoom = np.array([[fine, 0, -fine * x1], [0, fine, -fine * y1], [0, 0, 1]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centres = np.linalg.inv(half) @ zoom @ matrix @ half
    size = (fine * (x2 - x1), fine * (y2 - y1))
    return cv2.warpAffine(image, centres[:2], size, flags=how, borderValue=GREY)


def reference(bright: NDArray[np.float32], matrix: Array, window: Window) -> Array:
    """The mean of the photograph over each pixel's area, (h, w)."""
    x1, y1, x2, y2 = window
    samples = warped(bright, matrix, window, FINE, cv2.INTER_LANCZOS4).astype(np.float64)
    return np.asarray(samples.reshape(y2 - y1, FINE, x2 - x1, FINE).mean((1, 3)))


def brightness(image: Pixels) -> NDArray[np.float32]:
    """(H, W) from (H, W, 3) RGB."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY), np.float32)


def figures(made: Array, wanted: Array) -> tuple[float, ...]:
    """`FIGURES` of a picture (h, w) against the reference."""
    ours, theirs = high_band(made), high_band(wanted)
    power = float(np.vdot(theirs, theirs).real)
    share = float(np.vdot(theirs, ours).real) / power
    left = ours - share * theirs
    error = float(np.mean((made - wanted) ** 2))
    return (
        laplacian(made) / laplacian(wanted),
        float(np.vdot(ours, ours).real) / power,
        share**2,
        float(np.vdot(left, left).real) / power,
        10 * math.log10(255**2 / max(error, 1e-4)),
    )


def laplacian(picture: Array) -> float:
    """The variance of the Laplacian, where it needs no pixel from outside."""
    return float(cv2.Laplacian(picture, cv2.CV_64F)[1:-1, 1:-1].var())


def high_band(picture: Array) -> NDArray[np.complex128]:
    """The spectrum above half of the Nyquist frequency, zero below."""
    height, width = picture.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    mean = (picture * window).sum() / window.sum()
    spectrum = np.fft.fft2((picture - mean) * window)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    return np.asarray(np.where(frequency > 0.25, spectrum, 0), np.complex128)


@dataclass(frozen=True, slots=True)
class Seen:
    """A sign in one place.

    Attributes:
        side: canvas pixels.
        scale: of the fitted image.
        figures: of each way.
    """

    side: float
    scale: float
    figures: dict[str, tuple[float, ...]]


def seen(catalog: Catalog, canvas: tuple[int, int], signs: int, seed: int) -> Iterator[Seen]:
    """The signs that can be looked at, each at every scale at which it fits.

    Args:
        catalog: the photographs.
        canvas: height and width.
        signs: how many are tried.
        seed: of choice, turns and shifts.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    chosen = np.sort(rng.permutation(len(catalog.boxes))[:signs])
    source, rows = Source(catalog, canvas, 1 << 28), catalog.images_of_boxes()
    for row in np.unique(rows[chosen]).tolist():
        image = decode(catalog.path(row))
        bright, start = brightness(image), int(catalog.starts[row])
        for box in (chosen[rows[chosen] == row] - start).tolist():
            for scale in SCALES:
                scene = centred(catalog, row, box, canvas, scale, rng)
                found = hulls(scene.shape, scene.box, scene.matrix[scene.layer])[box]
                side = math.sqrt(float(np.prod(found[2:] - found[:2])))
                window = window_of(found, canvas)
                if not (LEAST <= side <= MOST) or not inside(window, scene, image.shape[:2], canvas):
                    continue
                wanted = reference(bright, scene.matrix[0], window)
                if laplacian(wanted) < FLAT:
                    continue
                made = {name: brightness(way(image, scene, source, window)) for name, way in WAYS.items()}
                yield Seen(side, scale, {n: figures(m.astype(np.float64), wanted) for n, m in made.items()})


def centred(
    catalog: Catalog, row: int, box: int, canvas: tuple[int, int], scale: float, rng: np.random.Generator
) -> Scene:
    """A whole image, scaled and turned a little, with one of its boxes about the canvas's middle."""
    scene = scene_of(catalog, row, canvas, Draw(0, row, row, mixing=False))
    scene = scene.moved(about_centre(canvas, degrees=rng.uniform(-DEGREES, DEGREES), scale=scale))
    middle = scene.hulls()[box].reshape(2, 2).mean(0)
    shift = np.eye(3)
    shift[:2, 2] = np.array(canvas[::-1]) / 2 + rng.uniform(-0.5, 0.5, 2) - middle
    return scene.moved(shift)


def window_of(box: Array, canvas: tuple[int, int]) -> Window:
    """The pixels that a box touches and `ROUND` more, within the canvas."""
    x1, y1 = np.maximum(np.floor(box[:2]).astype(int) - ROUND, 0).tolist()
    x2, y2 = np.minimum(np.ceil(box[2:]).astype(int) + ROUND, canvas[::-1]).tolist()
    return x1, y1, x2, y2


def inside(window: Window, scene: Scene, size: tuple[int, ...], canvas: tuple[int, int]) -> bool:
    """Whether a window shows the photograph alone, well within its border, and lies within the canvas."""
    x1, y1, x2, y2 = window
    corners = np.array([[x1, y1, 1], [x2, y1, 1], [x2, y2, 1], [x1, y2, 1]], float)
    points = (corners @ np.linalg.inv(scene.matrix[0]).T)[:, :2]
    within = (points >= INSIDE).all() and (points <= np.array(size[::-1]) - INSIDE).all()
    return bool(within) and x1 > 0 and y1 > 0 and x2 < canvas[1] and y2 < canvas[0]


def table(found: Sequence[Seen], title: str) -> str:
    """Medians of each way's figures, with their quartiles."""
    lines = [f"\n{title}: {len(found)}"]
    lines.append(f"  {'':16}" + "".join(f"{name:>22}" for name in FIGURES))
    for name in WAYS:
        values = np.array([one.figures[name] for one in found])
        low, middle, high = np.percentile(values, (25, 50, 75), axis=0)
        digits = [2] * (len(FIGURES) - 1) + [1]
        cells = [
            f"{f'{m:.{d}f} ({a:.{d}f}-{b:.{d}f})':>22}" for a, m, b, d in zip(low, middle, high, digits, strict=True)
        ]
        lines.append(f"  {name:16}" + "".join(cells))
    return "\n".join(lines)


def by_size(found: Sequence[Seen]) -> dict[str, list[Seen]]:
    """Signs by the bounds of their sides."""
    edges = (0, *BOUNDS, math.inf)
    names = [f"under {BOUNDS[0]} px", *(f"{a} to {b} px" for a, b in pairwise(BOUNDS))]
    names.append(f"{BOUNDS[-1]} px and more")
    spans = zip(names, pairwise(edges), strict=True)
    return {name: [one for one in found if a <= one.side < b] for name, (a, b) in spans}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="photographs with boxes; without it streets are drawn")
    add_split(parser.add_argument)
    parser.add_argument("--images", type=int, default=60, help="that are drawn")
    parser.add_argument("--size", type=size, default=(640, 640), help="canvas")
    parser.add_argument("--signs", type=int, default=400, help="that are tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cross", action="store_true", help="each size at each scale as well")
    asked = parser.parse_args(words)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as scratch:
        root = asked.data or street(Path(scratch) / "street1360", asked.images, (800, 1360))
        catalog = part(read(root), asked.split)
        found = list(seen(catalog, asked.size, asked.signs, asked.seed))
    height, width = asked.size
    middle = np.median(catalog.sizes, axis=0).astype(int).tolist()
    print(f"{len(found)} pictures of signs from {len(catalog)} photographs of about {middle[1]}x{middle[0]}")
    print(f"canvas {width}x{height}; medians (quartiles), shares of the reference's; PSNR in dB")
    for name, some in by_size(found).items():
        if some:
            print(table(some, name))
    for scale in SCALES:
        some = [one for one in found if one.scale == scale]
        for name, few in {"all sizes": some, **(by_size(some) if asked.cross else {})}.items():
            if few:
                print(table(few, f"scale {scale}, {name}"))


if __name__ == "__main__":
    main()
