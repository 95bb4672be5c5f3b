from service.residents.refusals import LONGEST_PAUSE_S, Refusal, next_refusal

FILES = frozenset({("adapter_model.safetensors", 100, 1)})
OTHER_FILES = frozenset({("adapter_model.safetensors", 100, 2)})


def failed(times: int) -> tuple[Refusal, float]:
    refusal, now_s = next_refusal(None, ValueError("bad"), 0.0, FILES), 0.0
    for _ in range(times - 1):
        now_s = refusal.retry_at_s
        refusal = next_refusal(refusal, ValueError("bad"), now_s, FILES)
    return refusal, now_s


def test_a_refused_version_waits_before_it_is_tried_again() -> None:
    refusal, now_s = failed(1)

    assert not refusal.may_retry(now_s, FILES)
    assert refusal.may_retry(refusal.retry_at_s, FILES)


def test_it_tells_what_the_error_was() -> None:
    refusal, _ = failed(1)

    assert (refusal.kind, refusal.error) == ("ValueError", "bad")


def test_pauses_double_from_two_seconds_to_a_minute() -> None:
    refusals = [failed(times) for times in range(1, 9)]

    pauses_s = [refusal.retry_at_s - now_s for refusal, now_s in refusals]
    assert pauses_s == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_no_attempt_is_the_last() -> None:
    refusal, now_s = failed(2000)

    assert refusal.attempts == 2000
    assert not refusal.may_retry(now_s, FILES)
    assert refusal.may_retry(now_s + LONGEST_PAUSE_S, FILES)


def test_changed_files_are_tried_at_once_and_start_anew() -> None:
    refusal, now_s = failed(7)

    assert refusal.may_retry(now_s, OTHER_FILES)
    assert next_refusal(refusal, ValueError("still bad"), now_s, OTHER_FILES).attempts == 1
