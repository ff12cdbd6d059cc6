"""How worker processes begin."""

from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext

_PRELOADED = ["__main__", "detaug.batches.dataset"]  # imported once, by the server; its children have them


def starting(processes: int) -> BaseContext | None:
    """The multiprocessing context of a loader's workers; None is the platform's own.

    Beside other processes of a training, workers come from a server that has no threads. The process itself has
    those of its process group, and while one of them asks for the interpreter a fork can leave a child that waits for
    ever: CPython 3.11 takes a lock in the child that may have been held in the parent.

    Args:
        processes: of the training, one for each device.
    """
    if processes == 1 or "forkserver" not in get_all_start_methods():
        return None
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context
