import os

import pytest
import torch

from training.loop.deterministic import deterministic


def unordered_sum() -> torch.Tensor:
    """An operation that torch has no deterministic form of."""
    return torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)


def test_operations_whose_bits_may_change_are_refused_inside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic(wanted=True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        assert torch.backends.cudnn.deterministic
        with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
            unordered_sum()
        with deterministic(wanted=True):
            pass
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic
    unordered_sum()


def test_nothing_happens_unless_wanted() -> None:
    with deterministic(wanted=False):
        unordered_sum()


def test_a_users_own_workspace_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic(wanted=True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
