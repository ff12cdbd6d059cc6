"""The training program: Lightning's command line with run folders, plain errors and the best weights at the end."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger

from detaug.batches.datamodule import SignData
from detaug.errors import InputError
from detaug.learning.module import SignDetector
from detaug.reports.run_folder import RunFolder

_RUN = "DETAUG_RUN"  # tells the processes that Lightning starts which run folder the first one took


class Program(LightningCLI):
    """`train.py fit|validate|test|predict` on `SignDetector` and `SignData`."""

    def __init__(self, args: ArgsType = None) -> None:
        super().__init__(
            SignDetector,
            SignData,
            args=args,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            trainer_defaults={"callbacks": [RunFolder()], "log_every_n_steps": 10},
            parser_kwargs={"description": "Train and score traffic-sign detectors."},
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Where runs go."""
        parser.add_argument("--name", default="run", help="runs/NAME/N is this run's folder")
        parser.add_argument("--runs", default="runs", help="the folder of all runs")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer that logs into the next free run folder, unless the configuration has a logger of its own."""
        config = self.config[self.subcommand]
        if config.trainer.get("logger") in (None, True):
            kwargs["logger"] = CSVLogger(config.runs, config.name, version=_next_run(Path(config.runs) / config.name))
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        return trainer

    def before_instantiate_classes(self) -> None:
        """Refuse a checkpoint that is not there, before anything is built.

        Raises:
            InputError: no such checkpoint file.
        """
        path = self.config[self.subcommand].get("ckpt_path")
        if path is not None and not Path(path).is_file():
            raise InputError(f"{path}: there is no such checkpoint file.")

    def _parse_ckpt_path(self) -> None:
        """The checkpoint's settings, except where `fit` was told others: that is refused, never ignored."""
        wanted = self.config.get(self.config.get("subcommand", ""), {}).get("model")
        before = dict(wanted.as_dict()) if wanted is not None else {}
        try:
            super()._parse_ckpt_path()
        except Exception as error:
            path = self.config[self.config.subcommand].ckpt_path
            raise InputError(f"{path}: this is not a checkpoint that can be read.") from error
        if self.config.get("subcommand") != "fit":
            return
        for key, value in self.config.fit.model.as_dict().items():
            if key != "classes" and value != before[key]:
                raise InputError(
                    f"{self.config.fit.ckpt_path}: the checkpoint has model.{key} {value}, but {before[key]} is asked "
                    "for; give the same, or begin a new run."
                )

    def after_fit(self) -> None:
        """Score the best weights, and write and print the result."""
        if self.trainer.interrupted:
            return
        best = next((c for c in self.trainer.callbacks if isinstance(c, ModelCheckpoint)), None)  # type: ignore[attr-defined]
        if best is not None and best.best_model_path and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.trainer.validate(self.model, self.datamodule, ckpt_path=best.best_model_path, verbose=False)


def _next_run(folder: Path) -> str:
    """The next free number; the processes that Lightning starts take the first one's."""
    if os.environ.get("LOCAL_RANK", "0") == "0" or _RUN not in os.environ:
        taken = [int(p.name) for p in folder.glob("*") if p.name.isdecimal()] if folder.is_dir() else []
        os.environ[_RUN] = str(max(taken, default=-1) + 1)
    return os.environ[_RUN]


def main(args: ArgsType = None) -> int:
    """Run the program; 0 when it went well, 2 for wrong use or unreadable input."""
    try:
        Program(args)
    except InputError as error:
        return _refused(str(error))
    except Exception as error:
        found = re.search(r"^detaug\.\S+: (.+)$", str(error), re.MULTILINE)  # raised in a worker process
        if found is None:
            raise
        return _refused(found[1])
    return 0


def _refused(reason: str) -> int:
    found = re.findall(r"^detaug\.\S+: (.+)$", reason, re.MULTILINE)
    print(f"error: {found[-1] if found else reason}", file=sys.stderr)
    return 2
