"""The one error that bad input raises, and the notes of what was met while reading."""

from dataclasses import dataclass


class InputError(ValueError):
    """Input that cannot be used; its text is one sentence that names the file and the value."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault met in a dataset.

    Attributes:
        kind: short fixed name, such as `missing-image` or `box-outside`.
        file: the file at fault, as the dataset names it.
        value: what was found there, in words.
        boxes_lost: boxes that are therefore not used.
        images_lost: images that are therefore not used.
    """

    kind: str
    file: str
    value: str
    boxes_lost: int = 0
    images_lost: int = 0

    def __str__(self) -> str:
        return f"{self.file}: {self.value} ({self.kind})"
