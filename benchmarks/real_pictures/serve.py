"""Sends whole test sets, mixed and concurrent, to a real service, and compares with offline evaluation."""

import asyncio
import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.real_pictures.predictions import Prediction, read_predictions
from demo.serving import serving, wait_until_ready
from demo.traffic import Batches, scrape_batches

IN_FLIGHT = 32
FOLDERS = {"eurosat": "vtab-1k/eurosat", "dtd10": "imagefolder/dtd10"}


@dataclass(frozen=True)
class Asked:
    """One picture on its way to one published task."""

    published: str
    file: Path
    offline: Prediction


def compare_served(folder: Path, published: Mapping[str, tuple[str, Path]]) -> None:
    """Ask every published task about its whole test set; writes `served.json`.

    `published` maps the name in the store to the task and its offline predictions.
    """
    root = Path(os.environ["DVPT_DATA_ROOT"])
    asked = [
        Asked(name, root / FOLDERS[task] / prediction.name, prediction)
        for name, (task, predictions) in published.items()
        for prediction in read_predictions(predictions)
    ]
    random.Random(0).shuffle(asked)  # tasks mixed, whatever their sizes
    log = folder / "service.log"
    with serving(folder / "store", log) as base_url:
        answers, batches = asyncio.run(_ask_all(base_url, asked, log))
    (folder / "served.json").write_text(json.dumps(_summary(asked, answers, batches), indent=2) + "\n")


async def _ask_all(base_url: str, asked: list[Asked], log: Path) -> tuple[list[int], Batches]:
    free = asyncio.Semaphore(IN_FLIGHT)
    limits = httpx.Limits(max_connections=IN_FLIGHT)
    async with httpx.AsyncClient(base_url=base_url, timeout=120.0, limits=limits) as client:
        await wait_until_ready(client, log)

        async def one(item: Asked) -> int:
            async with free:
                return await _ask(client, item)

        answers = await asyncio.gather(*(one(item) for item in asked))
        return list(answers), await scrape_batches(client)


async def _ask(client: httpx.AsyncClient, item: Asked) -> int:
    answer = await client.post(
        f"/v1/tasks/{item.published}/classify",
        params={"top_k": 1, "timeout_ms": 60_000},
        content=item.file.read_bytes(),
        headers={"content-type": "image/jpeg"},
    )
    answer.raise_for_status()
    return int(answer.json()["predictions"][0]["classes"][0]["index"])


def _summary(asked: list[Asked], answers: list[int], batches: Batches) -> dict[str, object]:
    tasks: dict[str, dict[str, float]] = {}
    for name in sorted({item.published for item in asked}):
        rows = [
            (item.offline, got) for item, got in zip(asked, answers, strict=True) if item.published == name
        ]
        tasks[name] = {
            "pictures": len(rows),
            "served_accuracy": sum(got == offline.label for offline, got in rows) / len(rows),
            "identical_top1": sum(got == offline.predicted for offline, got in rows) / len(rows),
        }
    return {
        "tasks": tasks,
        "pictures_per_batch": round(batches.pictures_per_batch, 2),
        "tasks_per_batch": round(batches.tasks_per_batch, 2),
        "batches": batches.count,
    }
