import pytest

from training.harmless import harmless


def test_a_failure_is_one_line_that_says_what_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    with harmless("plot a.png", "the card goes without it"):
        raise OSError(28, "No space left\non device", "/x")
    assert caplog.messages == [
        "warning: no plot a.png: /x: No space left on device (OSError); the card goes without it"
    ]


def test_signals_pass() -> None:
    with pytest.raises(KeyboardInterrupt), harmless("card", ""):
        raise KeyboardInterrupt
