"""The whole product in one run: train two tasks, serve them, publish a third while traffic flows.

`make demo` runs it. It needs no download: the backbone and the tasks are embedded. What it trains stays
in `stores/embedded`, beside what is there, and can be served afterwards; a second run publishes new versions.
It exits with 1 if a request failed, if the third task's new version never answered, or if a batch never mixed
tasks.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx

from demo.samples import FOLDER, write_samples
from demo.serving import BIN, serving, wait_until_ready
from demo.traffic import Tally, Traffic, print_table, scrape_batches

# Without pictures held back it cannot end as a linear head, whose layout would share no batch with digits.
OPTIONS = {"sprites-location-6000": ("--no-head-first", "--hold-back", "0")}
FIRST_TASKS = ("digits", *OPTIONS)
THIRD_TASK = "sprites-orientation"
STORE = Path("stores/embedded")
LOG = Path("runs/demo/service.log")
PICK_UP_LIMIT_S = 60.0


def train(task: str, *options: str) -> list[str]:
    """The command that trains `task` and publishes it; a run that is finished is published again."""
    return ["dvpt-train", "--task", task, "--store", str(STORE), *options]


def run(command: list[str]) -> None:
    """Run a training in the foreground, its output as it is."""
    print(f"\n> {' '.join(command)}", flush=True)
    if subprocess.run([BIN / command[0], *command[1:]], check=False).returncode:
        sys.exit(f"{' '.join(command)} failed")


async def publish_under_traffic(traffic: Traffic, tally: Tally) -> None:
    """Train and publish the third task while the first two are asked, then ask the third as well."""
    stop = asyncio.Event()
    answered, before = tally.answered, await traffic.serving_version(THIRD_TASK)
    flowing = [asyncio.create_task(traffic.flow(task, stop)) for task in FIRST_TASKS]
    command = train(THIRD_TASK, "--method", "linear")
    print(f"\n> {' '.join(command)}   (while requests flow)", flush=True)
    training = await asyncio.create_subprocess_exec(
        BIN / command[0], *command[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if await training.wait() != 0:
        sys.exit(f"training {THIRD_TASK} failed; run the command by hand to see why")
    version = await wait_for_new_version(traffic, before)
    meanwhile = tally.answered - answered
    print(f"version {version} of {THIRD_TASK} answers, without a restart;", flush=True)
    print(f"{meanwhile} requests of the other two were answered meanwhile", flush=True)
    await asyncio.gather(*(traffic.send(task, limit=200) for task in (*FIRST_TASKS, THIRD_TASK)))
    stop.set()
    await asyncio.gather(*flowing)


async def wait_for_new_version(traffic: Traffic, before: int) -> int:
    """Wait until another version than `before` answers for the third task; its number."""
    try:
        async with asyncio.timeout(PICK_UP_LIMIT_S):
            while (version := await traffic.serving_version(THIRD_TASK)) in (0, before):
                await asyncio.sleep(0.1)
    except TimeoutError:
        sys.exit(f"the service did not take {THIRD_TASK} in within {PICK_UP_LIMIT_S:.0f} s; see {LOG}")
    return version


async def serve_and_ask(base_url: str) -> bool:
    """Send the traffic, print the table; true if everything held."""
    tally = Tally()
    async with httpx.AsyncClient(base_url=base_url, timeout=60.0) as client:
        await wait_until_ready(client, LOG)
        traffic = Traffic(client, tally)
        print(f"\nAsking {' and '.join(FIRST_TASKS)} together, one picture a request", flush=True)
        await asyncio.gather(*(traffic.send(task, limit=400) for task in FIRST_TASKS))
        batches = await scrape_batches(client)  # before the slow trickle that flows while the third trains
        await publish_under_traffic(traffic, tally)
    print_table(tally, batches)
    mixed = batches.tasks_per_batch > 1.0
    return tally.failures == 0 and mixed and THIRD_TASK in tally.by_task


def main() -> int:
    """Run the demonstration in the working directory, and leave what it made."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    for task in FIRST_TASKS:
        run(train(task, *OPTIONS.get(task, ())))
    with serving(STORE, LOG) as base_url:
        print(f"\n> dvpt-serve --store {STORE}   ({base_url})", flush=True)
        held = asyncio.run(serve_and_ask(base_url))
    if not held:
        print(f"\nSomething did not hold; see {LOG}.")
        return 1
    write_samples(FOLDER, (*FIRST_TASKS, THIRD_TASK))
    print("\nEvery request was answered.")
    print(f"`make serve` serves the three tasks, and {FOLDER}/ has pictures to ask about.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
