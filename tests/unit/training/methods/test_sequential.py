import pytest
import torch

from training.methods.sequential import Bottleneck


@pytest.mark.parametrize("init", ["kaiming", "vpt_zero"])
def test_it_starts_as_the_identity(init: str) -> None:
    tokens = torch.randn(2, 5, 16)
    assert torch.equal(Bottleneck(16, 4, init)(tokens), tokens)


def test_vpts_zeros_train_the_last_bias_alone() -> None:
    bottleneck = Bottleneck(16, 4, "vpt_zero")
    torch.autograd.backward(bottleneck(torch.randn(2, 5, 16)).square().sum())
    moved = {
        name for name, value in bottleneck.named_parameters() if value.grad is not None and value.grad.any()
    }
    assert moved == {"up.bias"}


def test_a_sane_start_trains_both_matrices() -> None:
    torch.manual_seed(0)
    bottleneck = Bottleneck(16, 4, "kaiming")
    optimizer = torch.optim.SGD(bottleneck.parameters(), lr=0.1)
    for _ in range(2):  # `up` first, `down` once `up` is no longer zero
        optimizer.zero_grad()
        torch.autograd.backward((bottleneck(torch.randn(2, 5, 16)) - 1).square().sum())
        optimizer.step()
    moved = {
        name for name, value in bottleneck.named_parameters() if value.grad is not None and value.grad.any()
    }
    assert moved == {"down.weight", "down.bias", "up.weight", "up.bias"}


@pytest.mark.parametrize(("reduction", "hidden"), [(8, 24), (64, 3), (1000, 1)])
def test_the_reduction_divides_the_width(reduction: int, hidden: int) -> None:
    assert Bottleneck(192, reduction, "kaiming").down.out_features == hidden


def test_it_gives_back_the_type_it_got() -> None:
    assert Bottleneck(16, 4, "kaiming")(torch.randn(1, 2, 16).bfloat16()).dtype == torch.bfloat16
