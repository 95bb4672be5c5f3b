import pytest

from training.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45.2, "45 s"),
        (99, "99 s"),
        (100, "2 min"),
        (720, "12 min"),
        (6000, "1.7 h"),
        (12240, "3.4 h"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
