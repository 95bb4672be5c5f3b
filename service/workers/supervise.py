"""From settings to a supervisor at work."""

import logging
from collections.abc import Sequence

from service.listening import listen
from service.logs import log_event
from service.settings import Settings
from service.workers.division import divided
from service.workers.folder import worker_folder
from service.workers.supervisor import COMMAND, Supervisor

logger = logging.getLogger("service.workers")


def supervise(settings: Settings, command: Sequence[str] = COMMAND) -> int:
    """Serve with several processes until a signal; the exit code.

    Raises CannotListen, OSError where there is no room for a folder, and WorkersFailed.
    """
    listener = listen(settings.host, settings.port)
    with listener, worker_folder() as folder:
        listener.set_inheritable(True)
        host, port = listener.getsockname()[:2]
        each = divided(settings)
        log_event(logger, logging.INFO, "workers", count=settings.workers, folder=folder.root, **each)
        log_event(logger, logging.INFO, "listening", host=host, port=port)
        return Supervisor(settings, listener, folder, command).run()
