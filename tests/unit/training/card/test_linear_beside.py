import pytest
import torch

from training.card.findings import Findings, LinearBeside, Predictions
from training.card.linear_beside import advice, comparison


def predictions(right: int, of: int, *, first: bool = True) -> Predictions:
    """Answers of which the first, or else the last, so many are right."""
    labels = torch.zeros(of, dtype=torch.long)
    row = torch.arange(of)
    correct = row < right if first else row >= of - right
    logits = torch.stack([correct.float(), (~correct).float()], dim=1)
    return Predictions(tuple(map(str, range(of))), labels, logits)


def findings(right: int, linear: int, of: int = 400, *, first: bool = True) -> Findings:
    beside = LinearBeside(predictions(linear, of, first=first), values=1930, strength=0.1)
    return Findings("test", ("a", "b"), predictions(right, of), (), linear=beside)


def test_the_difference_is_told_in_points_with_its_interval() -> None:
    assert comparison(findings(337, 305), "dvpt") == (
        "linear head on the same features: 0.7625; dvpt is 8.0 points above it "
        "(95 % 5.3 to 10.7, same pictures)"
    )


def test_below_is_told_without_a_sign() -> None:
    assert comparison(findings(305, 337), "vpt") == (
        "linear head on the same features: 0.8425; vpt is 8.0 points below it "
        "(95 % 5.3 to 10.7, same pictures)"
    )


def test_none_above_is_level() -> None:
    text = comparison(findings(200, 200, first=False), "dvpt")
    assert text is not None
    assert "dvpt is level with it (95 % -9.8 to 9.8, same pictures)" in text


def test_without_a_linear_head_nothing_is_said() -> None:
    alone = Findings("test", ("a", "b"), predictions(3, 4), ())
    assert comparison(alone, "dvpt") is None
    assert advice(alone, "dvpt", 28_000) is None


@pytest.mark.parametrize(
    ("right", "linear", "method", "values", "told"),
    [
        (337, 305, "dvpt", 28_000, None),
        (
            306,
            305,
            "dvpt",
            28_000,
            "dvpt is not above it beyond chance: --method linear is smaller (1,930 values) and as good here",
        ),
        (304, 305, "mlp", 900, "mlp is not above it beyond chance: --method linear is as good here"),
        (305, 337, "vpt", 28_000, "--method linear is smaller (1,930 values) and better here"),
        (304, 305, "linear", 1930, None),
    ],
)
def test_who_is_not_above_it_beyond_chance_is_told(
    right: int, linear: int, method: str, values: int, told: str | None
) -> None:
    assert advice(findings(right, linear), method, values) == told
