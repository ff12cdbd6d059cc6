"""The report as a real browser shows it; skipped where no Chromium is installed."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detaug.reports.comparison import write_comparison
from detaug.reports.report import write_report
from tests.reports.browser import CHROMIUM, Browser, chromium
from tests.reports.run_making import run_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)"),
]
# Each picture of the page, drawn on a canvas: its width, and how far apart its darkest and lightest values are.
PICTURES = """
Promise.all([...document.images].map(async image => {
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const values = context.getImageData(0, 0, canvas.width, canvas.height).data.filter((_, i) => i % 4 != 3);
  return [image.naturalWidth, values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b))];
}))"""
WIDTH = "Math.max(document.documentElement.scrollWidth, window.innerWidth)"
# Letters smaller than these are hard to read on a phone, in pixels of the screen.
LETTERS = """[...document.querySelectorAll("svg text")].map(text =>
  parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a)"""
# WCAG's contrast ratio of each element that has text of its own, against the first ground behind it.
CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const light = colours => {
    for (const c of ["white", ...colours]) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll("body *")].filter(e => [...e.childNodes].some(
    n => n.nodeType == 3 && n.data.trim())).map(e => {
    const grounds = [];
    for (let at = e; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(e), ink = e.ownerSVGElement ? style.fill : style.color;
    const [a, b] = [light(grounds), light([...grounds, ink])];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)];
  });
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module", params=["report", "comparison"])
def page(request: pytest.FixtureRequest, run: Path) -> Path:
    return write_report(run) if request.param == "report" else write_comparison([run, run])


def faults(browser: Browser) -> list[str]:
    """Errors and warnings of the page, and requests to anything but the page itself and what it holds."""
    told = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    found = [f"{method}: {parameters}" for method, parameters in browser.events if method in told]
    asked = [p["request"]["url"] for m, p in browser.events if m == "Network.requestWillBeSent"]
    assert asked, "the page itself must be among the requests"
    own = str(browser.run("location.href"))
    return found + [url for url in asked if url != own and not url.startswith("data:image/jpeg;")]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_sound(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width, dark=dark)
    assert browser.run("document.querySelector('.verdict h2').textContent") == "Overfitting"
    assert faults(browser) == []
    assert browser.run(WIDTH) == width
    assert min(browser.run(LETTERS)) >= 10
    contrasts = browser.run(CONTRAST)
    assert len(contrasts) > 50
    assert [c for c in contrasts if c[0] < 4.5] == []
    assert browser.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(18, 20, 24)" if dark else "rgb(255, 255, 255)"
    )


def test_every_picture_shows_something(browser: Browser, run: Path) -> None:
    browser.open(write_report(run), 1280)
    pictures = browser.run(PICTURES)
    assert len(pictures) > 15
    assert all(width > 0 and spread > 40 for width, spread in pictures)


def test_every_drawing_is_drawn(browser: Browser, page: Path) -> None:
    """Each figure's place on the screen has ink in both themes, and not the same."""
    shots = []
    for dark in (False, True):
        browser.open(page, 390, dark=dark)
        places = browser.run(
            "[...document.querySelectorAll('.drawing svg[viewBox^=\"0 0 3\"]')].map(s => s.getBoundingClientRect())"
            ".map(r => [r.left, r.top + scrollY, r.right, r.bottom + scrollY].map(Math.round))"
        )
        assert len(places) >= 4
        screen = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L"))
        shots.append([screen[y1:y2, x1:x2] for x1, y1, x2, y2 in places])
    for light, dark_shot in zip(*shots, strict=True):
        for shot in (light, dark_shot):
            ground = np.bincount(shot.ravel()).argmax()
            assert (np.abs(shot.astype(int) - int(ground)) > 60).mean() > 0.01
        assert np.median(light) > 200 > 60 > np.median(dark_shot)


def test_a_fault_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    """A page with a script that fails, a picture from elsewhere and too wide a line is caught by each check."""
    bad = tmp_path / "bad.html"
    wide = "<p style='width: 900px; color: #ccc'>pale</p>"
    phone = "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    bad.write_text(f"{phone}<script>throw 1</script><img src='http://127.0.0.1:9/x.png'>{wide}")
    browser.open(bad, 390)
    found = " ".join(faults(browser))
    assert "exceptionThrown" in found
    assert "127.0.0.1" in found
    assert browser.run(WIDTH) > 390
    assert min(c[0] for c in browser.run(CONTRAST)) < 4.5
