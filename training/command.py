"""What the command lines of training share: one line for what fails, and an end in order at a signal."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from adapters.command.streams import closed, complain
from adapters.errors import DvptError
from training.memory import memory_faults
from training.ranks import spare_rank

INTERRUPTED, TERMINATED = 130, 143  # 128 and the signal's number, as shells have it


class Terminated(KeyboardInterrupt):
    """SIGTERM: whatever gives way to Ctrl-C gives way to it too."""


def run_command(program: str, work: Callable[[], str], if_interrupted: str) -> int:
    """Print what `work` returns; 0, or 1 with one line for what cannot be done, 130 or 143 for a signal.

    Of the processes that torchrun starts, all but that of rank 0 end at once with a line and 0.
    """
    if (spare := spare_rank()) is not None:
        return closed(complain(program, spare, 0))
    # As PID 1 of a container a process without a handler would not hear it at all.
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with memory_faults():
            said = work()
        sys.stdout.write(f"{said}\n")
        code = 0
    except (DvptError, OSError) as error:  # OSError: a disk that is full, a file that may not be read
        code = complain(program, error)
    except Terminated:
        code = complain(program, if_interrupted, TERMINATED)
    except KeyboardInterrupt:
        code = complain(program, if_interrupted, INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)
    return closed(code)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise Terminated
