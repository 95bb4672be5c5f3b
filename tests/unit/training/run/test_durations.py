import pytest

from training.run.durations import duration


@pytest.mark.parametrize(("seconds", "text"), [(45.2, "45 s"), (720, "12 min"), (12240, "3.4 h")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
