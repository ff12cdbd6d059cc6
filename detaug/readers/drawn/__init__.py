"""Drawn scenes: a dataset of road scenes that is drawn here, so that everything runs without a download."""

from detaug.readers.drawn.dataset import DESCRIPTION, draw_dataset
from detaug.readers.drawn.scene import draw_scene
from detaug.readers.drawn.signs import NAMES

__all__ = ["DESCRIPTION", "NAMES", "draw_dataset", "draw_scene"]
