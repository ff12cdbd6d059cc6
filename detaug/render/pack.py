"""Images read from a pack: one file with all levels of a dataset, mapped by every worker."""

import hashlib
import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.root import status
from detaug.readers.shelf import folders, token
from detaug.render.blocks import Blocks, divided
from detaug.render.pack_file import JPEG, RAW, opened
from detaug.render.picture import PAD, Picture
from detaug.render.source import BrokenImage
from detaug.scenes.levels import levels

_SUFFIX = ".pack"
_BLOCK = 4096  # files that a thread looks at in one go
_THREADS = 8
_UNKNOWN, _FILE = 0, -1


class Pack:
    """A pack, mapped; what is not read takes no memory, and all processes share what is.

    Args:
        path: the file.

    Attributes:
        path: as given.
        size: canvas height and width that its levels are made for.
        table: what it holds.

    Raises:
        InputError: it cannot be read, or is no whole pack.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        handle, self.table = opened(self.path)
        try:
            self.size = self.table.size
            self.bytes = os.fstat(handle).st_size
            self._data = memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_READ))
        finally:
            os.close(handle)

    def __reduce__(self) -> tuple[Callable[..., "Pack"], tuple[Any, ...]]:
        """Another process maps the file itself."""
        return Pack, (self.path,)

    def __len__(self) -> int:
        return len(self.table.ends)

    @property
    def is_raw(self) -> bool:
        """Whether it holds pixels, and not JPEGs."""
        return self.table.kind == RAW

    def find(self, name: str) -> int | None:
        """The record of an image that could be decoded; None where there is none."""
        wanted = name_hash(name)
        place = int(np.searchsorted(self.table.hashes, wanted))
        while place < len(self) and self.table.hashes[place] == wanted:
            record = int(self.table.order[place])
            if self.table.name(record) == name.encode("utf-8", "surrogatepass"):
                return record if self.table.lengths[record, 0] else None
            place += 1
        return None

    def level(self, record: int, index: int) -> memoryview:
        """The bytes of a level of an image, read-only and not copied."""
        start = int(self.table.starts[record, index])
        return self._data[start : start + int(self.table.lengths[record, index])]

    def of(self, catalog: Catalog, size: tuple[int, int]) -> "PackedImages":
        """The images of a catalog.

        Args:
            catalog: of the dataset that was packed, or some of its images.
            size: the canvas that they are to be drawn on.

        Raises:
            InputError: the pack is for another canvas.
        """
        if size != self.size:
            raise InputError(
                f"{self.path}: this pack is for samples of {self.size[0]}x{self.size[1]}, not {size[0]}x{size[1]}."
            )
        return PackedImages(self, catalog)

    def missing(self, catalog: Catalog) -> tuple[int, int]:
        """How many images of a catalog are read from their files, and how many of these have no record at all."""
        names = np.array([name_hash(catalog.name(row)) for row in range(len(catalog))], np.int64)
        if not len(self):
            return len(catalog), len(catalog)
        places = np.minimum(np.searchsorted(self.table.hashes, names), len(self) - 1)
        records = self.table.order[places]
        absent = (self.table.hashes[places] != names) | (self.table.lengths[records, 0] == 0)
        fresh = (self.table.stamps[records] == stamps_of(catalog)).all(1)
        fresh &= (self.table.sizes[records] == catalog.sizes).all(1)
        return int((absent | ~fresh).sum()), int(absent.sum())


class PackedImages:
    """The images of a catalog in a pack. A file is looked at once, when its image is first asked for.

    Args:
        pack: the pack.
        catalog: the images.
    """

    def __init__(self, pack: Pack, catalog: Catalog) -> None:
        self.pack = pack
        self._catalog = catalog
        self._records = np.zeros(len(catalog), np.int32)  # record + 1, `_UNKNOWN` or `_FILE`

    def __reduce__(self) -> tuple[Callable[..., "PackedImages"], tuple[Any, ...]]:
        """What was looked up is looked up again elsewhere."""
        return PackedImages, (self.pack, self._catalog)

    def picture(self, row: int, index: int) -> Picture | None:
        """Image `row` at level `index`; None where its file has to be read, since it changed or is not packed.

        Raises:
            BrokenImage: the pack is damaged.
        """
        record = self._record(row)
        if record is None:
            return None
        height, width = self._catalog.sizes[row].tolist()
        level = levels(height, width, self.pack.size)[index]
        scales = level.height / height, level.width / width
        data = self.pack.level(record, index)
        if self.pack.is_raw:
            rgb = np.frombuffer(data, np.uint8).reshape(level.height + 2 * PAD, level.width + 2 * PAD, 3)
            return Picture(rgb, scales[1], scales[0])

        def fill(x1: int, y1: int, x2: int, y2: int) -> None:
            try:
                blocks.fill(x1, y1, x2, y2)
            except ValueError as error:
                raise self._damaged(row) from error

        try:
            blocks = Blocks(divided(data, level.height, level.width), level.height, level.width)
        except ValueError as error:
            raise self._damaged(row) from error
        return Picture(blocks.pixels, scales[1], scales[0], fill)

    def _damaged(self, row: int) -> BrokenImage:
        return BrokenImage(row, f"{self.pack.path}: the pack is damaged at {self._catalog.name(row)}; make it again.")

    def _record(self, row: int) -> int | None:
        known = int(self._records[row])
        if known == _UNKNOWN:
            name, table = self._catalog.name(row), self.pack.table
            record = self.pack.find(name)
            if record is not None:
                same = status(f"{self._catalog.root}/{name}")[:2] == tuple(table.stamps[record].tolist())
                if not same or table.sizes[record].tolist() != self._catalog.sizes[row].tolist():
                    record = None
            known = _FILE if record is None else record + 1
            self._records[row] = known
        return None if known == _FILE else known - 1


def name_hash(name: str) -> int:
    """A fixed 64-bit number of a name, signed."""
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little", signed=True)


def stamps_of(catalog: Catalog) -> NDArray[np.int64]:
    """(M, 2) int64 size in bytes and time of change in ns of the image files; -1 0 where one is absent."""

    def look(first: int) -> list[tuple[int, int]]:
        rows = range(first, min(first + _BLOCK, len(catalog)))
        return [status(f"{catalog.root}/{catalog.name(row)}")[:2] for row in rows]

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(look, range(0, len(catalog), _BLOCK)))
    return np.array([stamp for block in found for stamp in block], np.int64).reshape(-1, 2)


def file_name(size: tuple[int, int], kind: str, quality: int) -> str:
    """What a pack is called beside its dataset.

    >>> file_name((640, 640), "jpeg", 95)
    '640x640-jpeg95.pack'
    """
    return f"{size[0]}x{size[1]}-{kind}{quality if kind == JPEG else ''}{_SUFFIX}"


def beside(root: Path, size: tuple[int, int], raw_only: bool = False) -> tuple[Pack | None, list[str]]:
    """The pack that lies beside a dataset for a canvas, raw ones first, and why others there are not used.

    One that came with the dataset from elsewhere is not used unasked: it could show other images than the files do.
    """
    refused = []
    for folder in folders(root):
        pattern = f"{size[0]}x{size[1]}-{JPEG}*{_SUFFIX}"
        jpegs = [] if raw_only else sorted(folder.glob(pattern), reverse=True)
        for path in (folder / file_name(size, RAW, 0), *jpegs):
            if not path.is_file():
                continue
            try:
                pack = Pack(path)
            except InputError as error:
                refused.append(str(error))
                continue
            if pack.table.token is not None and pack.table.token == token(folder) and not path.is_symlink():
                return pack, refused
            refused.append(f"{path}: this pack was not made here and is not used unless data.pack names it.")
    return None, refused
