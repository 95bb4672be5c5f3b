from service.residents.refusals import MAX_ATTEMPTS, Fault, next_fault

FILES = frozenset({("adapter_model.safetensors", 100, 1)})
OTHER_FILES = frozenset({("adapter_model.safetensors", 100, 2)})


def failed(times: int) -> tuple[Fault, float]:
    fault, now_s = next_fault(None, ValueError("bad"), 0.0, FILES), 0.0
    for _ in range(times - 1):
        now_s = fault.retry_at_s
        fault = next_fault(fault, ValueError("bad"), now_s, FILES)
    return fault, now_s


def test_a_fault_waits_before_it_is_tried_again() -> None:
    fault, now_s = failed(1)

    assert not fault.may_retry(now_s, FILES)
    assert fault.may_retry(fault.retry_at_s, FILES)


def test_pauses_grow() -> None:
    first, _ = failed(1)
    third, now_s = failed(3)

    assert third.retry_at_s - now_s == 4 * first.retry_at_s


def test_attempts_are_bounded() -> None:
    fault, _ = failed(MAX_ATTEMPTS)

    assert not fault.may_retry(1e12, FILES)


def test_changed_files_are_tried_at_once_and_start_anew() -> None:
    fault, now_s = failed(MAX_ATTEMPTS)

    assert fault.may_retry(now_s, OTHER_FILES)
    assert next_fault(fault, ValueError("still bad"), now_s, OTHER_FILES).attempts == 1
