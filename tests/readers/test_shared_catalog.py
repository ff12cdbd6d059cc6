import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detaug.errors import InputError
from detaug.readers import index
from detaug.readers.read import read
from detaug.readers.shelf import KEPT
from detaug.readers.split import fold, with_splits
from tests.readers.indexing import OLD, files, large, make_voc, removed, same
from tests.readers.making import REAL, needs_real


def test_a_catalog_pickles_as_its_path_and_its_parts_by_value(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    catalog = read(root)
    assert catalog.index is not None
    assert catalog.index.name.encode() in pickle.dumps(catalog)
    assert b"stop" not in pickle.dumps(catalog)
    again = pickle.loads(pickle.dumps(catalog))  # noqa: S301
    assert same(again, catalog)
    assert again.index == catalog.index
    parts = [
        catalog.take(np.array([1, 0])),
        with_splits(catalog, 0.5),
        fold(catalog, 0, 2),
        replace(catalog, ids=catalog.ids + 1),
    ]
    before = files(root)
    for part in parts:
        assert part.index is None
        assert same(pickle.loads(pickle.dumps(part)), part)  # noqa: S301
    assert files(root) == before


def test_a_large_catalog_pickles_small(tmp_path: Path) -> None:
    catalog = large(tmp_path)
    part = catalog.split("train")
    for whole in (catalog, part):
        pickled = pickle.dumps(whole)
        assert len(pickled) < 2000
        again = pickle.loads(pickled)  # noqa: S301
        assert same(again, whole)
        assert again.index is not None
        assert again.index.parent == tmp_path / ".detaug"
    for path in files(tmp_path):
        path.unlink()
    with pytest.raises(InputError, match=r"[0-9a-f]{32}\.catalog: the saved index .* no longer there"):
        pickle.loads(pickled)  # noqa: S301
    assert same(pickle.loads(pickle.dumps(part)), part)  # noqa: S301


def test_a_rebuilt_index_changes_nothing_for_who_holds_the_old_one(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    catalog = read(root)
    pickled = pickle.dumps(catalog)
    removed(root)
    assert len(read(root)) == 2
    assert same(pickle.loads(pickled), catalog)  # noqa: S301


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    catalogs = [replace(large(tmp_path, 2), boxes_in=i) for i in range(KEPT + 3)]
    paths = []
    for age, catalog in enumerate(catalogs):
        paths.append(index.save(catalog, tmp_path))
        os.utime(paths[-1], ns=(OLD + age, OLD + age))
    paths.append(index.save(replace(catalogs[0], boxes_in=99), tmp_path))
    assert set(tmp_path.glob("*.catalog")) == set(paths[-KEPT:])
    half = [tmp_path / ".0.catalog.a", tmp_path / ".0.catalog.b"]
    for path in half:
        path.touch()
    os.utime(half[0], ns=(OLD, OLD))
    index.save(catalogs[0], tmp_path)
    assert [path.exists() for path in half] == [False, True]


def test_parts_are_the_rows_asked_for(tmp_path: Path) -> None:
    catalog = large(tmp_path, 70_000)
    rows = np.random.Generator(np.random.Philox(1)).permutation(len(catalog))
    part = catalog.take(rows)
    for place in (0, 1, 65_535, 65_536, 69_999):
        row = int(rows[place])
        assert part.name(place) == catalog.name(row)
        assert np.array_equal(part.boxes[part.objects(place)], catalog.boxes[catalog.objects(row)])
        assert np.array_equal(part.labels[part.objects(place)], catalog.labels[catalog.objects(row)])
        assert part.ids[place] == catalog.ids[row]
    none = catalog.take(rows[:0])
    assert (len(none), len(none.boxes), len(none.text)) == (0, 0, 0)


SPAWNED = """
import multiprocessing, sys
import numpy as np
from detaug.readers.read import read

def walked(catalog):
    return catalog.name(0), float(catalog.boxes.sum()), [str(f) for f in catalog.findings], str(catalog.index)

if __name__ == "__main__":
    catalog = read(sys.argv[1])
    with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
        assert pool.apply(walked, (catalog,)) == walked(catalog)
        part = catalog.take(np.array([1]))
        assert pool.apply(walked, (part,)) == walked(part)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in multiprocessing.get_all_start_methods() if m != "fork"])
def test_other_processes_see_the_same(tmp_path: Path, method: str) -> None:
    root = make_voc(tmp_path / "set")
    script = tmp_path / "script.py"
    script.write_text(SPAWNED)
    done = subprocess.run([sys.executable, str(script), str(root), method], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def built(root: str) -> int:
    return sum(len(read(root).boxes) for _ in range(5))


@pytest.mark.slow
def test_processes_that_build_at_once(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "set")
    expected = len(read(root, index=False).boxes)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(built, [str(root)] * 8, chunksize=1) == [5 * expected] * 8
    assert same(read(root), read(root, index=False))
    assert len(list((root / ".detaug").glob("*.catalog"))) == 1
    assert not [p for p in (root / ".detaug").iterdir() if p.name.startswith(".")]


@pytest.mark.slow
@needs_real
def test_real_datasets_come_back(tmp_path: Path) -> None:
    shutil.copytree(REAL / "data" / "road_signs", tmp_path / "set", ignore=shutil.ignore_patterns(".detaug"))
    first = read(tmp_path / "set")
    assert same(read(tmp_path / "set"), first)
    assert same(read(tmp_path / "set", index=False), first)
