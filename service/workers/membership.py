"""One worker among the others: what it tells the supervisor, and what it hears of the group."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from service.lifecycle import Lifecycle, Phase
from service.peers.addresses import Address
from service.peers.peers import Peers
from service.workers.folder import WorkerFolder
from service.workers.messages import Assignment, Group, Report, encode

BEAT_S = 1.0


class Membership:
    """Belongs to the event loop's thread, but for `tell`."""

    def __init__(self, assignment: Assignment, line: socket.socket) -> None:
        self.worker = assignment.worker
        self.replaces = assignment.replaces
        self.count = assignment.whole_settings().workers
        self.folder = WorkerFolder(assignment.folder)
        self.peers = Peers(self, self.folder.listen(self.worker))
        self.processes: dict[int, int] = {self.worker: os.getpid()}
        self._line = line
        self._was_ready = False

    async def others(self) -> Sequence[Address | None]:
        """Where the other workers answer."""
        return [self.folder.address(worker) for worker in range(self.count) if worker != self.worker]

    def join(self, lifecycle: Lifecycle) -> None:
        """Let the supervisor know of this worker's phases."""
        lifecycle.wait_for_others(f"0 of {self.count} workers are ready")

        def changed(phase: Phase) -> None:
            if phase is Phase.READY:
                self._was_ready = True
                self.tell(Report(ready=True))
            elif phase is Phase.FAILED and not self._was_ready:
                self.tell(Report(fault=lifecycle.reason, code=lifecycle.exit_code))

        lifecycle.on_change.append(changed)

    def tell(self, report: Report) -> None:
        """Send it; a supervisor that is gone is noticed elsewhere."""
        with suppress(OSError):
            self._line.send(encode(report))

    async def run(self, lifecycle: Lifecycle) -> None:
        """Live with the group until cancelled; without its supervisor, end as by a signal."""
        self._line.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=self._line.dup())
        beats = asyncio.create_task(self._beat())
        try:
            with suppress(ConnectionError):  # it was killed with something unread
                while line := await reader.readline():
                    self._heard(Group.model_validate_json(line), lifecycle)
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            beats.cancel()
            writer.close()

    def _heard(self, group: Group, lifecycle: Lifecycle) -> None:
        self.processes = group.processes
        told = f"{group.ready} of {group.all} workers are ready"
        if group.complete:
            lifecycle.others_are_ready(told)
        else:
            lifecycle.wait_for_others(told)

    async def _beat(self) -> None:
        while True:
            self.tell(Report())
            await asyncio.sleep(BEAT_S)
