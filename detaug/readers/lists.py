"""Lists of a dataset's images: `train.txt`, `val.txt` and `test.txt` in one folder, a name per line."""

from collections.abc import Callable, Collection

from detaug.errors import InputError
from detaug.readers.builder import Builder
from detaug.readers.catalog import Split
from detaug.readers.content import read_text
from detaug.readers.findings import reason
from detaug.readers.image import SUFFIXES
from detaug.readers.root import joined, printable, suffix

_LISTS = {"train": Split.TRAIN, "val": Split.VAL, "test": Split.TEST}
_LARGEST = 1 << 28  # bytes of a list


def listed_splits(builder: Builder, folder: str) -> dict[str, Split]:
    """The split of each name in the lists of a folder, by the first list that has it; what is odd in them is noted.

    A name is a line's first word, without the ending of an image.
    """
    listed: dict[str, Split] = {}
    for name, split in _LISTS.items():
        file = joined(folder, f"{name}.txt")
        if file not in builder.root.listed(folder, {".txt"}):
            continue
        try:
            lines = read_text(builder.root.file(file), _LARGEST).splitlines()
        except InputError as error:
            builder.note("unreadable-list", file, reason(error))
            continue
        names = [_plain(line.split()[0]) for line in lines if line.strip()]
        again = [name for name in names if listed.setdefault(name, split) is not split]
        if again:
            value = f"{len(again)} names are in an earlier list too, which counts; the first is {printable(again[0])}"
            builder.note("doubled-key", file, value)
    return listed


def note_unlabelled(
    builder: Builder, folder: str, listed: dict[str, Split], labelled: Collection[str], counts: Callable[[str], bool]
) -> None:
    """Report names in the lists of a folder that have no annotation.

    Args:
        builder: takes up the findings.
        folder: where the lists lie.
        listed: what `listed_splits` gave.
        labelled: the names with an annotation.
        counts: whether the image of a name is lost by this; if not, it is reported elsewhere.
    """
    for name, split in _LISTS.items():
        lacking = [key for key, code in listed.items() if code is split and key not in labelled]
        if lacking:
            value = f"{len(lacking)} listed images have no annotation and are left out, the first is "
            lost = sum(map(counts, lacking))
            builder.note("unlabelled-image", joined(folder, f"{name}.txt"), value + printable(lacking[0]), images=lost)


def _plain(word: str) -> str:
    return word.rpartition(".")[0] if suffix(word) in SUFFIXES else word
