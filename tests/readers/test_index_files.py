import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detaug.errors import Finding
from detaug.readers import index
from detaug.readers.arrays import packed, unpacked
from detaug.readers.catalog import pack_names
from detaug.readers.kept import catalog_from, content_of
from detaug.readers.read import read
from tests.readers.indexing import files, large, make_voc, make_yolo, same

DAMAGE = st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6)
LENGTHS = st.tuples(*[st.sampled_from([1.0, 1.0, 0.5, 0.01, 0.0])] * 3)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE, lengths=LENGTHS)
def test_a_damaged_index_is_as_good_as_none(
    tmp_path: Path, damage: list[tuple[int, float, int]], lengths: tuple[float, ...]
) -> None:
    root = tmp_path / "set"
    if not root.exists():
        make_yolo(root)
    plain = read(root, index=False)
    read(root)
    for number, (path, length) in enumerate(zip(files(root), lengths, strict=False)):
        content = bytearray(path.read_bytes())
        for _, place, flip in (d for d in damage if d[0] == number and content):
            content[int(place * len(content))] ^= flip
        path.write_bytes(content[: int(length * len(content))])
    assert same(read(root), plain)
    assert same(read(root), plain)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_forged_catalog_is_sound_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Even with a digest that fits, no array leads out of another and no name out of the root."""
    path = tmp_path / "forged"
    header, arrays = content_of(large(tmp_path, 4))
    name = data.draw(st.sampled_from(sorted(arrays)))
    forged = arrays[name].copy().reshape(-1)
    if len(forged):
        forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.sampled_from([0, 1, 3, 46, 47, 127]))
        if forged.dtype.kind == "i":
            forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.sampled_from([-1, -7, 2**31 - 1]))
    shape = data.draw(st.sampled_from([arrays[name].shape, (len(forged),), (1, len(forged))]))
    path.write_bytes(packed(header, {**arrays, name: forged.reshape(shape)}))
    content = unpacked(path)
    assert content is not None
    catalog = catalog_from(content, tmp_path)
    if catalog is not None:
        for row in range(len(catalog)):
            assert ".." not in catalog.name(row).split("/")
            assert not catalog.name(row).startswith("/")
            assert len(catalog.boxes[catalog.objects(row)]) == catalog.starts[row + 1] - catalog.starts[row] >= 0
        assert len(catalog.class_counts()) == len(catalog.classes)
        assert (catalog.classes.mirror < len(catalog.classes)).all()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_forged_table_of_arrays_never_leaves_the_file(tmp_path: Path, data: st.DataObject) -> None:
    from hashlib import blake2b

    path = tmp_path / "forged"
    body = packed({"a": 1}, {"x": np.arange(40), "y": np.zeros((3, 4), np.float32)})
    length = int.from_bytes(body[16:24], "little")
    content = json.loads(body[24 : 24 + length])
    entry = content["arrays"][data.draw(st.sampled_from(["x", "y"]))]
    entry[data.draw(st.integers(0, 2))] = data.draw(
        VALUES | st.sampled_from([[-1], [2**62, 4], [2**70], 64, -64, 2**63, "|O", "<f8", [40, 0], [[1]]])
    )
    text = json.dumps(content).encode()
    text += b" " * (-(24 + len(text)) % 64)
    stated = data.draw(st.sampled_from([len(text), len(text) + 64, 2**63, 0]))
    whole = body[:16] + stated.to_bytes(8, "little") + text + body[-(128 * 4 + 16) : -16]
    path.write_bytes(whole + blake2b(whole, digest_size=16).digest())
    found = unpacked(path)
    for array in found[1].values() if found is not None else ():
        assert array.nbytes <= len(whole)
        array.tobytes()


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "a\0b", ".."])
def test_a_forged_name_is_refused(tmp_path: Path, name: str) -> None:
    text, ends = pack_names(["a.jpg", name])
    base = large(tmp_path, 2)
    assert catalog_from(content_of(replace(base, text=text, ends=ends)), tmp_path) is None
    text, ends = pack_names(["a..b.jpg", "..c/d"])
    assert catalog_from(content_of(replace(base, text=text, ends=ends)), tmp_path) is not None


def test_findings_and_odd_names_come_back(tmp_path: Path) -> None:
    found = (Finding("k", "\udce9.jpg", 'a "quoted" \0 é', 2, 1), Finding("k", "", "", 0, 0))
    catalog = replace(large(tmp_path, 3), findings=found, has_images=False, boxes_in=11)
    assert same(index.load(index.save(catalog, tmp_path), tmp_path), catalog)


def test_file_names_that_are_not_unicode(tmp_path: Path, reads: list[str]) -> None:
    root = make_voc(tmp_path / "set")
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/annotations/\xff.xml")).write_text("<annotation/>")
    except OSError:
        pytest.skip("this file system has no such names")
    first = read(root, "voc")
    assert same(read(root, "voc"), first)
    assert reads == ["voc"]
