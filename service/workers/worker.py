"""The process of one worker: what the supervisor starts, with a descriptor's number as its last argument."""

import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.command.streams import open_streams, reason
from adapters.errors import ConfigError, DvptError
from adapters.threads import wait_briefly
from service.logs import configure_logging
from service.shutdown import exit_now, exit_on_signals

if TYPE_CHECKING:
    from service.wiring.parts import NewEngine


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve as the supervisor says, with the engine that the settings name."""
    open_streams()
    wait_briefly()
    with exit_on_signals():
        return run_worker(int((sys.argv if arguments is None else arguments)[-1]))


def run_worker(descriptor: int, new_engine: "NewEngine | None" = None) -> int:
    """Serve until the process ends; the exit code of a start that failed, of which the supervisor tells."""
    from service.command import BAD_SETTINGS, BAD_STORE  # noqa: PLC0415 - what it imports takes long enough for a signal to come
    from service.workers.messages import Report, encode, read_assignment  # noqa: PLC0415

    line = socket.socket(fileno=descriptor)
    line.set_inheritable(False)
    assignment = read_assignment(line)
    if assignment is None:
        return 0
    configure_logging(assignment.whole_settings().log_level, assignment.worker)
    from service.workers.serving import serve_as  # noqa: PLC0415 - torch takes seconds to import

    try:
        exit_now(serve_as(assignment, line, new_engine))
    except ConfigError as error:
        fault = Report(fault=reason(error), code=BAD_SETTINGS)
    except (DvptError, OSError) as error:
        fault = Report(fault=reason(error), code=BAD_STORE)
    line.send(encode(fault))
    return fault.code


if __name__ == "__main__":
    sys.exit(main())
