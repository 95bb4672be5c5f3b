"""True classes find the answer on whichever of two processes remembers it, over real sockets."""

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.errors import ClassNotFound, TaskNotFound
from adapters.store.store import Store
from service.answers.feedback import Feedback
from service.answers.feedback_counts import FeedbackCounts
from service.answers.recent_answers import Asked, RecentAnswers
from service.errors import AnswerAmbiguous, AnswerNotKnown, BadBody, ServiceError
from service.metrics import Metrics
from service.peers.addresses import Address
from service.peers.peers import Peers
from service.residents.host_memory import HostMemory
from service.residents.registry import Registry
from service.residents.residency import Residency
from tests.support.artifacts import MakeArtifact

pytestmark = pytest.mark.anyio


class Other:
    """The one other process, if there is one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def others(self) -> Sequence[Address | None]:
        return [Address(path=str(self.path)), None]


@pytest.fixture
def loader() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
async def registry(
    store: Store, make_artifact: MakeArtifact, loader: ThreadPoolExecutor
) -> AsyncIterator[Registry]:
    """Knows two versions of digits, three classes each."""

    async def at_once(*_: object) -> None:
        pass

    for seed in range(2):
        store.publish("digits", make_artifact(seed, class_count=3))
    bank = AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=3)
    metrics = Metrics()
    residency = Residency(
        bank, loader=loader, warm=at_once, settled=at_once, metrics=metrics, host=HostMemory(2**40)
    )
    made = Registry(store, residency, loader=loader, metrics=metrics)
    await made.follow(store.records())
    yield made
    await residency.close()


@asynccontextmanager
async def two_processes(registry: Registry, folder: Path) -> AsyncIterator[tuple[Feedback, Feedback]]:
    paths = [folder / "a", folder / "b"]
    async with AsyncExitStack() as stack:
        made = []
        for own, other in (paths, paths[::-1]):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(own))
            listener.listen()
            metrics = Metrics()
            peers = Peers(Other(other), listener)
            feedback = Feedback(RecentAnswers(9), FeedbackCounts(metrics), registry, peers, metrics)
            await stack.enter_async_context(peers.answering(lambda _: {}, feedback.routes()))
            made.append(feedback)
        yield made[0], made[1]


async def counted(feedback: Feedback) -> dict[int, tuple[int, int]]:
    counts = await feedback.counts("digits")
    return {version: (tally.answers, tally.correct) for version, tally in counts.items()}


@pytest.mark.parametrize("at", [0, 1])
async def test_it_counts_once_for_the_version_that_answered_wherever_it_is_told(
    at: int, registry: Registry, tmp_path: Path
) -> None:
    asked = Asked("id:/+=@ ~", "key")
    async with two_processes(registry, tmp_path) as both:
        both[0].answers.remember("digits", asked, 1, [0, 2])
        told = both[at]

        for _ in range(2):
            assert await told.give("digits", asked, 1, "class 2") == (1, True)
        assert [await counted(each) for each in both] == [{1: (1, 1)}] * 2
        assert await told.give("digits", asked, 0, "class 1") == (1, False)
        assert await counted(told) == {1: (2, 1)}
        assert await both[1 - at].give("digits", asked, 0, "class 0") == (1, True)
        assert await told.give("digits", asked, 1, "class 0") == (1, False)
        assert [await counted(each) for each in both] == [{1: (2, 1)}] * 2
        labels = {"task": "digits", "version": "1"}
        assert both[0].metrics.registry.get_sample_value("dvpt_feedback_correct", labels) == 1


async def test_what_is_not_known_is_named(registry: Registry, tmp_path: Path) -> None:
    async with two_processes(registry, tmp_path) as (one, other):
        one.answers.remember("digits", Asked("a"), 2, [0])
        one.answers.remember("digits", Asked("gone"), 7, [0])
        other.answers.remember("pets", Asked("b"), 1, [0])
        with pytest.raises(TaskNotFound):
            await one.give("pets", Asked("b"), 0, "class 0")
        with pytest.raises(AnswerNotKnown, match="'b' is remembered"):
            await one.give("digits", Asked("b"), 0, "class 0")
        with pytest.raises(AnswerNotKnown, match="version 7"):
            await one.give("digits", Asked("gone"), 0, "class 0")
        with pytest.raises(BadBody, match="below 1"):
            await other.give("digits", Asked("a"), 1, "class 0")
        with pytest.raises(ClassNotFound, match="'River'; there are: 'class 0', 'class 1', 'class 2'"):
            await other.give("digits", Asked("a"), 0, "River")
        assert await counted(one) == {}


async def test_one_id_of_two_clients_harms_neither(registry: Registry, tmp_path: Path) -> None:
    async with two_processes(registry, tmp_path) as (one, other):
        one.answers.remember("digits", Asked("a", "k1"), 1, [0])
        other.answers.remember("digits", Asked("a", "k2"), 2, [1])
        assert await one.give("digits", Asked("a", "k2"), 0, "class 1") == (2, True)
        assert await other.give("digits", Asked("a", "k1"), 0, "class 1") == (1, False)
        with pytest.raises(AnswerAmbiguous):
            await one.give("digits", Asked("a", "k3"), 0, "class 0")
        assert await counted(one) == {1: (1, 0), 2: (1, 1)}


async def test_a_request_sent_again_to_the_other_process_counts_once(
    registry: Registry, tmp_path: Path
) -> None:
    async with two_processes(registry, tmp_path) as both:
        for each in both:
            each.answers.remember("digits", Asked("a"), 1, [0])
        for each in both:
            await each.give("digits", Asked("a"), 0, "class 0")
        assert await counted(both[0]) == {1: (1, 1)}


async def test_what_a_slow_process_may_remember_is_not_unknown(registry: Registry, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        metrics = Metrics()
        peers = Peers(Other(tmp_path / "silent"), timeout_s=0.1)
        feedback = Feedback(RecentAnswers(9), FeedbackCounts(metrics), registry, peers, metrics)
        with pytest.raises(ServiceError, match="does not answer now; try again"):
            await feedback.give("digits", Asked("a"), 0, "class 0")
        feedback.answers.remember("digits", Asked("a"), 1, [0])
        assert await feedback.give("digits", Asked("a"), 0, "class 0") == (1, True)
    with pytest.raises(AnswerNotKnown):  # it is gone, and what it remembered with it
        await feedback.give("digits", Asked("b"), 0, "class 0")


async def test_a_process_that_went_meanwhile_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_processes(registry, tmp_path) as (one, other):
        other.answers.remember("digits", Asked("a"), 1, [0])
        config = registry.config

        async def forgotten(*given: object) -> object:
            other.answers.__init__(0)  # type: ignore[misc]
            return await config(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(registry, "config", forgotten)
        with pytest.raises(ServiceError, match="does not answer now"):
            await one.give("digits", Asked("a"), 0, "class 0")
