"""The share of a training's time that waits for data, by Lightning's own profiler.

    python -m benchmarks.waiting --config configs/quickstart.yaml
    python -m benchmarks.waiting --config configs/road_signs.yaml --set data.root=DIR
    python -m benchmarks.waiting --config configs/fcos_r50.yaml --set data.root=DIR --epochs 5

A few epochs with the page's own workers, nothing validated or kept in between. Counted is what Lightning spends in
getting the next training batch, over its training epochs. Stated apart: the run's first batch, for which workers are
started and have met no image yet, and the first batch of each later epoch. Asked: under 3 %.

On a GPU the program runs ahead of the device: time spent in getting a batch may be time in which the GPU works, so the
share is an upper bound.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytorch_lightning.profilers import SimpleProfiler

from detaug.program import Program

FETCH, EPOCH = "[_TrainingEpochLoop].train_dataloader_next", "run_training_epoch"
MOST = 0.03


class Timed(Program):
    """The training alone: nothing is scored or reported at its end."""

    def after_fit(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Waited:
    """What a training's time went into.

    Attributes:
        epochs: that were trained.
        batches: of all epochs.
        seconds: of the training epochs.
        waited: seconds of them in which a batch was waited for.
        first: seconds for the run's first batch.
        later: seconds for the first batches of the later epochs.
    """

    epochs: int
    batches: int
    seconds: float
    waited: float
    first: float
    later: float

    @classmethod
    def of(cls, durations: Mapping[str, Sequence[float]]) -> "Waited":
        """From what the profiler recorded: seconds of each call, by action.

        >>> Waited.of({FETCH: [2.0, 0.1, 0.5, 0.2], EPOCH: [6.0, 4.0]})
        Waited(epochs=2, batches=4, seconds=10.0, waited=2.8, first=2.0, later=0.5)
        """
        each, epochs = durations[FETCH], durations[EPOCH]
        step = len(each) // len(epochs)
        if step * len(epochs) != len(each):
            raise ValueError(f"{len(each)} batches were fetched in {len(epochs)} epochs that are equally long")
        return cls(len(epochs), len(each), sum(epochs), sum(each), each[0], sum(each[step::step]))

    @property
    def share(self) -> float:
        """Waiting, of all time."""
        return self.waited / self.seconds

    @property
    def steady(self) -> float:
        """Waiting, of all time, without the run's first batch."""
        return (self.waited - self.first) / (self.seconds - self.first)

    def text(self, name: str) -> str:
        """Lines for a reader."""
        verdict = "under" if self.steady < MOST else "NOT under"
        return "\n".join([
            f"{name}: {self.epochs} epochs, {self.batches} batches, {self.seconds:.1f} s",
            f"  waited for data, all                  {self.waited:8.2f} s {self.share:7.2%}",
            f"  without the run's first batch         {self.waited - self.first:8.2f} s {self.steady:7.2%}",
            f"  the run's first batch, workers' start {self.first:8.2f} s",
            f"  first batches of later epochs         {self.later:8.2f} s {self.later / self.seconds:7.2%}",
            f"  {verdict} {MOST:.0%} without the run's first batch; load {os.getloadavg()[0]:.1f}, "
            f"{os.cpu_count()} cores",
        ])  # fmt: skip


def trained(config: Path, epochs: int, settings: Sequence[str]) -> Waited:
    """Train for some epochs.

    Args:
        config: a training page.
        epochs: how many.
        settings: `key=value` as `train.py` takes them.
    """
    with tempfile.TemporaryDirectory() as runs:
        words = ["fit", f"--config={config}", f"--runs={runs}", f"--trainer.max_epochs={epochs}"]
        words += [f"--trainer.check_val_every_n_epoch={epochs + 1}", "--trainer.num_sanity_val_steps=0"]
        words += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
        words += ["--trainer.profiler=SimpleProfiler", f"--trainer.profiler.dirpath={runs}"]
        words += ["--trainer.profiler.filename=profile", *(f"--{setting}" for setting in settings)]
        profiler = Timed(words).trainer.profiler  # type: ignore[attr-defined]
    assert isinstance(profiler, SimpleProfiler)
    return Waited.of(profiler.recorded_durations)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path, help="a training page")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, as train.py's")
    asked = parser.parse_args(words)
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    print(trained(asked.config, asked.epochs, asked.set).text(asked.config.stem))


if __name__ == "__main__":
    main()
