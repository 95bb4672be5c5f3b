"""Processes that change one store, for test_store_processes.py.

Reads commands, one JSON list a line; answers each with its exit code when it has ended. All processes are
forked from this one, so that torch is loaded once.

`["crash", ROOT, OPERATION]`: for k = 1, 2, … run OPERATION on a fresh copy ROOT/k of the store
ROOT/template in a process that is killed before its k-th system call on that store's files; stop once it
gets through.

`["publish", ROOT, LOG, PROCESSES, TIMES]`: so many processes publish that often each, moving `stable` as
they go, and log what they published.

`["churn", ROOT, TIMES]`: three processes publish, move labels, roll back, delete and prune at random.
"""

import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from adapters.errors import StoreError
from adapters.store.artifact import Artifact
from adapters.store.store import Store

EVENTS = {"open", "os.rename", "os.link", "os.mkdir", "os.remove"}
TASK = "digits"
MAX_STEPS = 500


def numbered(artifact: Artifact, note: object) -> Artifact:
    config = artifact.config.model_copy(update={"provenance": {"note": note}})
    card = {"README.md": json.dumps(note).encode()}
    return Artifact(config, artifact.tensors, card)


OPERATIONS: dict[str, Callable[[Store], object]] = {
    "publish": lambda store: store.publish(TASK, numbered(store.load(TASK, 1), "new")),
    "first-publish": lambda store: store.publish("another", numbered(store.load(TASK, 1), "new")),
    "label": lambda store: store.set_label(TASK, "stable", 1),
    "rollback": lambda store: store.rollback(TASK),
    "remove-label": lambda store: store.remove_label(TASK, "stable"),
    "delete": lambda store: store.delete_version(TASK, 2),
    "delete-task": lambda store: store.delete_task(TASK),
    "prune": lambda store: store.prune(TASK, 0),
}


def crash(root: str, operation: str) -> int:
    for step in range(1, MAX_STEPS):
        copy = Path(root, str(step))
        shutil.copytree(Path(root, "template"), copy)
        code = wait_for(fork(partial(die_at, copy, operation, step)))
        if code != -signal.SIGKILL:
            return code
    return 1


def die_at(root: Path, operation: str, step: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if (
            event in EVENTS
            and isinstance(arguments[0], str | Path)
            and str(arguments[0]).startswith(str(root))
        ):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    store = Store.open(root)
    sys.addaudithook(hook)
    OPERATIONS[operation](store)


def publish(root: str, log: str, processes: int, times: int) -> int:
    store = Store.open(Path(root))
    artifact = store.load(TASK, 1)

    def run(process: int) -> None:
        for count in range(times):
            version = store.publish(TASK, numbered(artifact, [process, count]))
            with Path(log).open("a") as file:
                file.write(json.dumps([version, [process, count]]) + "\n")

    return wait_for(*[fork(partial(run, process)) for process in range(processes)])


def churn(root: str, times: int) -> int:
    artifact = Store.open(Path(root)).load(TASK, 1)

    def again(seed: int) -> None:
        store, chance = Store.open(Path(root)), random.Random(seed)
        actions: list[Callable[[], object]] = [
            lambda: store.publish(TASK, numbered(artifact, "churn")),
            lambda: store.publish(TASK, numbered(artifact, "churn"), label="canary"),
            lambda: store.set_label(TASK, "stable", chance.choice(store.task(TASK).versions)),
            lambda: store.rollback(TASK),
            lambda: store.delete_version(TASK, chance.choice(store.task(TASK).versions)),
            lambda: store.prune(TASK, 2),
        ]
        for _ in range(times):
            try:
                chance.choice(actions)()
            except StoreError:
                continue  # the others were faster: the version is gone, has a label, …

    return wait_for(*[fork(partial(again, seed)) for seed in range(3)])


def fork(target: Callable[[], None]) -> int:
    """Run `target` in a new process; its id."""
    child = os.fork()
    if child:
        return child
    try:
        target()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait_for(*children: int) -> int:
    """Wait for all; the exit code, or minus the signal, of the worst."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return max(codes, key=abs)


COMMANDS: dict[str, Callable[..., int]] = {"crash": crash, "publish": publish, "churn": churn}

if __name__ == "__main__":
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        sys.stdout.write(f"{COMMANDS[name](*arguments)}\n")
        sys.stdout.flush()
