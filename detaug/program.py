"""The training program: Lightning's command line with run folders, plain errors and the best weights at the end."""

import gc
import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_info

from detaug.batches.datamodule import SignData
from detaug.errors import InputError
from detaug.learning.module import SignDetector
from detaug.reports.diagnosis_file import DiagnosisFile
from detaug.reports.exposure_file import ExposureFile
from detaug.reports.report import write_report
from detaug.reports.run_folder import RunFolder
from detaug.reports.suspects_file import SuspectsFile

_RUN = "DETAUG_RUN"  # tells the processes that Lightning starts which run folder the first one took
_NOISE = (  # what Lightning tells its own developers, or wants to sell
    r".*litlogger.*",
    r".*litmodels.*",
    r".*configure_callbacks` will override.*",
    r".*Found current_model_state.*",
    r".*to estimate number of stepping batches.*",
    r".*isinstance\(treespec, LeafSpec\).*",
    r".*WeightAveraging callback, but loading a checkpoint outside the 'fit' stage.*",
    r".*is smaller than the logging interval.*",
)


class Program(LightningCLI):
    """`train.py fit|validate|test|predict` on `SignDetector` and `SignData`."""

    def __init__(self, args: ArgsType = None) -> None:
        super().__init__(
            SignDetector,
            SignData,
            args=args,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            trainer_defaults={
                "callbacks": [RunFolder(), ExposureFile(), DiagnosisFile(), SuspectsFile()],
                "log_every_n_steps": 10,
            },
            parser_kwargs={"description": "Train and score traffic-sign detectors."},
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Where runs go."""
        parser.add_argument("--name", default="run", help="runs/NAME/N is this run's folder")
        parser.add_argument("--runs", default="runs", help="the folder of all runs")
        parser.add_argument("--report", type=bool, default=True, help="write report.html after fit and test")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer with defaults of ours where the configuration has nothing of its own.

        It logs into the next free run folder, as CSV and for TensorBoard, and, in `fit`, keeps the best and the last
        weights; the best by what early stopping watches, where there is one.
        """
        config = self.config[self.subcommand]
        if config.trainer.get("logger") in (None, True):
            place = {"name": config.name, "version": _next_run(Path(config.runs) / config.name)}
            board = TensorBoardLogger(config.runs, **place, default_hp_metric=False)
            kwargs["logger"] = [CSVLogger(config.runs, **place), board]
        given = self.config_init[self.subcommand].trainer
        callbacks = given.callbacks if isinstance(given.callbacks, list) else [c for c in [given.callbacks] if c]
        keeps = given.enable_checkpointing is not False and not given.fast_dev_run
        if self.subcommand == "fit" and keeps and not any(isinstance(c, ModelCheckpoint) for c in callbacks):
            stopping = next((c for c in callbacks if isinstance(c, EarlyStopping)), None)
            monitor, mode = ("val/AP", "max") if stopping is None else (stopping.monitor, stopping.mode)
            best = ModelCheckpoint(
                monitor=monitor if given.limit_val_batches != 0 else None,
                mode=mode,
                filename="best",
                save_last=True,
                enable_version_counter=False,
            )
            kwargs["callbacks"] = [*callbacks, best]
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        return trainer

    def before_instantiate_classes(self) -> None:
        """Refuse a checkpoint that is not a file, before anything is built.

        Raises:
            InputError: no such checkpoint file, or an address: Lightning would run code from it; or batch statistics
                over all processes by Lightning, which would leave out activations that timm has in its norms.
        """
        if self.config[self.subcommand].trainer.sync_batchnorm:
            raise InputError("trainer.sync_batchnorm would leave activations out; set model.norm: sync instead.")
        if self.subcommand != "fit":  # callbacks that only matter to a training are not missed
            warnings.filterwarnings(
                "ignore", message=r".*callbacks used to create the checkpoint need to be provided.*"
            )
        path = self.config[self.subcommand].get("ckpt_path")
        if path is not None and "://" in str(path):
            raise InputError(f"{path}: checkpoints are read from files only, not from addresses.")
        if path is not None and not Path(path).is_file():
            raise InputError(f"{path}: there is no such checkpoint file.")

    def before_fit(self) -> None:
        """Read the data before the loggers begin to write: a run that is refused leaves no file."""
        _ = self.datamodule.given

    before_validate = before_test = before_predict = before_fit

    def _parse_ckpt_path(self) -> None:
        """The checkpoint's settings, except where `fit` was told others: that is refused, never ignored."""
        wanted = self.config.get(self.config.get("subcommand", ""), {}).get("model")
        before = dict(wanted.as_dict()) if wanted is not None else {}
        path = self.config.get(self.config.get("subcommand", ""), {}).get("ckpt_path")
        if path is not None and Path(path).is_file():
            _check_checkpoint(str(path))
        super()._parse_ckpt_path()
        if self.config.get("subcommand") != "fit":
            return
        for key, value in self.config.fit.model.as_dict().items():
            if key != "classes" and value != before[key]:
                raise InputError(
                    f"{self.config.fit.ckpt_path}: the checkpoint has model.{key} {value}, but {before[key]} is asked "
                    "for; give the same, or begin a new run."
                )

    def after_fit(self) -> None:
        """Score the best weights, or the last where none were kept, and write and print the result."""
        trainer = self.trainer
        if trainer.interrupted or trainer.fast_dev_run or trainer.limit_val_batches == 0:  # type: ignore[attr-defined]
            return
        kept = [c.best_model_path for c in trainer.callbacks if isinstance(c, ModelCheckpoint)]  # type: ignore[attr-defined]
        best = next((path for path in kept if path), None)
        trainer.validate(self.model, self.datamodule, ckpt_path=best, verbose=False)
        self._report()

    def after_test(self) -> None:
        """Write the report."""
        self._report()

    def _report(self) -> None:
        """Write the run's report; one that fails is a warning, the run's numbers are there."""
        folder = self.trainer.log_dir  # a collective call: on all ranks
        if not self.config[self.subcommand].report or not self.trainer.is_global_zero or folder is None:
            return
        try:
            rank_zero_info(f"{write_report(Path(folder))}")
        except Exception as error:  # whatever it is, the run went well
            warnings.warn(f"{folder}: the report could not be written: {error!r}.", stacklevel=2)


def _check_checkpoint(path: str) -> None:
    """See that a file holds a checkpoint of ours; only plain values and tensors are read from it.

    Raises:
        InputError: it does not.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch meets bytes that are no checkpoint with errors of every class
        raise InputError(f"{path}: this is not a checkpoint that can be read.") from error
    if not isinstance(content, dict) or not {"pytorch-lightning_version", "state_dict", "classes"} <= content.keys():
        raise InputError(f"{path}: this is no checkpoint that detaug has written.")


def _next_run(folder: Path) -> str:
    """The next free number; the processes that Lightning starts take the first one's."""
    if os.environ.get("LOCAL_RANK", "0") == "0" or _RUN not in os.environ:
        taken = [int(p.name) for p in folder.glob("*") if p.name.isdecimal()] if folder.is_dir() else []
        os.environ[_RUN] = str(max(taken, default=-1) + 1)
    return os.environ[_RUN]


def main(args: ArgsType = None) -> int:
    """Run the program; 0 when it went well, 2 for wrong use or unreadable input."""
    _quiet()
    try:
        Program(args)
    except (InputError, MisconfigurationException) as error:
        return _refused(_sentence(error) or str(error))
    except Exception as error:
        if (sentence := _sentence(error)) is None:
            raise
        return _refused(sentence)
    _leave_group()
    return 0


def _leave_group() -> None:
    """End the group of processes and its threads while the interpreter still runs.

    A thread of gloo that lets go of a tensor later than that aborts the process (described in PyTorch's pull request
    179291); Lightning ends groups of NCCL only. After an error the others may be waiting in the group, so it is left.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()  # the wrapped model holds the group, and is held by a circle of references itself


def _sentence(error: Exception) -> str | None:
    """What an error of ours said that comes in other words.

    From a worker process it comes as a traceback, sometimes under another class; from the configuration's parser as
    the cause of an error of its own.
    """
    if isinstance(error.__cause__, InputError):
        return str(error.__cause__)
    found = re.findall(r"^detaug\.\S+: (.+)$", str(error), re.MULTILINE)
    return found[-1] if found else None


def _refused(reason: str) -> int:
    print(f"error: {' '.join(reason.split())}", file=sys.stderr)
    return 2


def _quiet() -> None:
    """Silence messages of Lightning that no user of this program can act on."""
    warnings.formatwarning = _plain_warning
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(f"{package}.utilities.rank_zero").addFilter(_worth_saying)


def _plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Our own warnings are sentences for the user; where in the code they arise is not his matter."""
    if Path(filename).is_relative_to(Path(__file__).parent):
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}{line or ''}\n"


def _worth_saying(record: logging.LogRecord) -> bool:
    return not any(re.match(message, record.getMessage(), re.DOTALL) for message in _NOISE)
