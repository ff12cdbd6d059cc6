"""detaug: augmentation, balance and diagnosis for traffic-sign detectors that do not memorise.

What is named here imports without torch.
"""

from detaug.batches.augmenter import Augmenter
from detaug.classes import ClassTable
from detaug.draws.balance import Balance
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.read import read
from detaug.sample import Sample
from detaug.scenes.recipe import Recipe

__all__ = ["Augmenter", "Balance", "Catalog", "ClassTable", "InputError", "Recipe", "Sample", "read"]
