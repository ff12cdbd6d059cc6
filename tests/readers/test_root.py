import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detaug.errors import InputError
from detaug.readers.root import Root

part = st.sampled_from(["a", "b", "..", ".", "", "to_a", "out", "file.jpg", "out.jpg", "in.jpg"])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with links that stay inside (`to_a`, `in.jpg`) and links that leave it (`out`, `out.jpg`)."""
    outside = tmp_path_factory.mktemp("outside")
    folder = outside / "set"
    (folder / "a" / "b").mkdir(parents=True)
    (outside / "file.jpg").touch()
    for place in (folder, folder / "a", folder / "a" / "b"):
        (place / "file.jpg").touch()
        os.symlink(outside / "file.jpg", place / "out.jpg")
        os.symlink(folder / "file.jpg", place / "in.jpg")
    os.symlink(folder / "a", folder / "to_a")
    os.symlink(outside, folder / "out")
    return folder


@given(st.lists(part, min_size=1, max_size=6), st.sampled_from(["/", "\\"]))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_inside_agrees_with_resolving_the_path(root: Path, parts: list[str], slash: str) -> None:
    name = slash.join(parts)
    clean = Root(root).inside(name)
    real = (root / "/".join(parts)).resolve()
    stays = real.is_relative_to(root.resolve()) and not name.startswith(slash)
    assert (clean is not None) == stays
    if clean is not None:
        assert (root.resolve() / clean) == real


@pytest.mark.parametrize("name", ["/a", "\\a", "C:\\a", "c:a", "a\0b", "..", "a/../..", "\\\\server\\share"])
def test_names_that_lead_out(root: Path, name: str) -> None:
    assert Root(root).inside(name) is None
    with pytest.raises(InputError, match="is not read"):
        Root(root).file(name)


def test_hidden_files_and_linked_folders_are_not_listed(root: Path) -> None:
    (root / "._file.jpg").touch()
    listed = Root(root).listed("", {".jpg"}, deep=True)
    assert "file.jpg" in listed
    assert "a/b/file.jpg" in listed
    assert not any(name.startswith(("._", "to_a/", "out/")) for name in listed)


def test_links_are_followed_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("a")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="follow_links"):
        Root(tmp_path / "set").file("linked/a.txt")
    open_root = Root(tmp_path / "set", follow_links=True)
    assert open_root.file("linked/a.txt").read_text() == "a"
    assert open_root.inside("b/../linked/./a.txt") == "linked/a.txt"
    for name in ("..", "linked/../../b", "/a", "C:/a", "a\0b", "../set"):
        assert open_root.inside(name) is None, name


def test_a_root_remembers_what_its_catalog_depends_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("b")
    root = Root(tmp_path)
    root.file("a/../a/b.txt")
    root.listed("a", {".txt"}, deep=True)
    assert list(root.files) == ["a/b.txt"]
    assert list(root.folders) == [("a", frozenset({".txt"}), True)]


def test_names_are_found_as_the_disk_spells_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("IMG.JPG", "Gro\u0308ße.jpg", "exact.jpg", "EXACT.jpg"):
        (tmp_path / "a" / name).touch()
    root = Root(tmp_path)
    assert root.spelled("a/img.jpg") == "a/IMG.JPG"
    assert root.spelled("a/Größe.jpg") == "a/Gro\u0308ße.jpg"
    assert root.spelled("a/exact.jpg") == "a/exact.jpg"
    assert root.spelled("a/gone.jpg") == "a/gone.jpg"
    assert root.spelled("gone/img.jpg") == "gone/img.jpg"


def test_another_spelling_that_leads_out_is_not_taken(root: Path) -> None:
    assert Root(root).spelled("OUT.JPG") == "OUT.JPG"


def test_what_lies_behind_a_link_is_told_from_what_is_missing(root: Path) -> None:
    assert [Root(root).is_linked(name) for name in ("out", "out.jpg", "to_a", "gone", "..", "a\0b")] == [
        True, True, False, False, False, False
    ]  # fmt: skip
