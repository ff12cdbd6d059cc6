"""How the measuring program talks to the loaders: a line asks for samples, a line says what they cost."""

import json
import os
import sys
import time
from collections.abc import Callable

Make = Callable[[int], None]  # makes so many samples, going on where it stopped


def serve(prepare: Callable[[], Make]) -> None:
    """Make samples for as long as standard input asks for some, a number in each line.

    Each answer is a line of JSON with the seconds of CPU time and of the clock. Whatever else this process prints
    goes to standard error.

    Args:
        prepare: reads the images and gives what makes samples.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make = prepare()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        cpu, clock = time.process_time(), time.perf_counter()
        make(int(line))
        taken = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - clock}
        print(json.dumps(taken), file=answers, flush=True)
