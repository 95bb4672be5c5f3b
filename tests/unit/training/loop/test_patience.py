from hypothesis import given
from hypothesis import strategies as st

from training.loop.patience import best_epoch, out_of_patience
from training.run_directory import EpochRecord


def history(*accuracies: float | None) -> list[EpochRecord]:
    return [
        EpochRecord(number, 1.0, 0.5, 0.1, 1.0, accuracy) for number, accuracy in enumerate(accuracies, 1)
    ]


def test_the_first_of_the_best_counts() -> None:
    best = best_epoch(history(0.2, 0.6, 0.4, 0.6))
    assert best is not None
    assert best.epoch == 2
    assert best_epoch(history(None, None)) is None


def test_epochs_without_a_look_are_waited_through() -> None:
    assert not out_of_patience(history(None, None), 1)
    assert not out_of_patience(history(0.6, None, None), 1)
    assert out_of_patience(history(0.6, None, None, 0.6), 1)
    assert not out_of_patience(history(0.6, None, None, 0.7), 1)


@given(st.lists(st.none() | st.floats(0, 1), max_size=8))
def test_without_patience_it_never_ends_early(accuracies: list[float | None]) -> None:
    assert not out_of_patience(history(*accuracies), 0)
