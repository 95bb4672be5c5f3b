"""What a key may do."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from service.access.key_record import KeyList
from service.access.scope import Scope
from tests.support.keys import CREATED, new_key


def test_a_scope_is_not_another_and_admin_is_all() -> None:
    _, metrics = new_key(scopes=["metrics"])
    _, admin = new_key(scopes=["admin"])
    assert [metrics.may_use(scope, None) for scope in Scope] == [scope is Scope.METRICS for scope in Scope]
    assert all(admin.may_use(scope, "any") for scope in Scope)


def test_tasks_are_those_of_the_patterns() -> None:
    _, key = new_key(tasks=["retail-*", "eurosat"])
    asked = ("retail-a", "retail-", "retail", "eurosat", "EuroSAT", "x-retail-a")
    assert list(filter(key.may_see, asked)) == ["retail-a", "retail-", "eurosat"]
    assert key.may_use(Scope.CLASSIFY, None)
    assert not key.may_use(Scope.CLASSIFY, "other")


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    later = CREATED + timedelta(days=1)
    _, key = new_key(expires=later)
    assert key.state(CREATED) == "valid"
    assert key.state(later) == "expired"
    assert key.model_copy(update={"revoked": CREATED}).state(CREATED) == "revoked"
    assert not key.model_copy(update={"revoked": CREATED}).is_valid(CREATED)


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "a\nb"}, {"scopes": []}, {"scopes": ["root"]}, {"tasks": []}, {"tasks": ["a/b"]},
     {"requests_per_s": 0}, {"concurrent_requests": 0}, {"created": "2026-11-26T00:00:00"}, {"more": 1}],
)  # fmt: skip
def test_what_is_no_record_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        new_key(**wrong)


def test_no_two_keys_have_one_id() -> None:
    _, key = new_key()
    with pytest.raises(ValidationError, match="two keys have one id"):
        KeyList(keys=(key, key))
