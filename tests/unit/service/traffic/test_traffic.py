"""Plain requests of a task with a canary and a shadow: who answers, what is counted, and what follows."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from adapters.config import PreprocessConfig
from adapters.errors import LabelNotFound
from adapters.kinds.dvpt.options import DvptOptions
from adapters.store.artifact import TENSORS_FILE
from adapters.store.label_rules import LabelTraffic, RollBackRule
from adapters.store.traffic_rules import set_traffic
from adapters.vit.backbone import Backbone
from service.engine.protocol import Probabilities
from service.errors import DeviceLost, InferenceFailed, OutOfDeviceMemory, OutputNotFinite
from service.http.classifier import ClassifyQuery
from tests.support.artifacts import MakeArtifact, random_artifact
from tests.support.traffic import Upload, World, by_shade

pytestmark = pytest.mark.anyio


async def rule(world: World, **traffic: object) -> None:
    """Rule it for `canary`, and let the service see it."""
    set_traffic(world.store, "digits", "canary", LabelTraffic.model_validate(traffic))
    await world.follow()


async def warm(world: World) -> None:
    """Bring the canary's version into memory, as its first requests do."""
    await world.registry.load("digits", "canary")


def broken(version: int, shade: int) -> Probabilities | InferenceFailed:
    return OutputNotFinite("NaN") if version == 2 else by_shade(version, shade)


async def test_without_rules_stable_answers(world: World) -> None:
    answer = await world.ask()
    assert (answer.lease.version, answer.lease.label) == (1, "stable")
    assert list(world.registry.state("digits").residents) == [1]


async def test_a_canary_answers_its_share(world: World) -> None:
    await rule(world, canary_share=0.5)
    await warm(world)
    answers = [await world.ask(key=b"user-1") for _ in range(3)]  # at 0.08
    others = [await world.ask(key=b"user-2") for _ in range(3)]  # at 0.77
    assert [(each.lease.version, each.lease.label) for each in answers] == [(2, "canary")] * 3
    assert [(each.lease.version, each.lease.label) for each in others] == [(1, "stable")] * 3
    assert world.counted("canary_requests", task="digits", outcome="answered") == 3


async def test_without_a_key_chance_decides(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await rule(world, canary_share=0.5)
    await warm(world)
    for drawn, version in ((0.49, 2), (0.5, 1)):
        monkeypatch.setattr(world.traffic, "_draw", lambda drawn=drawn: drawn)
        assert (await world.ask()).lease.version == version


async def test_who_names_a_version_or_label_gets_it(world: World) -> None:
    await rule(world, canary_share=1.0, shadow_share=1.0)
    await warm(world)
    for query, version, label in (
        (ClassifyQuery(1, None, 60_000), 1, None),
        (ClassifyQuery(None, "stable", 60_000), 1, "stable"),
        (ClassifyQuery(None, "canary", 60_000), 2, "canary"),
    ):
        answer = await world.classifier.classify("digits", query, Upload([1]).read, key=b"user-1")
        assert (answer.lease.version, answer.lease.label) == (version, label)
    await asyncio.sleep(0.05)
    assert len(world.batches) == 3
    assert world.counted("canary_requests", task="digits", outcome="answered") == 0


async def test_nobody_waits_for_a_canary_that_is_not_in_memory(world: World) -> None:
    await rule(world, canary_share=1.0)
    assert (await world.ask()).lease.version == 1
    assert world.counted("canary_requests", task="digits", outcome="loading") == 1
    await world.until(lambda: 2 in world.registry.state("digits").residents)
    answer = await world.ask()
    assert (answer.lease.version, answer.lease.cold) == (2, False)


async def test_a_canary_that_cannot_answer_falls_back(world: World) -> None:
    await rule(world, canary_share=1.0)
    await warm(world)
    world.answer = broken
    answer = await world.ask(3, 4)
    assert (answer.lease.version, answer.lease.label) == (1, "stable")
    assert [int(row.argmax()) for row in answer.rows] == [0, 1]
    assert world.counted("canary_requests", task="digits", outcome="failed") == 1
    assert world.batcher.admitted == 0


async def test_a_refused_canary_falls_back_and_counts_as_failed(
    world: World, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.residents.refusals.FIRST_PAUSE_S", 60.0)
    await asyncio.to_thread((store_folder / "digits" / "2" / TENSORS_FILE).write_bytes, b"none")
    await rule(world, canary_share=1.0, roll_back={"errors": 1.0, "over": 3})
    assert (await world.ask()).lease.version == 1
    await world.until(lambda: 2 in world.registry.state("digits").refusals)
    for _ in range(3):
        assert (await world.ask()).lease.version == 1
    assert world.counted("canary_requests", task="digits", outcome="refused") == 3
    await world.until(lambda: bool(world.told.lines))
    assert world.told.lines[0]["action"] == "roll_back"


async def test_a_task_without_stable_says_so(world: World) -> None:
    await rule(world, canary_share=1.0)
    world.store.remove_label("digits", "stable")
    await world.follow()
    with pytest.raises(LabelNotFound):
        await world.ask()


async def test_a_shadow_answers_after_stable_and_is_compared(world: World) -> None:
    await rule(world, shadow_share=1.0)
    await warm(world)
    world.answer = lambda version, shade: by_shade(version, shade + (version == 2 and shade == 5))
    answer = await world.ask(3, 4, 5)
    assert answer.lease.version == 1
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="differed") == 1)
    assert world.counted("shadow_pictures", task="digits", outcome="agreed") == 2
    assert world.batches == [(1, 1, 1), (2, 2, 2)]
    record = world.registry.tasks["digits"]
    tally = world.traffic.tally(record, "canary")
    assert tally is not None
    assert (tally.pictures, tally.agreed, tally.requests, tally.errors) == (3, 2, 1, 0)


async def test_a_shadow_of_many_pictures_runs_a_few_at_a_time(world: World) -> None:
    await rule(world, shadow_share=1.0)
    await warm(world)
    await world.ask(*range(10))
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="agreed") == 10)
    assert [len(batch) for batch in world.batches if batch[0] == 2] == [4, 4, 2]


async def test_a_shadow_waits_until_the_engine_is_idle(world: World) -> None:
    """While others' pictures are in the queue, none of a shadow's are; there are more of them than wait."""
    await rule(world, shadow_share=1.0)
    await warm(world)
    waits = asyncio.Event()
    idle = world.batcher.idle

    async def later() -> None:
        await waits.wait()
        await idle()

    world.batcher.idle = later  # type: ignore[method-assign]
    for _ in range(10):
        await world.ask(*range(8))
    assert all(set(batch) == {1} for batch in world.batches)
    skipped = world.counted("shadow_pictures", task="digits", outcome="skipped")
    assert skipped == 2 * 8  # 64 wait
    waits.set()
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="agreed") == 64)
    assert world.batcher.admitted == 0


async def test_a_cold_shadow_is_read_beside_the_requests(world: World) -> None:
    await rule(world, shadow_share=1.0)
    await world.ask()
    await world.until(lambda: 2 in world.registry.state("digits").residents)
    assert world.counted("shadow_pictures", task="digits", outcome="skipped") == 1
    await world.ask()
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="agreed") == 1)


async def test_a_shadow_drives_nothing_out_of_its_slot(world: World, make_artifact: MakeArtifact) -> None:
    world.store.publish("digits", make_artifact(3), label="other")
    await rule(world, shadow_share=1.0)
    await world.registry.load("digits", "other")
    await world.ask()  # the two slots are taken
    await warm(world)
    await world.ask()
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="skipped") == 2)
    slots = {version: each.slot for version, each in world.registry.state("digits").residents.items()}
    assert slots[1] is not None
    assert slots[3] is not None
    assert slots[2] is None


async def test_pixels_of_another_preprocess_are_not_compared(world: World, backbone: Backbone) -> None:
    cropped = random_artifact(
        backbone.config, DvptOptions(count=2), 3, seed=3, preprocess=PreprocessConfig(fit="crop")
    )
    world.store.publish("digits", cropped, label="canary")
    await rule(world, shadow_share=1.0)
    await warm(world)
    await world.ask(1, 2)
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="skipped") == 2)
    assert world.batches == [(1, 1)]


async def test_agreement_moves_stable_once_and_is_written_down(world: World) -> None:
    await rule(world, shadow_share=1.0, promote={"agreement": 0.9, "over": 10})
    await warm(world)
    for _ in range(4):
        await world.ask(1, 2, 3)
    await world.until(lambda: bool(world.told.lines))
    assert world.store.label("digits", "stable").version == 2
    (line,) = world.told.lines
    assert (line["who"], line["action"], line["task"], line["result"]) == (
        "rule",
        "promote",
        "digits",
        "done",
    )
    assert (line["label"], line["version"], line["past"]) == ("canary", 2, 1)
    assert line["pictures"] >= 10
    assert line["agreed"] == line["pictures"]
    assert world.counted("traffic_changes", change="promote", result="done") == 1
    await world.follow()
    assert (await world.ask()).lease.version == 2
    assert world.traffic.tally(world.registry.tasks["digits"], "canary") is None


async def test_of_two_processes_one_promotes(world: World) -> None:
    await rule(world, shadow_share=1.0, promote={"agreement": 0.5, "over": 1})
    await warm(world)
    assert world.store.promote("digits", "canary", 2, past=1)  # the other process, a moment before
    await world.ask()
    await world.until(lambda: world.counted("shadow_pictures", task="digits", outcome="agreed") == 1)
    await asyncio.sleep(0.05)
    assert world.told.lines == []
    assert world.store.label("digits", "stable").history == (1,)


async def test_a_promotion_to_other_classes_is_told_and_not_tried_again(
    world: World, make_artifact: MakeArtifact
) -> None:
    world.store.publish("digits", make_artifact(3, 4), label="canary", replace_classes=True)
    world.answer = lambda version, shade: np.eye(4 if version == 3 else 3, dtype=np.float32)[shade % 3]
    await rule(world, shadow_share=1.0, promote={"agreement": 0.5, "over": 1})
    await warm(world)
    for _ in range(3):
        await world.ask(1)
        await asyncio.sleep(0.05)
    assert [(line["action"], line["result"]) for line in world.told.lines] == [("promote", "classes_differ")]
    assert world.store.label("digits", "stable").version == 1


async def test_errors_take_a_label_out_of_the_traffic(world: World) -> None:
    await rule(world, canary_share=1.0, promote=None, roll_back={"errors": 0.5, "over": 4}, shadow_share=0.5)
    await warm(world)
    world.answer = broken
    for _ in range(2):
        assert (await world.ask()).lease.version == 1
    await world.until(lambda: bool(world.told.lines))
    (line,) = world.told.lines
    assert (line["who"], line["action"], line["result"]) == ("rule", "roll_back", "done")
    assert line["errors"] >= 2
    rules = world.store.label("digits", "canary").rules
    assert rules is not None
    assert rules.traffic == LabelTraffic(roll_back=RollBackRule(errors=0.5, over=4))
    await world.follow()
    before = len(world.batches)
    await world.ask()
    assert world.batches[before:] == [(1,)]


async def test_errors_of_a_shadow_count_too(world: World) -> None:
    await rule(world, shadow_share=1.0, roll_back={"errors": 0.5, "over": 2})
    await warm(world)
    world.answer = broken
    await world.ask(1, 2)
    await world.until(lambda: bool(world.told.lines))
    assert world.told.lines[0]["action"] == "roll_back"
    assert world.counted("shadow_pictures", task="digits", outcome="failed") == 2


@pytest.mark.parametrize("error", [OutOfDeviceMemory("full"), DeviceLost("gone")])
async def test_what_the_device_does_is_not_the_versions_fault(world: World, error: InferenceFailed) -> None:
    await rule(world, canary_share=1.0, roll_back={"errors": 0.1, "over": 1})
    canary = world.traffic.canary("digits", None)
    assert canary is None  # not in memory yet
    await warm(world)
    canary = world.traffic.canary("digits", None)
    assert canary is not None
    world.traffic.failed(canary, error)
    assert (canary.requests, canary.decided) == (0, False)


async def test_rules_that_somebody_changed_meanwhile_stay(world: World) -> None:
    await rule(world, canary_share=1.0, roll_back={"errors": 0.5, "over": 1})
    await warm(world)
    world.answer = broken
    other = LabelTraffic(canary_share=0.25)
    set_traffic(world.store, "digits", "canary", other)  # and the service has not seen it yet
    await world.ask()
    await world.until(lambda: world.counted("canary_requests", task="digits", outcome="failed") == 1)
    await asyncio.sleep(0.05)
    rules = world.store.label("digits", "canary").rules
    assert rules is not None
    assert rules.traffic == other
    assert world.told.lines == []


async def test_counts_go_with_their_rules(world: World) -> None:
    await rule(world, canary_share=1.0)
    await warm(world)
    await world.ask()
    assert len(list(world.traffic._tallies)) == 1
    set_traffic(world.store, "digits", "canary", None)
    await world.follow()
    await world.until(lambda: not list(world.traffic._tallies))
