"""The whole product in one run: train two tasks, serve them, publish a third while traffic flows.

`make demo` runs it. It needs no download: the backbone and the three tasks are embedded. It exits with 1 if
a request failed, if the third task never answered, or if a batch never mixed tasks.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx

from demo.serving import BIN, serving, wait_until_ready
from demo.traffic import Tally, Traffic, print_table, scrape_batches

FIRST_TASKS = ("digits", "sprites-location")
THIRD_TASK = "sprites-orientation"


def train(task: str, store: Path, *options: str) -> list[str]:
    """The command that trains `task` and publishes it to `store`."""
    command = [str(BIN / "dvpt-train"), "--task", task, "--store", str(store)]
    return [*command, "--runs", str(store.parent / "runs"), *options]


async def publish_under_traffic(traffic: Traffic, store: Path) -> None:
    """Train and publish the third task while the first two are asked, then ask the third as well."""
    stop = asyncio.Event()
    flowing = [asyncio.create_task(traffic.flow(task, stop)) for task in FIRST_TASKS]
    print(f"\n> dvpt-train --task {THIRD_TASK}, while requests flow", flush=True)
    training = await asyncio.create_subprocess_exec(
        *train(THIRD_TASK, store, "--method", "linear"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if await training.wait() != 0:
        sys.exit(f"training {THIRD_TASK} failed; run it by hand to see why")
    published = time.monotonic()
    await traffic.wait_for_task(THIRD_TASK)
    print(f"  {THIRD_TASK} answered {time.monotonic() - published:.1f} s after it was published", flush=True)
    await asyncio.gather(*(traffic.send(task, limit=200) for task in (*FIRST_TASKS, THIRD_TASK)))
    stop.set()
    await asyncio.gather(*flowing)


async def serve_and_ask(base_url: str, store: Path, log: Path) -> bool:
    """Send the traffic, print the table; true if everything held."""
    tally = Tally()
    async with httpx.AsyncClient(base_url=base_url, timeout=60.0) as client:
        await wait_until_ready(client, log)
        traffic = Traffic(client, tally)
        print(f"\nAsking {' and '.join(FIRST_TASKS)} together, one picture a request", flush=True)
        await asyncio.gather(*(traffic.send(task, limit=400) for task in FIRST_TASKS))
        batches = await scrape_batches(client)  # before the slow trickle that flows while the third trains
        await publish_under_traffic(traffic, store)
    print_table(tally, batches)
    mixed = batches.tasks_per_batch > 1.0
    return tally.failures == 0 and mixed and THIRD_TASK in tally.by_task


def main() -> int:
    """Run the demonstration in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="made anew (default: demo)")
    folder: Path = parser.parse_args().folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store, log = folder / "store", folder / "service.log"
    for task in FIRST_TASKS:
        print(f"\n> dvpt-train --task {task} --store {store}", flush=True)
        if subprocess.run(train(task, store), check=False).returncode:
            sys.exit(f"training {task} failed")
    with serving(store, log) as base_url:
        print(f"\n> dvpt-serve --store {store}   ({base_url})", flush=True)
        held = asyncio.run(serve_and_ask(base_url, store, log))
    print("\nEvery request was answered." if held else f"\nSomething did not hold; see {log}.")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
