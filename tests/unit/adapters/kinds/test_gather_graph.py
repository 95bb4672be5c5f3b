"""The graphs of affines and bottlenecks give what their stacks give, from the stacks' own tensors."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_of
from adapters.vit.backbone import Backbone
from adapters.vit.onnx import PART_INPUTS

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(
    "layout",
    [
        AffineOptions(biases=True, hidden=192),
        BottleneckOptions(width=9),
        CombinedOptions(dvpt=DvptOptions(count=2, meta_hidden=3)),
    ],
)
def test_a_layouts_graphs_give_what_its_stack_gives(
    backbone: Backbone, layout: KindOptions, dtype: torch.dtype
) -> None:
    kind = kind_of(layout)
    stack = kind.stack(layout, backbone.config, 4, device=CPU, dtype=dtype)
    for tensor in stack.tensors:
        tensor[1:] = torch.randn(tensor[1:].shape).mul(0.3).to(dtype)
    tokens, index = torch.randn(5, 17, 48).to(dtype), torch.tensor([2, 0, 1, 3, 2])
    expected = stack.row_parameters(tokens[:, 1:], index).to(dtype)

    memory = iter(stack.tensors)
    found: dict[str, Any] = {}
    for graph in kind.graphs(layout, backbone.config, prefix=1, half=dtype == torch.float16):
        session = onnxruntime.InferenceSession(graph.model, providers=["CPUExecutionProvider"])
        inputs = {name: next(memory) for name in graph.stack} | {"tokens": tokens, "index": index}
        given = session.run(list(graph.outputs), {name: value.numpy() for name, value in inputs.items()})
        found |= dict(zip(graph.outputs, given, strict=True))

    assert next(memory, None) is None
    for part, names in PART_INPUTS.items():
        values = getattr(expected, part)
        assert (values is None) == (names[0] not in found)
        for name, value in zip(names, values or (), strict=bool(values)):
            np.testing.assert_array_equal(found[name], value.numpy(), err_msg=name)
