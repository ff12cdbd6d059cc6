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
