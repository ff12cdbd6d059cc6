import json
import re
import shutil
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from detaug.cli import main
from detaug.errors import InputError
from detaug.measures.analysis import analyse
from detaug.reports.comparison import write_comparison
from detaug.reports.figures import Line, bars, curves
from detaug.reports.marks import Picture
from detaug.reports.pictures import FOUND, SIDE, TRUTH, Mark, cut_out
from detaug.reports.report import write_report
from detaug.reports.run_curves import LAST, curves_of
from detaug.reports.run_data import run_data
from detaug.reports.run_files import read_run
from detaug.reports.scores_part import MATRIX
from tests.reports.run_making import CLOSING, EPOCHS, FILES, HOSTILE, run_folder

PARTS = (
    "curves", "classes", "precision", "sizes", "confusion", "errors", "exposure", "samples", "mistakes", "suspects",
    "config", "facts",
)  # fmt: skip
EMPTY = {"meta", "img", "line", "rect", "br", "link", "input", "path", "use", "circle"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and the text of each part."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {"": ""}
        self.open: list[str] = []
        self._part = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self._part = str(dict(attrs)["id"])
            self.texts[self._part] = ""
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[self._part] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def absent(self) -> int:
        """How many parts are left out."""
        return sum("absent" in str(a.get("class")).split() for _, a in self.elements)


def made(run: Path, **options: Any) -> Page:
    return Page(write_report(run, **options).read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all files; not to be changed."""
    return run_folder(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be changed; its dataset is the same."""
    return Path(shutil.copytree(whole, tmp_path / "runs" / "hostile" / "0"))


def test_a_whole_run_has_every_part_and_the_verdict_comes_first(whole: Path) -> None:
    page = made(whole)
    assert [a["id"] for a in page.named("section")] == ["verdict", *PARTS]
    assert page.absent == 0
    assert not page.open
    verdict = json.loads((whole / "diagnosis.json").read_text())
    for words in (verdict["sentence"], *verdict["reasons"], *(k["setting"] for k in verdict["knobs"]), "Overfitting"):
        assert words in page.texts["verdict"]
    assert (whole / "report.html").stat().st_size < 5 << 20


def test_names_are_text_whatever_they_hold(whole: Path) -> None:
    page = made(whole)
    assert "script" not in {tag for tag, _ in page.elements}
    assert not [name for _, a in page.elements for name in a if name.startswith("on")]
    assert all(str(a["src"]).startswith("data:image/jpeg;base64,") for a in page.named("img"))
    for name in HOSTILE:
        assert name in page.texts["classes"]
    assert "onerror=alert(" in page.texts["mistakes"]
    assert "</pre><script>alert(2)</script>" in page.texts["config"]


def test_nothing_is_fetched_and_no_part_takes_anothers_drawing(whole: Path) -> None:
    page = made(whole)
    for _, attributes in page.elements:
        for name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
            assert str(attributes.get(name, "#")).startswith(("#", "data:image/jpeg"))
    text = (whole / "report.html").read_text()
    assert not re.findall(r"url\((?!#)|@import|https?:", text)
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert max(ids.values()) == 1
    asked = {str(a[n])[1:] for _, a in page.elements for n in ("href",) if n in a} | set(
        re.findall(r"url\(#(\w+)", text)
    )
    assert asked <= set(ids)
    assert "default-src 'none'" in str(page.named("meta"))


def test_everything_is_told_without_eyes(whole: Path) -> None:
    page = made(whole)
    assert all(a.get("alt") for a in page.named("img"))
    drawn = [a for _, a in page.elements if a.get("role") == "img"]
    assert len(drawn) == 7
    assert all(len(str(a["aria-label"])) > 20 for a in drawn)
    assert all(a.get("scope") for a in page.named("th"))
    assert len(page.named("h1")) == 1


@pytest.mark.parametrize("kept", FILES[:4])
def test_one_file_alone_makes_a_report_that_says_what_it_lacks(run: Path, kept: str) -> None:
    for name in FILES:
        if name != kept:
            (run / name).unlink()
    page = made(run)
    assert page.absent >= 7
    assert ("No verdict" in page.texts["verdict"]) == (kept != "diagnosis.json")
    assert "exposure.json" in page.texts["exposure"]


BROKEN = (b"{", b"{}", b"\xff\xfe\x00", b"[[1]]")


@pytest.mark.parametrize(
    ("file", "content"),
    [  # fast: two contents for each file, each content for half of the files
        pytest.param(file, content, marks=pytest.mark.slow if (i + j) % 2 else ())
        for i, file in enumerate(FILES)
        for j, content in enumerate(BROKEN)
    ],
)
def test_a_broken_file_costs_its_own_parts_only(run: Path, file: str, content: bytes) -> None:
    (run / file).write_bytes(content)
    page = made(run)
    assert not page.open
    if file not in ("config.yaml", "metrics.json", "detections.json"):
        assert page.absent <= 2
        assert "0.81" in page.texts["verdict"]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"null", b'"text"', b'{"classes": 5, "per_class": 3, "knobs": 1, "suspects": [3]}',
        b'[{"image": 3}]', b"epoch,val/loss,train/loss\n0,nan,1\nx,inf,\n1,\n", b"[" * 1500,
        b'{"state": [], "per_class": {"stop": []}, "classes": {"stop": {"boxes": "many"}}, "images": NaN}',
        b"data: {closing_share: .nan, val_share: many, fold: 3, recipe: [1]}\ntrainer: {max_epochs: 5, callbacks: [1]}",
    ],
)  # fmt: skip
def test_strange_content_never_fails_a_report(run: Path, file: str, content: bytes) -> None:
    (run / file).write_bytes(content)
    assert not made(run).open


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: there is no such run folder"):
        write_report(tmp_path / "absent")
    with pytest.raises(InputError, match="is no run folder"):
        write_report(tmp_path)


def test_a_dataset_that_has_moved_is_asked_for_and_taken(run: Path, whole: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["root"] = "/nowhere"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert "--data ROOT" in made(run).texts["mistakes"]
    assert made(run, root=whole.parents[2] / "set").absent == 0


@pytest.mark.parametrize("change", ["boxes", "images", "detections"])
def test_another_dataset_is_not_taken_for_the_runs_own(run: Path, change: str) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    if change == "images":
        metrics["images"] += 1
    elif change == "boxes":
        metrics["per_class"]["stop"]["boxes"] += 1
    else:
        found = json.loads((run / "detections.json").read_text())
        (run / "detections.json").write_text(json.dumps([*found, {**found[0], "image_id": 1}]))
    (run / "metrics.json").write_text(json.dumps(metrics))
    page = made(run)
    for part in ("precision", "confusion", "errors", "samples", "mistakes", "suspects"):
        assert "not the dataset that the run was scored on" in page.texts[part]
    assert "stop" in page.texts["classes"]


def test_the_runs_own_data_gives_its_own_scores_again(whole: Path) -> None:
    files = read_run(whole)
    data = run_data(files)
    assert files.metrics is not None
    analysis = analyse(data.evaluated, data.found, files.metrics["rare_classes"], np.random.default_rng(0))
    for name, scored in files.metrics["per_class"].items():
        assert analysis.intervals.classes[name].ap.value == pytest.approx(scored["AP"], abs=1e-9)


def test_curves_end_with_the_training_and_know_its_best_epoch(whole: Path) -> None:
    logged = curves_of(read_run(whole))
    assert logged is not None
    epochs, ap = logged.columns["val/AP"]
    assert epochs.tolist() == list(range(EPOCHS))
    assert ap.max() < 0.99  # the scoring of the kept weights is no point of the curve
    assert (logged.best, logged.monitor, logged.closing, logged.last) == (9, "val/AP", CLOSING, EPOCHS - 1)


CLEAN_LOSS = {"class_path": "x.ModelCheckpoint", "init_args": {"monitor": "clean/loss", "mode": "min"}}
STOPPING = {"class_path": "detaug.learning.stopping.ClosingEarlyStopping", "init_args": {"monitor": "val/loss"}}
LIGHTNINGS = {"class_path": "x.EarlyStopping", "init_args": {"monitor": "clean/AP", "mode": "max"}}


@pytest.mark.parametrize(
    ("settings", "monitor", "best"),
    [
        ({"callbacks": [CLEAN_LOSS]}, "clean/loss", EPOCHS - 1),
        ({"callbacks": CLEAN_LOSS}, "clean/loss", EPOCHS - 1),
        ({"callbacks": [STOPPING, CLEAN_LOSS]}, "clean/loss", EPOCHS - 1),
        ({"callbacks": [STOPPING]}, "val/loss", None),
        ({"callbacks": [{**STOPPING, "init_args": {"monitor": "val/AP", "mode": None}}]}, "val/AP", 9),
        ({"callbacks": [LIGHTNINGS]}, "clean/AP", EPOCHS - 1),
        ({"callbacks": [{"class_path": "x.Ema"}]}, "val/AP", 9),
        ({"callbacks": [{"class_path": "x.ModelCheckpoint", "init_args": {"monitor": None}}]}, LAST, EPOCHS - 1),
        ({"callbacks": [{"class_path": "x.ModelCheckpoint"}]}, LAST, EPOCHS - 1),
        ({"callbacks": None, "enable_checkpointing": False}, LAST, EPOCHS - 1),
    ],
)
def test_the_kept_epoch_is_the_one_that_the_program_keeps(
    settings: dict[str, Any], monitor: str, best: int | None, whole: Path
) -> None:
    """Early stopping decides where no ModelCheckpoint is given; the last weights where nothing is monitored."""
    files = read_run(whole)
    files.config["trainer"] |= settings
    logged = curves_of(files)
    assert logged is not None
    epochs, losses = logged.columns["val/loss"]
    assert (logged.best, logged.monitor) == (epochs[losses.argmin()] if best is None else best, monitor)
    assert epochs[losses.argmin()] not in (9, EPOCHS - 1)  # so that no rule is taken for another


def test_closing_is_the_same_counted_or_planned(run: Path) -> None:
    (run / "exposure.json").unlink()
    logged = curves_of(read_run(run))
    assert logged is not None
    assert logged.closing == CLOSING
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["recipe"]["mosaic"] = None
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    plain = curves_of(read_run(run))
    assert plain is not None
    assert plain.closing is None


def test_validations_within_an_epoch_lie_within_it(run: Path) -> None:
    (run / "metrics.csv").write_text("epoch,val/loss,train/loss\n0,3,\n0,2,\n0,,1\n1,1,\n1,0.5,\n1,,1\n")
    logged = curves_of(read_run(run))
    assert logged is not None
    assert logged.columns["val/loss"][0].tolist() == [-0.5, 0, 0.5, 1]


def test_classes_stand_by_their_training_boxes(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    for count, name in zip((5, 80, 1, 20), HOSTILE, strict=True):
        metrics["per_class"][name]["training_boxes"] = count
    (run / "metrics.json").write_text(json.dumps(metrics))
    text = made(run).texts["classes"]
    order = [HOSTILE[i] for i in (1, 3, 0, 2)]
    assert [text.index(name) for name in order] == sorted(text.index(name) for name in order)
    assert f"{metrics['per_class']['stop']['AP']:.3f}" in text


def test_two_hundred_classes_stay_small_and_readable(tmp_path: Path) -> None:
    names = [f"sign {i}" for i in range(200)]
    run = run_folder(tmp_path, names, images=110)
    page = made(run)
    assert (run / "report.html").stat().st_size < 5 << 20
    assert page.absent == 0
    assert len(names) > MATRIX
    assert "most frequent confusions" in page.texts["confusion"]
    assert all(name in page.texts["classes"] for name in names)


def test_a_drawing_has_no_word_of_the_data_and_does_not_shake(whole: Path) -> None:
    line = Line("$\\frac$ <b>", np.arange(9.0), np.array([3, 2, np.nan, np.inf, 1, 1, 1, 1, 1.0]), 0)
    drawn = [curves("loss", "told", [line], best=4, closing=(6, 8)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert "frac" not in drawn[0].svg
    assert "font-size: 12px" in drawn[0].svg
    flat = bars("flat", "told", ["a", "b"], [float("nan"), 0.0], ["none", "0"])
    assert "none" in flat.svg


@pytest.mark.parametrize("size", [(96, 96), (1, 1), (2, 900), (700, 3), (300, 500)])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.2, 0.3, 0.7, 0.9), (0.98, 0.98, 1, 1), (0, 0, 0, 0)])
def test_a_cut_out_holds_its_box(size: tuple[int, int], box: tuple[float, ...]) -> None:
    image: Picture = np.full((*size, 3), 90, np.uint8)
    image.flags.writeable = False
    corners = np.array(box, np.float32) * np.array([size[1], size[0]] * 2, np.float32)
    picture = cut_out(image, [Mark(corners, "found <b>" * 9, truth=False), Mark(corners, "there", truth=True)])
    assert max(picture.shape[:2]) == SIDE
    assert picture.dtype == np.uint8


def test_what_is_drawn_round_a_box_tells_truth_from_detection() -> None:
    image: Picture = np.full((200, 200, 3), 90, np.uint8)
    image[80:120, 90:110] = (200, 10, 10)
    box = np.array((90, 80, 110, 120), np.float32)
    pictures = [cut_out(image, [Mark(box, "stop", truth=truth)]) for truth in (True, False)]
    for picture, colour, other in zip(pictures, (TRUTH, FOUND), (FOUND, TRUTH), strict=True):
        assert (picture == colour).all(2).sum() > 100
        assert not (picture == other).all(2).any()
        inner = (picture[..., 0] > 145) & (picture[..., 1] < 50)
        scale = SIDE / 120
        assert inner.sum() == pytest.approx(20 * 40 * scale**2, rel=0.1)


def test_runs_are_compared_with_the_first(run: Path, tmp_path: Path) -> None:
    other = run.parent / "1"
    shutil.copytree(run, other)
    metrics = json.loads((other / "metrics.json").read_text())
    before = metrics["per_class"]["stop"]["AP"]
    metrics["per_class"]["stop"]["AP"] = before + 0.0625
    (other / "metrics.json").write_text(json.dumps(metrics))
    config = yaml.safe_load((other / "config.yaml").read_text())
    config["model"]["dropout"] = 0.75
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    target = write_comparison([run, other])
    page = Page(target.read_text())
    assert target == run / "comparison.html"
    assert not page.open
    assert page.absent == 0
    assert page.texts["classes"].count("+0.062") == 1
    assert page.texts["classes"].count("+0.000") == len(HOSTILE) - 1
    assert "model.dropout" in page.texts["settings"]
    assert "0.75" in page.texts["settings"]
    assert "backbone" not in page.texts["settings"]
    assert "script" not in {tag for tag, _ in page.elements}
    assert "other images" not in page.texts["verdict"]
    metrics["images"] += 1
    (other / "metrics.json").write_text(json.dumps(metrics))
    assert "other images" in Page(write_comparison([run, other]).read_text()).texts["verdict"]


def test_the_command_writes_where_it_is_told_and_replaces_nothing_unasked(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run)]) == 0
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n" * 2
    own = tmp_path / "own.html"
    own.write_text("mine")
    assert main(["report", str(run), str(run), "--out", str(own)]) == 2
    assert own.read_text() == "mine"
    assert "--force replaces it" in capsys.readouterr().err
    assert main(["report", str(run), str(run), "--out", str(own), "--force"]) == 0
    assert "2 runs compared" in own.read_text()
    assert main(["report", str(run), "--data", str(tmp_path / "absent")]) == 2
    assert main(["report", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    ("runs", "module", "words"), [(1, "report", "Writing the report"), (3, "comparison", "3 runs")]
)
def test_a_terminal_is_told_what_it_waits_for(
    runs: int, module: str, words: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes what pytest gives it for a terminal
    monkeypatch.setattr("detaug.waiting._PATIENCE", 0.0)

    def slow(*_: Any) -> Path:
        time.sleep(0.5)
        return run

    monkeypatch.setattr(f"detaug.reports.{module}.write_{module}", slow)
    assert main(["report", *[str(run)] * runs]) == 0
    assert words in capsys.readouterr().err
