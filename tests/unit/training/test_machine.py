import pytest
import torch

from adapters.errors import ConfigError
from training.machine import choose_device, choose_dtype, cpu_multiplies_bf16


def test_auto_finds_a_device() -> None:
    assert choose_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        choose_device(name)


def test_auto_precision_follows_the_processor() -> None:
    expected = torch.bfloat16 if cpu_multiplies_bf16() else torch.float32
    assert choose_dtype("auto", torch.device("cpu")) == expected
    assert choose_dtype("fp32", torch.device("cpu")) == torch.float32
    assert choose_dtype("bf16", torch.device("cpu")) == torch.bfloat16
