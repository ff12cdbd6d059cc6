"""The training program, run inside the test's own process or in processes of its own."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch

from detaug.program import main

NET = ("--model.channels=32", "--model.head_convs=1")
QUICK = (
    "--data.size=64",
    "--data.batch_size=8",
    "--data.workers=0",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--report=false",
)


@dataclass(frozen=True)
class Done:
    """How a run ended.

    Attributes:
        code: exit code.
        out: what it wrote to the standard output.
        err: and to the standard error.
    """

    code: int
    out: str
    err: str


def program(*args: str) -> Done:
    """`train.py` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _as_a_program():
        try:
            code = main(list(args))
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def launched(*args: str, start: Sequence[str] = (sys.executable,), seconds: float = 100) -> Done:
    """`train.py` as a program of its own; it and all that it started end after so many seconds.

    Raises:
        subprocess.TimeoutExpired: it ran for longer.
    """
    root = Path(__file__).parents[1]
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [*start, str(root / "train.py"), *args],
        cwd=root,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its own session: nothing else is in it
    return Done(process.returncode, out, err)


@contextlib.contextmanager
def _as_a_program() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with patch.object(sys, "argv", ["train.py"]), warnings.catch_warnings():
        warnings.simplefilter("default")
        try:
            yield
        finally:
            torch.set_num_threads(threads)
