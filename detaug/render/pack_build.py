"""Making a pack: images decoded in parallel, written in order."""

import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.image import Pixels
from detaug.readers.root import status
from detaug.readers.stamps import RACY
from detaug.render.blocks import encoded
from detaug.render.pack import Pack, name_hash, stamps_of
from detaug.render.pack_file import FORM, RAW, Table, raw_bytes
from detaug.render.pack_part import Part, starts_of
from detaug.render.picture import pictures
from detaug.scenes.levels import levels

GB = 2**30
_AHEAD = 3  # images for each thread that are decoded before they are written
_TRIED = 16  # images whose JPEGs are measured before a disk is filled
_ROOM = 1.2  # times what those say
_ABSENT = (-1, 0)

Watched = Callable[[Iterable[Any]], Iterable[Any]]
Levels = tuple[tuple[int, int], list[bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pack is to be.

    Attributes:
        catalog: its images.
        size: the canvas, height and width.
        kind: `raw` or `jpeg`.
        quality: of the JPEGs, 1 to 100; 0 for raw.
        token: of the folder it lies in, if that is a dataset's own.
    """

    catalog: Catalog
    size: tuple[int, int]
    kind: str
    quality: int = 0
    token: list[int] | None = None

    def key(self) -> str:
        """A digest of what the pack depends on: names, sizes and stamps of the images, and how they are kept."""
        said = (FORM, self.kind, self.quality, self.size, self.token)
        digest = hashlib.blake2b(repr(said).encode(), digest_size=16)
        for array in (self.catalog.text, self.catalog.ends, self.catalog.sizes, stamps_of(self.catalog)):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a build.

    Attributes:
        pack: it, opened.
        broken: images that could not be decoded and are not in it.
        resumed: images that an earlier, stopped build had written.
        reused: images that were copied from an older pack.
        made: whether anything was done; False where the pack was there already.
    """

    pack: Pack
    broken: int
    resumed: int = 0
    reused: int = 0
    made: bool = True


def build(wanted: Wanted, path: Path, threads: int = 1, watched: Watched = iter) -> Built:
    """Make a pack, or finish one that was begun; one that is there and up to date is left alone.

    Args:
        wanted: what it is to be.
        path: where; an older pack of this dataset there is replaced when the new one is whole.
        threads: how many decode.
        watched: is handed the steps one after the other, so that it can show how far they are.

    Raises:
        InputError: no image files, no room, another build of the same pack, or something else lies there.
    """
    wanted.catalog.require_images()
    key, old = wanted.key(), _older(wanted, path)
    if old is not None and old.table.key == key:
        return Built(old, int((old.table.lengths[:, 0] == 0).sum()), made=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Part(path, key, len(wanted.catalog))
    try:
        resumed, reused = len(part.records), 0
        _require_room(wanted, path, part.end)
        with ThreadPoolExecutor(threads) as pool:
            for (stamp, found), copied in watched(_made(wanted, old, pool, resumed, threads * _AHEAD)):
                part.add(stamp, found)
                reused += copied
        part.commit()
        part.finish(_table(wanted, key, part).closing(part.end))
    except BaseException as error:
        with suppress(OSError):
            part.commit()
        if isinstance(error, OSError):
            reason = f"the pack cannot be written ({error.strerror or error}); the same command goes on from here"
            raise InputError(f"{path}: {reason}.") from error
        raise
    finally:
        part.close()
    pack = Pack(path)
    return Built(pack, int((pack.table.lengths[:, 0] == 0).sum()), resumed, reused)


def _older(wanted: Wanted, path: Path) -> Pack | None:
    """The pack that lies there already.

    Raises:
        InputError: it is no pack, or one of another dataset or form, which is not replaced.
    """
    if not path.exists() and not path.is_symlink():
        return None
    try:
        old = Pack(path)
    except InputError as error:
        if wanted.token is not None:
            return None  # a damaged file of our own
        raise InputError(f"{path}: this file is not replaced, since it is no whole pack; remove it first.") from error
    table, names = old.table, range(len(wanted.catalog))
    same = (table.kind, table.quality, table.size) == (wanted.kind, wanted.quality, wanted.size)
    if wanted.token is not None and table.token != wanted.token:
        return None  # it came from elsewhere, and nothing is copied from it
    if same and any(old.find(wanted.catalog.name(row)) is not None for row in names):
        return old
    if wanted.token is not None:
        return None
    raise InputError(f"{path}: this pack is not replaced, since it holds other images or another size or form of them.")


def _require_room(wanted: Wanted, path: Path, written: int) -> None:
    """Stop before a disk is full.

    Raises:
        InputError: the pack will not fit.
    """
    needed, free = expected_bytes(wanted) - written, shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"{path}: the pack will take {needed / GB:.1f} GB more and the disk has {free / GB:.1f}; name another "
            "place with --out, take --as jpeg or a smaller --size."
        )


def expected_bytes(wanted: Wanted) -> int:
    """About how large a pack will be; JPEGs are judged by some of the images."""
    raw = raw_bytes(wanted.catalog.sizes, wanted.size).sum(1)
    if wanted.kind == RAW or not len(raw):
        return int(raw.sum())
    rows = np.unique(np.linspace(0, len(raw) - 1, _TRIED).astype(np.int64)).tolist()
    tried = [(sum(map(len, _levels(wanted, row)[1])), int(raw[row])) for row in rows]
    seen = [(jpeg, pixels) for jpeg, pixels in tried if jpeg]
    share = sum(jpeg for jpeg, _ in seen) / sum(pixels for _, pixels in seen) if seen else 1.0
    return int(raw.sum() * share * _ROOM)


def _made(
    wanted: Wanted, old: Pack | None, pool: ThreadPoolExecutor, first: int, ahead: int
) -> Iterator[tuple[Levels, bool]]:
    """The levels of the images from a row on, in order, and whether they were copied; only some wait in memory."""
    coming: deque[Future[tuple[Levels, bool]]] = deque()
    try:
        for row in range(first, len(wanted.catalog)):
            coming.append(pool.submit(_copied_or_made, wanted, old, row))
            if len(coming) >= ahead:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        for future in coming:
            future.cancel()


def _copied_or_made(wanted: Wanted, old: Pack | None, row: int) -> tuple[Levels, bool]:
    """An image's levels: from an older pack where its file is still the same, else from the file."""
    if old is not None and (record := old.find(wanted.catalog.name(row))) is not None:
        size, changed = old.table.stamps[record].tolist()
        same = status(wanted.catalog.path(row))[:2] == (size, changed)
        if same and np.array_equal(old.table.sizes[record], wanted.catalog.sizes[row]):
            found: Sequence[memoryview] = [old.level(record, index) for index in range(old.table.lengths.shape[1])]
            return ((size, changed), [level for level in found if len(level)]), True
    return _levels(wanted, row), False


def _levels(wanted: Wanted, row: int) -> Levels:
    """The stamp of an image's file and its levels; no level where it cannot be decoded, or changes just now."""
    path = wanted.catalog.path(row)
    height, width = wanted.catalog.sizes[row].tolist()
    stamp = _settled(path)
    try:
        sizes = levels(height, width, wanted.size)
        made = pictures(path, (height, width), sizes, range(len(sizes)))
    except InputError:
        return _ABSENT, []
    if status(path)[:2] != stamp:
        return _ABSENT, []
    return stamp, [_level(wanted, made[index].rgb) for index in range(len(sizes))]


def _level(wanted: Wanted, padded: Pixels) -> bytes | memoryview:
    return padded.reshape(-1).data if wanted.kind == RAW else encoded(padded, wanted.quality)


def _settled(path: Path) -> tuple[int, int]:
    """A file's size and time of change, once it is old enough for any later change to show in that time."""
    stamp = status(path)[:2]
    age = time.time_ns() - stamp[1]
    if abs(age) < RACY:
        time.sleep(max(RACY - age, 0) / 1e9)
        return status(path)[:2]
    return stamp


def _table(wanted: Wanted, key: str, part: Part) -> Table:
    catalog = wanted.catalog
    records = np.array(part.records, np.int64).reshape(len(catalog), -1)
    hashes = np.array([name_hash(catalog.name(row)) for row in range(len(catalog))], np.int64)
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    lengths = np.ascontiguousarray(records[:, 2:])
    return Table(
        size=wanted.size, kind=wanted.kind, quality=wanted.quality, key=key, token=wanted.token,
        text=catalog.text, ends=catalog.ends, sizes=catalog.sizes, stamps=np.ascontiguousarray(records[:, :2]),
        starts=starts_of(lengths), lengths=lengths, hashes=hashes[order], order=order,
    )  # fmt: skip


def cores() -> int:
    """Threads that decode by default."""
    return min(16, os.cpu_count() or 1)
