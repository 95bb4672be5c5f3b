"""The graph of a layout computes what the stack computes, from the stack's own tensors."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from adapters.kinds.dvpt.kind import DvptKind
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.dvpt.stack import DvptStack
from adapters.vit.backbone import Backbone

CPU = torch.device("cpu")
LAYOUTS = [
    DvptOptions(count=3),
    DvptOptions(count=1, deep=False),
    DvptOptions(count=4, meta_net="specific", meta_layers=2),
    DvptOptions(count=2, meta_net="specific", deep=False, meta_input="token", meta_norm=True),
    DvptOptions(count=2, meta_norm=True, meta_hidden=5, meta_layers=6),
    DvptOptions(count=2, meta_input="token"),
]


KIND = DvptKind()


def filled_stack(backbone: Backbone, layout: DvptOptions, dtype: torch.dtype) -> DvptStack:
    """Random values in every slot but the null one; π added at the first, all or no layers."""
    stack = KIND.stack(layout, backbone.config, 5, device=CPU, dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    for tensor in stack.tensors:
        tensor[1:] = torch.randn(tensor[1:].shape, generator=generator).mul(0.3).to(dtype)
    stack.pi_scale[1:] = 0.0
    stack.pi_scale[1, 0] = 1.0
    stack.pi_scale[2] = 1.0
    return stack


def run_graph(
    backbone: Backbone, layout: DvptOptions, tokens: Tensor, index: Tensor, dtype: torch.dtype
) -> tuple[dict[str, np.ndarray], Tensor]:
    """The graph's outputs by name, and the prompts that the stack gives."""
    stack = filled_stack(backbone, layout, dtype)
    (graph,) = KIND.graphs(layout, backbone.config, prefix=1, half=dtype == torch.float16)
    session = onnxruntime.InferenceSession(graph.model, providers=["CPUExecutionProvider"])
    inputs = dict(zip(graph.stack, stack.tensors, strict=True)) | {"tokens": tokens, "index": index}
    outputs = session.run(list(graph.outputs), {name: value.numpy() for name, value in inputs.items()})
    found = dict(zip(graph.outputs, outputs, strict=True))
    assert {name: value.shape[1:] for name, value in found.items()} == graph.outputs
    prompts = stack.row_parameters(tokens[:, 1:], index).prompts
    assert prompts is not None
    return found, prompts


@pytest.mark.parametrize("options", LAYOUTS, ids=KIND.layout_name)
def test_every_layout_computes_what_the_stack_computes(backbone: Backbone, options: DvptOptions) -> None:
    layout = KIND.layout(options, backbone.config)
    tokens, index = torch.randn(5, 17, 48), torch.tensor([2, 0, 1, 3, 2])

    found, expected = run_graph(backbone, layout, tokens, index, torch.float32)

    np.testing.assert_allclose(found["first"], expected[:, 0].numpy(), atol=1e-5)
    assert ("later" in found) == options.deep
    if options.deep:
        np.testing.assert_allclose(found["later"], expected[:, 1:].numpy(), atol=1e-5)


def test_half_precision_is_of_the_memory_not_of_the_arithmetic(backbone: Backbone) -> None:
    layout = KIND.layout(DvptOptions(count=2), backbone.config)
    tokens, index = torch.randn(3, 17, 48).half(), torch.tensor([1, 2, 3])

    found, expected = run_graph(backbone, layout, tokens, index, torch.float16)

    assert {value.dtype for value in found.values()} == {np.dtype(np.float16)}
    np.testing.assert_allclose(found["first"], expected[:, 0].half().numpy(), atol=1e-3)
    np.testing.assert_allclose(found["later"], expected[:, 1:].half().numpy(), atol=1e-3)
