import asyncio
import warnings
from importlib import import_module
from typing import Any

import pytest

from service.peers.addresses import Address

pytest.importorskip("ray", reason="needs Ray: make test-ray sets it up")
pytestmark = pytest.mark.anyio

OWN, OTHER = Address(host="127.0.0.1", port=1), Address(host="127.0.0.1", port=2)


class Told:
    """What Ray would tell of the replicas, after a moment; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def ask(self, method: str, timeout_s: float) -> list[Any]:
        assert (method, timeout_s > 0) == ("peer_address", True)
        self.asked += 1
        answer = self.answers.pop(0)
        await asyncio.sleep(0.01)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)


@pytest.fixture
def siblings() -> Any:
    """The module, whose import of Ray warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("service.ray.siblings")


async def test_all_who_ask_at_once_hear_of_the_others_and_ray_is_asked_once(siblings: Any) -> None:
    told = Told([OWN, OTHER])
    addresses = siblings.SiblingAddresses(told, OWN)

    heard = await asyncio.gather(*(addresses.others() for _ in range(3)))

    assert heard == [[OTHER]] * 3
    assert told.asked == 1


async def test_a_replica_that_does_not_tell_its_address_is_one_all_the_same(siblings: Any) -> None:
    addresses = siblings.SiblingAddresses(Told([OWN, RuntimeError("it is ending")]), OWN)

    assert await addresses.others() == [None]


async def test_the_others_stay_known_while_one_hangs(siblings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings, "KEPT_S", 0.0)
    addresses = siblings.SiblingAddresses(Told([OWN, OTHER], TimeoutError()), OWN)

    assert await addresses.others() == [OTHER]
    assert await addresses.others() == [OTHER]
