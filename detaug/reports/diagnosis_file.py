"""Says after each validation whether the training over- or underfits, and writes it into the run's folder."""

import json
import warnings
from pathlib import Path
from typing import Any

import yaml
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_info
from rich.console import Console

from detaug.batches.datamodule import SignData
from detaug.learning.diagnosis import Verdict, judge
from detaug.learning.evaluation import EvaluatedModule
from detaug.learning.probe import Record, chance_loss
from detaug.learning.scoring import CLEAN, Scoring, validated
from detaug.writing import write_whole


class DiagnosisFile(Callback):
    """Writes `diagnosis.json` after each epoch with a validation: the verdict, and the curves it was made from.

    The verdict's sentence is printed each time; with reasons and what to turn next when the best weights are scored at
    the end. A diagnosis that fails is a warning: it never ends a training.
    """

    def __init__(self) -> None:
        self.record = Record()
        self._stage = ""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Note what is run."""
        self._stage = stage

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compute what knowing the class frequencies alone would give."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, SignData) and isinstance(pl_module, EvaluatedModule) and CLEAN in validated(trainer):
            self.record.chance_loss = chance_loss(pl_module, data.eval_catalog(CLEAN), data.eval_size)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the loss of chance beside the others."""
        if CLEAN in validated(trainer) and not trainer.sanity_checking:
            pl_module.log("clean/chance_loss", self.record.chance_loss, batch_size=1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Take the validation into the curves; at the end, when the best weights are scored, explain the verdict."""
        data, scored = trainer.datamodule, Scoring.of(trainer).scored  # type: ignore[attr-defined]
        folder = trainer.log_dir  # a collective call: on all ranks
        if trainer.sanity_checking or not isinstance(data, SignData) or "validate" not in scored:
            return
        if trainer.state.fn == "fit":
            self.record.closing_epoch = data.mix_until_epoch
            self.record.add(trainer.current_epoch, scored, data.training_boxes)
        elif (verdict := self._write(trainer, folder)) is not None:
            _explain(verdict)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Judge, now that the epoch's training loss is known too. A collective call: on all ranks."""
        loss, folder = trainer.callback_metrics.get("train/loss"), trainer.log_dir
        if loss is not None and self.record.trained(trainer.current_epoch, float(loss)):
            verdict = self._write(trainer, folder)
            if verdict is not None:
                rank_zero_info(f"epoch {trainer.current_epoch}: {verdict.sentence}")

    def _write(self, trainer: Trainer, folder: str | None) -> Verdict | None:
        """Judge and write; on the first process, if there is anything to judge."""
        if not trainer.is_global_zero or len(self.record) == 0:
            return None
        try:
            verdict = judge(self.record.history(), current=_settings(folder))
            written = {**verdict.as_json(), "curves": self.record.as_json()}
            if folder is not None:
                write_whole(Path(folder) / "diagnosis.json", json.dumps(written, indent=1, allow_nan=False).encode())
        except Exception as error:  # whatever it is, the training matters more
            warnings.warn(f"The diagnosis of this validation failed: {error!r}.", stacklevel=2)
            return None
        return verdict

    def state_dict(self) -> dict[str, Any]:
        """The curves so far."""
        return {"curves": {name: list(values) for name, values in self.record.curves.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the curves of the saved run; scoring the best weights does not turn them back."""
        if self._stage == "fit":
            self.record.curves = {name: list(values) for name, values in state_dict["curves"].items()}


def _settings(folder: str | None) -> dict[str, Any] | None:
    """The run's settings as they were saved, so that knobs start from them."""
    path = None if folder is None else Path(folder) / "config.yaml"
    return dict(yaml.safe_load(path.read_text()) or {}) if path is not None and path.is_file() else None


def _explain(verdict: Verdict) -> None:
    console = Console(highlight=False)
    console.print(f"\n{verdict.sentence}", markup=False)
    for reason in verdict.reasons:
        console.print(f"  - {reason}", markup=False)
    for knob in verdict.knobs:
        console.print(f"  {knob.setting}: {knob.why}", markup=False)
