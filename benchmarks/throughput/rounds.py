"""How the measuring program talks to the loaders: a line asks for samples, a line says what they cost."""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Makes so many samples, going on where it stopped; gives the last picture (3, H, W), or None.
Make = Callable[[int], NDArray[np.uint8] | None]


def serve(prepare: Callable[[], Make]) -> None:
    """Make samples for as long as standard input asks for some, a number in each line.

    Each answer is a line of JSON with the seconds of CPU time and of the clock, and the share of the last picture that
    an image covers, where there is one. Whatever else this process prints goes to standard error.

    Args:
        prepare: reads the images and gives what makes samples.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make = prepare()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        cpu, clock = time.process_time(), time.perf_counter()
        last = make(int(line))
        taken = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - clock}
        if last is not None:
            taken["covered"] = covered(last)
        print(json.dumps(taken), file=answers, flush=True)


def covered(picture: NDArray[np.uint8]) -> float:
    """About which share of a picture (3, H, W) an image covers: all but its most frequent colour, the ground's.

    >>> covered(np.array([[[7, 7, 7, 9]]] * 3, np.uint8))
    0.25
    """
    colours = picture.reshape(3, -1).astype(np.int64).T @ [1, 1 << 8, 1 << 16]
    return 1 - float(np.unique(colours, return_counts=True)[1].max()) / colours.size
