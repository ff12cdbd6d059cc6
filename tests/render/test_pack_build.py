"""Making packs: in parallel, whole or not at all, and going on where it stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import detaug.render.pack_build as pack_build
from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.readers.read import read
from detaug.readers.shelf import clock, token
from detaug.render.pack import Pack, beside, file_name
from detaug.render.pack_build import Built, Wanted, build
from detaug.render.pack_file import JPEG, RAW
from detaug.render.pack_part import Part
from detaug.render.picture import pictures
from tests.render.test_pack import LONG_AGO, SIZE, aged, textured

Watched = Callable[[Iterable[Any]], Iterator[Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return textured(tmp_path / "set", (150, 200))


@pytest.fixture
def catalog(root: Path) -> Catalog:
    return read(root)


@pytest.fixture
def wanted(catalog: Catalog) -> Wanted:
    return Wanted(catalog, SIZE, RAW)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded while building."""
    seen: list[Path] = []

    def noting(path: Path, *others: Any) -> Any:
        seen.append(path)
        return pictures(path, *others)

    monkeypatch.setattr(pack_build, "pictures", noting)
    return seen


def stopped_after(steps: int, error: BaseException) -> Watched:
    def watched(coming: Iterable[Any]) -> Iterator[Any]:
        for number, step in enumerate(coming):
            if number == steps:
                raise error
            yield step

    return watched


@pytest.mark.parametrize("kind", [RAW, JPEG])
def test_threads_do_not_matter(catalog: Catalog, tmp_path: Path, kind: str) -> None:
    files = []
    for threads in (1, 3):
        path = tmp_path / f"{threads}.pack"
        build(Wanted(catalog, SIZE, kind, 95 if kind == JPEG else 0), path, threads)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pack", "3.pack", "set"]


def test_what_is_up_to_date_is_left_alone(wanted: Wanted, tmp_path: Path, decoded: list[Path]) -> None:
    path = tmp_path / "a.pack"
    assert build(wanted, path).made
    before, count = path.stat(), len(decoded)
    assert not build(wanted, path).made
    assert len(decoded) == count == len(wanted.catalog)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_stopped_build_goes_on(wanted: Wanted, tmp_path: Path, decoded: list[Path], error: BaseException) -> None:
    whole, path = tmp_path / "whole.pack", tmp_path / "a.pack"
    build(wanted, whole)
    decoded.clear()
    with pytest.raises((KeyboardInterrupt, InputError)):
        build(wanted, path, watched=stopped_after(6, error))
    assert not path.exists()
    decoded.clear()
    built = build(wanted, path)
    assert built.resumed == 6
    assert len(decoded) == len(wanted.catalog) - 6
    assert path.read_bytes() == whole.read_bytes()


def test_a_stopped_build_of_other_images_begins_anew(wanted: Wanted, tmp_path: Path) -> None:
    path = tmp_path / "a.pack"
    with pytest.raises(KeyboardInterrupt):
        build(wanted, path, watched=stopped_after(6, KeyboardInterrupt()))
    os.utime(wanted.catalog.path(8), (LONG_AGO + 5, LONG_AGO + 5))
    assert build(wanted, path).resumed == 0


@pytest.mark.parametrize("spoil", ["journal", "part", "zeros", "bit", "gone", "noise"])
def test_only_what_is_safe_is_gone_on_from(wanted: Wanted, tmp_path: Path, spoil: str) -> None:
    """A crash may cut both files anywhere, and leave zeros in them."""
    whole, path = tmp_path / "whole.pack", tmp_path / "a.pack"
    build(wanted, whole)
    with pytest.raises(KeyboardInterrupt):
        build(wanted, path, watched=stopped_after(6, KeyboardInterrupt()))
    part, journal = tmp_path / "a.pack.part", tmp_path / "a.pack.journal"
    said = journal.read_bytes()
    if spoil == "journal":
        journal.write_bytes(said[:-3])
    elif spoil == "part":
        os.truncate(part, part.stat().st_size - 70)
    elif spoil == "zeros":
        journal.write_bytes(said[:-48] + bytes(200))
    elif spoil == "bit":
        journal.write_bytes(said[:-30] + bytes([said[-30] ^ 1]) + said[-29:])
    elif spoil == "gone":
        part.unlink()
    else:
        journal.write_bytes(said + b"\xff" * 999)
    assert build(wanted, path).resumed == {"gone": 0, "noise": 6}.get(spoil, 5)
    assert path.read_bytes() == whole.read_bytes()


KILLED = """
import sys, time
from pathlib import Path
import detaug.render.pack_part as part
part._BYTES = 1
from detaug.readers.read import read
from detaug.render.pack_build import Wanted, build
def slow(steps):
    for number, step in enumerate(steps):
        yield step
        print(number, flush=True)
        time.sleep(0.02 if number < 4 else 60)
build(Wanted(read(sys.argv[1]), (64, 96), "raw"), Path(sys.argv[2]), 2, slow)
"""


@pytest.mark.slow
def test_a_killed_build_goes_on_and_a_second_one_keeps_off(wanted: Wanted, root: Path, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.pack", tmp_path / "a.pack"
    build(wanted, whole)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        with pytest.raises(InputError, match=r"a\.pack\.part: another `detaug pack` is making this pack now"):
            build(wanted, path)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert not path.exists()
    assert build(wanted, path).resumed >= 4
    assert path.read_bytes() == whole.read_bytes()


def test_only_what_changed_is_decoded_again(wanted: Wanted, tmp_path: Path, decoded: list[Path]) -> None:
    path = tmp_path / "a.pack"
    build(wanted, path)
    first, second = wanted.catalog.path(0), wanted.catalog.path(1)
    shutil.copy(second, first)
    os.utime(first, (LONG_AGO + 5, LONG_AGO + 5))
    decoded.clear()
    built = build(wanted, path)
    assert (built.reused, decoded) == (len(wanted.catalog) - 1, [first])
    fresh = build(wanted, tmp_path / "fresh.pack")
    assert path.read_bytes() == (tmp_path / "fresh.pack").read_bytes()
    assert bytes(fresh.pack.level(0, 0)) == bytes(fresh.pack.level(1, 0))


def test_an_image_of_this_moment_is_waited_for(wanted: Wanted, tmp_path: Path) -> None:
    """What is overwritten within a clock's tick of being packed would not show in its time."""
    changed = wanted.catalog.path(0)
    os.utime(changed)
    build(wanted, tmp_path / "a.pack")
    assert time.time_ns() - changed.stat().st_mtime_ns >= 2e9


def test_other_files_are_never_replaced(wanted: Wanted, root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("my own")
    with pytest.raises(InputError, match=r"mine\.txt: this file is not replaced"):
        build(wanted, mine)
    other = textured(tmp_path / "other", (70, 80))
    for path in sorted(other.rglob("*.jpg")):
        path.rename(path.with_suffix(".jpeg"))
    shutil.rmtree(other / "annotations")
    build(Wanted(read(aged(other), "images"), SIZE, RAW), tmp_path / "other.pack")
    with pytest.raises(InputError, match=r"other\.pack: this pack is not replaced"):
        build(wanted, tmp_path / "other.pack")
    assert mine.read_text() == "my own"
    assert root.is_dir()


def test_links_are_not_written_through(wanted: Wanted, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("my own")
    for name in ("a.pack.part", "a.pack.journal"):
        link = tmp_path / name
        link.symlink_to(mine)
        with pytest.raises((InputError, OSError)):
            build(wanted, tmp_path / "a.pack")
        link.unlink()
    assert mine.read_text() == "my own"


def test_a_disk_without_room_is_said_before(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[Path]
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(InputError, match=r"a\.pack: the pack will take 0\.0 GB more and the disk has 0\.0"):
        build(wanted, tmp_path / "a.pack")
    assert decoded == []


def test_a_disk_that_fills_ends_in_one_sentence(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, real = [0], os.pwrite

    def full(handle: int, data: Any, start: int) -> int:
        written[0] += len(data)
        if written[0] > 200_000:
            raise OSError(28, "No space left on device")
        return real(handle, data, start)

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(InputError, match=r"a\.pack: the pack cannot be written \(No space left on device\)"):
        build(wanted, tmp_path / "a.pack")
    monkeypatch.undo()
    build(wanted, tmp_path / "b.pack")
    build(wanted, tmp_path / "a.pack")
    assert (tmp_path / "a.pack").read_bytes() == (tmp_path / "b.pack").read_bytes()


def test_only_some_images_wait_in_memory(wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, written, most = [0], [0], [0]
    real = pack_build._levels

    def noting(*args: Any) -> Any:
        begun[0] += 1
        most[0] = max(most[0], begun[0] - written[0])
        return real(*args)

    def watched(steps: Iterable[Any]) -> Iterator[Any]:
        for step in steps:
            yield step
            written[0] += 1
            time.sleep(0.01)

    monkeypatch.setattr(pack_build, "_levels", noting)
    build(wanted, tmp_path / "a.pack", 2, watched)
    assert begun[0] == len(wanted.catalog)
    assert most[0] <= 2 * 3


def at_home(catalog: Catalog, kind: str = RAW) -> Built:
    """A pack beside its dataset."""
    folder = catalog.root / ".detaug"
    assert clock(folder) is not None
    quality = 95 if kind == JPEG else 0
    return build(Wanted(catalog, SIZE, kind, quality, token(folder)), folder / file_name(SIZE, kind, quality))


def test_the_pack_beside_a_dataset_is_found(catalog: Catalog, root: Path) -> None:
    assert beside(root, SIZE) == (None, [])
    at_home(catalog, JPEG)
    found = beside(root, SIZE)[0]
    assert found is not None
    assert not found.is_raw
    assert beside(root, SIZE, raw_only=True) == (None, [])
    assert beside(root, (96, 64)) == (None, [])
    at_home(catalog)
    found = beside(root, SIZE)[0]
    assert found is not None
    assert found.is_raw


def test_a_pack_from_elsewhere_is_neither_used_nor_copied_from(catalog: Catalog, root: Path, tmp_path: Path) -> None:
    """An archive can hold a pack that shows other images than its files, with the right names and times."""
    forged = at_home(catalog).pack
    data = bytearray(forged.path.read_bytes())
    start = int(forged.table.starts[0, 0])
    data[start : start + 500] = bytes(500)
    (root / ".detaug" / forged.path.name).write_bytes(data)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    found, refused = beside(copy, SIZE)
    assert found is None
    assert "was not made here" in refused[0]
    built = at_home(read(copy))
    assert (built.made, built.reused) == (True, 0)
    assert np.frombuffer(built.pack.level(0, 0)[:500], np.uint8).any()


def test_a_pack_is_finished_once(wanted: Wanted, tmp_path: Path) -> None:
    """A builder that waited for the lock of a file which was renamed meanwhile takes a new one."""
    path = tmp_path / "a.pack"
    build(wanted, path)
    part = Part(path, "00", 3)
    try:
        assert part.records == []
        assert Pack(path).missing(wanted.catalog) == (0, 0)
    finally:
        part.close()
