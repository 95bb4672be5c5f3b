"""`dvpt-serve`, as it is started."""

import sys
from collections.abc import Sequence

from adapters.command.streams import open_streams
from adapters.threads import wait_briefly
from service.shutdown import exit_on_signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, from whose first moment on a signal ends the process in order."""
    open_streams()
    wait_briefly()
    with exit_on_signals():
        from service.command import run  # noqa: PLC0415 - what it imports takes long enough for a signal to come

        return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
