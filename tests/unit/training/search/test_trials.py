import pytest

from training.errors import Diverged
from training.search.trials import TrialRow, select


def trial(lr: float, accuracy: float | None, loss: float = 1.0, weight_decay: float = 0.0) -> TrialRow:
    return TrialRow(
        task="x", method="vpt", optimizer="sgd", lr=lr, weight_decay=weight_decay, seed=0, split="val",
        epochs=1, state="diverged" if accuracy is None else "finished", accuracy=accuracy,
        loss=None if accuracy is None else loss, pictures=10, seconds=1.0, training_seconds=1.0, run="r",
    )  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        [trial(3, 0.5), trial(2, 0.9), trial(1, 0.8)],
        [trial(3, None), trial(2, 0.1)],
        [trial(1, 0.9, loss=0.6), trial(2, 0.9, loss=0.5)],
        [trial(4, 0.9), trial(2, 0.9), trial(3, 0.9)],
        [trial(2, 0.9, weight_decay=0.0), trial(2, 0.9, weight_decay=0.1)],
    ],
    ids=["accuracy", "not a diverged one", "loss", "learning rate", "weight decay"],
)
def test_the_best_on_val_is_chosen_and_ties_are_settled(rows: list[TrialRow]) -> None:
    chosen = select(rows)
    assert chosen.lr == 2
    assert chosen.weight_decay == max(row.weight_decay for row in rows)


def test_nothing_is_chosen_where_everything_diverged() -> None:
    with pytest.raises(Diverged, match="all 2 trials diverged"):
        select([trial(1, None), trial(2, None)])
