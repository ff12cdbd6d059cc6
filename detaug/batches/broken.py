"""Images that could not be decoded: each is reported once, and too many of them end the run."""

import warnings
from collections.abc import Iterable

from detaug.errors import InputError

SHARE = 0.01  # of the dataset's images


class BrokenImages:
    """The broken images that a run has met.

    Args:
        root: the dataset's folder.

    Attributes:
        names: those met so far, relative to the root.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.names: set[str] = set()

    def met(self, names: Iterable[str], images: int) -> None:
        """Report those that are new, on whichever process met them.

        Args:
            names: broken images, relative to the root.
            images: how many the dataset has.

        Raises:
            InputError: more than one and more than 1 % are broken; they are listed.
        """
        for name in sorted(set(names) - self.names):
            warnings.warn(
                f"{self.root}/{name}: the image cannot be decoded and is not used; it counts as missed where it is "
                "evaluated, and another one is shown in its place in training.",
                stacklevel=2,
            )
        self.join(names, images)

    def join(self, names: Iterable[str], images: int) -> None:
        """Count what other processes have met and reported.

        Raises:
            InputError: as `met`.
        """
        self.names.update(names)
        if len(self.names) > max(1, SHARE * images):
            listed = ", ".join(sorted(self.names))
            raise InputError(f"{self.root}: {len(self.names)} of {images} images cannot be decoded: {listed}.")
