"""A progress bar for what lasts."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_PATIENCE = 2.0  # seconds before a progress bar appears


@contextmanager
def waiting(
    what: str, total: int | None = None, quiet: bool = False
) -> Iterator[Callable[[Iterable[Any]], Iterable[Any]]]:
    """A progress bar on a terminal's stderr for what lasts; gives what counts steps."""
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
    task = bar.add_task(what, total=total)

    def watched(steps: Iterable[Any]) -> Iterator[Any]:
        for step in steps:
            yield step
            bar.advance(task)

    timer = Timer(_PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield watched
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
