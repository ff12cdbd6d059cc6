"""Our own recipes for the comparison: the operations of the peers, and what they lack."""

from dataclasses import replace

from detaug.scenes.affine import Affine
from detaug.scenes.colour import Colour
from detaug.scenes.flip import Flip
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.noise import GaussianNoise
from detaug.scenes.paste import Paste
from detaug.scenes.recipe import Recipe

# Ultralytics' HSV shifts hue, and scales saturation and brightness: no contrast, white balance or tone.
_STILL = (1.0, 1.0)
EQUAL = Recipe(
    mosaic=Mosaic(p=1, scale_range=(1.0, 1.0)),
    flip=Flip(p=0.5),
    affine=Affine(
        p=1, degrees_range=(-10, 10), scale_range=(0.5, 1.5), shear_range=(-2, 2), shift_range=(-0.1, 0.1),
        keep_side=0,  # the peers shrink signs to whatever size
    ),
    colour=Colour(
        p=1, brightness_range=(0.6, 1.4), contrast_range=_STILL, saturation_range=(0.3, 1.7), hue_range=(-5, 5),
        white_range=_STILL, tone_range=_STILL,
    ),
)  # fmt: skip
MORE = replace(EQUAL, paste=Paste(p=1, count_range=(3, 3), decoy=0), noise=GaussianNoise(p=1))
RECIPES = {"equal": EQUAL, "more": MORE}
