"""Where a layer's pixels come from: decoded images at the sizes that rendering needs."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.image import Coded
from detaug.render.bank import Bank
from detaug.render.memory import Chunks, Memory, apart, passing
from detaug.render.pack_file import raw_bytes
from detaug.render.picture import Opener, Picture, pictures
from detaug.scenes.levels import levels

if TYPE_CHECKING:
    from detaug.render.pack import Pack


class BrokenImage(InputError):
    """An image that cannot be used, found while rendering.

    Attributes:
        row: its catalog row.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


class Source:
    """Decoded images with a bounded cache. What the cache holds never changes a pixel.

    Args:
        catalog: the images.
        size: canvas height and width, which sets the levels.
        cache_bytes: bound on the memory of the cache; None is unbounded, 0 keeps nothing. What is held
            comes on top.
        open_file: how a file is read.
        pack: levels that were made before; a raw one is its own cache.
        bank: the pixels of donors; not asked where there is a pack, whose pixels may differ a little from the files'.

    Raises:
        InputError: there are no image files, or the pack is for another canvas.
    """

    def __init__(
        self,
        catalog: Catalog,
        size: tuple[int, int],
        cache_bytes: int | None = None,
        open_file: Opener = Coded,
        pack: "Pack | None" = None,
        bank: Bank | None = None,
    ) -> None:
        catalog.require_images()
        self.catalog = catalog
        self.size = size
        self.cache_bytes = cache_bytes
        self._open = open_file
        self._packed = None if pack is None else pack.of(catalog, size)
        self._bank = bank if pack is None else None
        self._kept: OrderedDict[tuple[int, int], Picture] = OrderedDict()
        self._bytes = 0
        self._memory: Memory | None = None  # until the first image is decoded
        self._holding: frozenset[int] = frozenset()
        self._held: dict[tuple[int, int], Picture] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Another process reads the pack by itself; what this one decoded from it stays here."""
        if self._packed is None:
            return self.__dict__
        return self.__dict__ | {"_kept": OrderedDict(), "_held": {}, "_bytes": 0}

    def hold(self, rows: Iterable[int]) -> None:
        """Keep what is decoded of these images, beside the cache and its bound, until others are named."""
        holding = frozenset(rows)
        if holding != self._holding:
            self._holding = holding
            self._held = {key: picture for key, picture in self._held.items() if key[0] in holding}

    def picture(self, row: int, index: int, whole: bool = True) -> Picture:
        """Image `row` at level `index`.

        Args:
            row: its catalog row.
            index: which of its `levels`.
            whole: False where its pixels will be asked for through `Picture.window` alone.

        Raises:
            BrokenImage: the file cannot be decoded, or no longer has the size that the catalog names.
        """
        key = (row, index)
        made = self._remembered(key) or self._from_pack(key) or self._from_file(key)
        if whole:
            made.window(0, 0, *made.rgb.shape[1::-1])
        return made

    def fill(self, rows: Iterable[int]) -> None:
        """Decode these images at all of their levels, so that what the cache can hold of them is in it.

        Raises:
            BrokenImage: as in `picture`.
        """
        for row in rows:
            height, width = (int(v) for v in self.catalog.sizes[row])
            for index in range(len(levels(height, width, self.size))):
                self.picture(row, index)

    def patch(self, box: int, row: int, index: int) -> Picture | None:
        """The piece of image `row` at level `index` that is kept round a donor, without decoding; None if none is.

        Args:
            box: the donor's row among the catalog's boxes; -1 is no donor.
            row: its image's catalog row.
            index: which of its `levels`.
        """
        patch = None if self._bank is None or box < 0 else self._bank.patch(box, row, index)
        if patch is None:
            return None
        height, width = (int(v) for v in self.catalog.sizes[row])
        level = levels(height, width, self.size)[index]
        return Picture(patch.rgb, level.width / width, level.height / height, None, patch.left, patch.top)

    def _remembered(self, key: tuple[int, int]) -> Picture | None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        return self._held.get(key)

    def _from_pack(self, key: tuple[int, int]) -> Picture | None:
        picture = None if self._packed is None else self._packed.picture(*key)
        if picture is not None and picture.fill is not None:
            self._keep(key, picture)
        return picture

    def _from_file(self, key: tuple[int, int]) -> Picture:
        row, index = key
        height, width = (int(v) for v in self.catalog.sizes[row])
        sizes = levels(height, width, self.size)
        more = self.cache_bytes != 0 or row in self._holding  # what is kept will be asked for again
        try:
            made = pictures(self.catalog.path(row), (height, width), sizes, (index,), self._open, more, self._room())
        except InputError as error:
            raise BrokenImage(row, str(error)) from error
        for i, picture in made.items():
            self._keep((row, i), picture)
        return made[index]

    def _room(self) -> Memory:
        """Where decoded images lie: side by side where the cache can hold all of them, so that none is let go."""
        if self._memory is None:
            most = self.cache_bytes
            whole = most is None or raw_bytes(self.catalog.sizes, self.size).sum() <= most
            self._memory = passing if most == 0 else Chunks() if whole else apart
        return self._memory

    def _keep(self, key: tuple[int, int], picture: Picture) -> None:
        if key[0] in self._holding:
            self._held[key] = picture
        if self.cache_bytes is not None and picture.rgb.nbytes > self.cache_bytes:
            return
        if key not in self._kept:
            self._bytes += picture.rgb.nbytes
        self._kept[key] = picture
        while self.cache_bytes is not None and self._bytes > self.cache_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].rgb.nbytes
