"""The loaders that are compared, each in a process of its own."""

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("ultralytics", "albumentations==2.0.8", "torchvision", "kornia", "opencv-python-headless")
_ROOT = Path(__file__).parents[2]
_OURS = "benchmarks.throughput.ours"
_PEERS = "benchmarks.throughput.peers."


@dataclass(frozen=True, slots=True)
class Loader:
    """What is started.

    Attributes:
        name: as the table names it.
        module: the program.
        words: what it is told after the folder.
        samples: that it makes in a round; fewer where each takes long.
        column: what the ratios to it are headed with, if it is this project's.
    """

    name: str
    module: str
    words: tuple[str, ...] = ()
    samples: int = 160
    column: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is this project's."""
        return self.module == _OURS


EQUAL = Loader("detaug, equal operations", _OURS, ("equal",), column="equal")
MORE = Loader("detaug + 3 pastes, noise", _OURS, ("more",), column="pastes, noise")
_RAW = Loader("detaug, packed raw", _OURS, ("equal", "raw"), column="packed raw")
_JPEG = Loader("detaug, packed jpeg", _OURS, ("equal", "jpeg"), column="packed jpeg")
_BLOCK = Loader("detaug, partners: block", _OURS, ("equal", "block"), column="block")
_ULTRALYTICS = Loader("Ultralytics", _PEERS + "ultralytics_loader", ("bare",))
_WITH_STEP = Loader("Ultralytics, Albumentations step", _PEERS + "ultralytics_loader")
_ALBUMENTATIONS = Loader("Albumentations", _PEERS + "albumentations_loader", samples=24)
_SLOW = (
    Loader("torchvision v2", _PEERS + "torchvision_loader", samples=12),
    Loader("torchvision v2, copy-paste", _PEERS + "torchvision_loader", ("paste",), samples=12),
    Loader("kornia, CPU", _PEERS + "kornia_loader", samples=8),
)
CACHED = (EQUAL, MORE, _ULTRALYTICS, _WITH_STEP, _ALBUMENTATIONS, *_SLOW)
READ = (EQUAL, _BLOCK, _RAW, _JPEG, _ULTRALYTICS, _WITH_STEP, _ALBUMENTATIONS)
READ_LARGE = (EQUAL, _BLOCK, _RAW, _JPEG, _ULTRALYTICS)


def environment(folder: Path) -> Path:
    """The Python of the peers' own environment, which is made where it is missing. detaug never depends on it."""
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        print(f"{folder}: an environment for the peers is made; this takes minutes.", file=sys.stderr)
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", *PACKAGES], check=True)
        # Ultralytics brings the OpenCV with windows, whose files take the place of the other's and want libGL.
        subprocess.run([*pip, "uninstall", "--quiet", "--yes", "opencv-python"], check=True)
        headless = next(name for name in PACKAGES if name.startswith("opencv"))
        subprocess.run([*pip, "install", "--quiet", "--no-deps", "--force-reinstall", headless], check=True)
        quiet = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1", "YOLO_CONFIG_DIR": str(folder)}
        every = "import albumentations, cv2, kornia, torchvision, ultralytics"
        subprocess.run([python, "-c", every], check=True, env=quiet)
        done.touch()
    return python


@dataclass(slots=True)
class Running:
    """A started loader.

    Attributes:
        loader: what it is.
        process: it.
        cpu: CPU milliseconds a sample in each round.
        covered: share of a picture that an image covers, one in each round; empty where it is not told.
    """

    loader: Loader
    process: subprocess.Popen[str]
    cpu: list[float] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)

    @classmethod
    def start(cls, loader: Loader, python: Path, root: Path, kept: bool) -> "Running":
        """Start a loader over a YOLO folder and wait until it has read what it keeps."""
        words = [*loader.words, *(("cached",) if kept else ())]
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        quiet = {"NO_ALBUMENTATIONS_UPDATE": "1", "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(root.parent)}
        process = subprocess.Popen(
            [sys.executable if loader.ours else str(python), "-m", loader.module, str(root), *words],
            cwd=_ROOT, env={**os.environ, **one_thread, **quiet}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(root.parent / f"{loader.name}.log").open("w"),
        )  # fmt: skip
        running = cls(loader, process)
        running._answer()
        return running

    def round(self, samples: int) -> dict[str, float]:
        """Make so many samples: the seconds of CPU time and of the clock."""
        assert self.process.stdin is not None
        print(samples, file=self.process.stdin, flush=True)
        return self._answer()

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.loader.name} ended with {self.process.wait()}; its log lies beside the images.")
        return dict(json.loads(line))
