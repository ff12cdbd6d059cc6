"""The comparison with the peers' loaders: its images, how it talks to loaders, its ratios, the peers' environment."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.throughput import __main__ as program
from benchmarks.throughput import loaders
from benchmarks.throughput.images import street
from benchmarks.throughput.loaders import CACHED, EQUAL, READ, Loader, Running, environment
from benchmarks.throughput.peers.folder import SIZE, Folder
from detaug.readers.image import decode
from detaug.readers.read import read
from tests.readers.making import obeys

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street(tmp_path_factory.mktemp("streets") / "street", 3, (256, 400))


@pytest.fixture(scope="module")
def folder(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program.folder(streets, tmp_path_factory.mktemp("out"))


def test_streets_have_the_size_and_signs_where_their_boxes_are(streets: Path) -> None:
    catalog = obeys(read(streets))
    assert len(catalog) == 3
    assert len(catalog.boxes) > 6
    for row in range(len(catalog)):
        image = decode(catalog.path(row)).astype(float)
        assert image.shape == (256, 400, 3)
        whole = image.std((0, 1)).mean()
        inside, shifted = [], []
        for x1, y1, x2, y2 in catalog.boxes[catalog.starts[row] : catalog.starts[row + 1]].round().astype(int):
            rows, columns = np.arange(y1, y2), np.arange(x1, x2)
            inside.append(edge(image[np.ix_(rows, columns)]))
            shifted.append(edge(image[np.ix_((rows + 128) % 256, (columns + 200) % 400)]))
        assert whole > 10
        assert np.median(inside) > 2 * np.median(shifted)


def edge(part: np.ndarray) -> float:
    """How much neighbouring pixels differ; a sign is full of edges, the street and the sky have few."""
    return float(np.abs(np.diff(part, axis=0)).mean() + np.abs(np.diff(part, axis=1)).mean())


def test_streets_are_drawn_once(streets: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in streets.rglob("*")}
    assert street(streets, 9, (512, 512)) == streets
    assert {p: p.stat().st_mtime_ns for p in streets.rglob("*")} == before


def test_the_peers_folder_has_the_boxes_of_the_streets(streets: Path, folder: Path) -> None:
    """Each peer's box, brought back to the street's pixels, is the street's."""
    catalog, peers = read(streets), Folder(folder, kept=True)
    assert len(peers) == len(catalog)
    for row in range(len(catalog)):
        image, boxes, labels = peers[row]
        assert max(image.shape[:2]) == SIZE
        own = slice(catalog.starts[row], catalog.starts[row + 1])
        back = boxes / np.tile(image.shape[1::-1], 2) * np.tile(catalog.sizes[row][::-1], 2)
        np.testing.assert_allclose(back, catalog.boxes[own], atol=0.01)
        names = [catalog.classes.names[label] for label in catalog.labels[own]]
        assert len(names) == len(labels)
        square, moved, _ = peers.square(row)
        assert square.shape == (SIZE, SIZE, 3)
        np.testing.assert_allclose(moved[:, 2:] - moved[:, :2], boxes[:, 2:] - boxes[:, :2], atol=1e-3)


LOADER = """
import sys, time
from benchmarks.throughput.rounds import serve
def prepare():
    print("said while it prepares")
    def make(count):
        print("said while it works", count)
        end = time.process_time() + 0.01 * count
        while time.process_time() < end:
            pass
        time.sleep(0.2)
    return make
serve(prepare)
"""


def test_a_loader_answers_each_line_with_its_cost_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADER], input="3\n10\n", cwd=ROOT, capture_output=True, text=True, check=True
    )
    ready, few, many = map(json.loads, done.stdout.splitlines())
    assert ready == {"ready": True}
    assert 0.03 <= few["cpu"] < many["cpu"]
    assert many["cpu"] >= 0.1
    for answer in (few, many):
        assert answer["clock"] >= answer["cpu"] + 0.15  # sleeping costs no CPU time
    assert done.stderr.count("said while it works") == 2
    assert "said while it prepares" in done.stderr


@pytest.mark.slow
def test_our_own_loader_makes_samples(folder: Path) -> None:
    running = Running.start(EQUAL, Path("never used"), folder, True)
    try:
        taken = running.round(16)
    finally:
        running.stop()
    assert 0 < taken["cpu"] < 60
    assert running.process.returncode is not None


def test_a_loader_that_ends_is_named(folder: Path) -> None:
    broken = Loader("the broken one", "benchmarks.throughput.no_such_module")
    with pytest.raises(SystemExit, match="the broken one ended with 1"):
        Running.start(broken, Path(sys.executable), folder, False)
    assert "no_such_module" in (folder.parent / "the broken one.log").read_text()


def test_ours_are_always_among_the_loaders() -> None:
    ours = [loader for loader in CACHED if loader.ours]
    assert len(ours) == 2
    assert program.among(CACHED, "") == list(CACHED)
    some = program.among(CACHED, "ULTRA")
    assert [loader for loader in some if loader.ours] == ours
    assert {loader.name.split(",")[0] for loader in some if not loader.ours} == {"Ultralytics"}
    assert all(loader.ours for loader in program.among(READ, "no such peer"))


def test_spread_is_least_median_greatest() -> None:
    assert program.spread([3, 1, 2, 10]) == (1, 2.5, 10)
    assert program.spread([7]) == (7, 7, 7)


class Given:
    """A loader whose costs are known; it notes in which turn it was asked."""

    def __init__(self, loader: Loader, costs: Sequence[float], turns: list[str]) -> None:
        self.loader, self.costs, self.turns = loader, list(costs), turns
        self.cpu: list[float] = []
        self.covered: list[float] = []
        self.stopped = False

    def round(self, samples: int) -> dict[str, float]:
        self.turns.append(self.loader.name)
        return {"cpu": self.costs.pop(0) * samples / 1e3, "clock": 99.0}

    def stop(self) -> None:
        self.stopped = True


def test_ratios_are_taken_within_a_round(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine three times as slow in one round moves no ratio, and the first round does not count."""
    peer, turns = Loader("peer", "peers.peer", samples=10), list[str]()
    costs = {EQUAL.name: [50, 2, 6, 2], peer.name: [1, 5, 15, 7]}
    made: list[Given] = []

    def start(loader: Loader, *_: Any) -> Given:
        made.append(Given(loader, costs[loader.name], turns))
        return made[-1]

    monkeypatch.setattr(Running, "start", start)
    program.compare("Title", [EQUAL, peer], Path("python"), Path("root"), 3, kept=True)
    out = capsys.readouterr().out
    own, other = (next(line for line in out.splitlines() if line.startswith(name)) for name in (EQUAL.name, "peer"))
    assert other.split()[1:5] == ["5.00", "7.00", "15.00", "143"]
    assert other.endswith("2.50 (2.50 to 3.50)")
    assert own.endswith("1.00 (1.00 to 1.00)")
    assert turns == [EQUAL.name, "peer"] * 4
    assert all(one.stopped for one in made)


def test_loaders_end_where_another_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Given(EQUAL, [], [])

    def start(loader: Loader, *_: Any) -> Given:
        if not loader.ours:
            raise SystemExit("it ended")
        return first

    monkeypatch.setattr(Running, "start", start)
    with pytest.raises(SystemExit):
        program.compare("Title", [EQUAL, Loader("peer", "peers.peer")], Path(), Path(), 1, kept=True)
    assert first.stopped


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be installed: commands are noted, and none is run."""
    commands: list[list[str]] = []

    def run(command: Sequence[object], check: bool, **_: Any) -> None:
        assert check
        commands.append([str(word) for word in command])

    monkeypatch.setattr("benchmarks.throughput.loaders.subprocess.run", run)
    monkeypatch.setattr(
        "benchmarks.throughput.loaders.venv.create", lambda folder, with_pip: Path(folder).mkdir(exist_ok=with_pip)
    )
    return commands


def test_the_peers_environment_is_made_where_it_is_missing(tmp_path: Path, installed: list[list[str]]) -> None:
    python = environment(tmp_path / "env")
    assert python == tmp_path / "env" / "bin" / "python"
    assert {command[0] for command in installed} == {str(python)}  # never into the environment that runs us
    assert set(loaders.PACKAGES) <= set(installed[0])
    before = len(installed)
    assert environment(tmp_path / "env") == python
    assert len(installed) == before


def test_an_environment_that_was_not_finished_is_made_again(
    tmp_path: Path, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: Sequence[object], check: bool, **_: Any) -> None:
        raise subprocess.CalledProcessError(1, [str(word) for word in command])

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.throughput.loaders.subprocess.run", fail)
        with pytest.raises(subprocess.CalledProcessError):
            environment(tmp_path / "env")
    assert not installed
    environment(tmp_path / "env")
    assert installed
