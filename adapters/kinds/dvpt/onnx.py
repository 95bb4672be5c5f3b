"""What `DvptStack.row_parameters` computes, as an ONNX graph whose inputs are the stack's own tensors.

Written out, not exported: it takes a millisecond, so that an adapter of a new layout holds up nobody.
"""

from collections.abc import Iterator

import onnx
from onnx import parser

from adapters.config import BackboneConfig
from adapters.kinds.dvpt.meta_net import output_rows
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.kind import RowGraph
from adapters.vit.onnx import ENGINE_OPSET

IR_VERSION = 10
END = 2**63 - 1


def dvpt_graph(layout: DvptOptions, backbone: BackboneConfig, *, prefix: int, half: bool) -> RowGraph:
    """Tokens [B, prefix + N, D], slots [B] and the stack → P(x): `first` and, for deep prompts, `later`.

    Tokens, stack and outputs are float16 where `half`, else float32; the arithmetic is float32, as in the
    stack.
    """
    width = backbone.width
    shapes: dict[str, tuple[int, ...]] = {"first": (layout.count, width)}
    if layout.deep:
        shapes["later"] = (backbone.depth - 1, layout.count, width)
    layers = range(layout.meta_layers)
    stack = ("prompts", "pi_scale", *(f"weight{i}" for i in layers), *(f"bias{i}" for i in layers))
    return RowGraph(_model(layout, prefix, width, half=half), stack, shapes)


def _model(layout: DvptOptions, prefix: int, width: int, *, half: bool) -> bytes:
    kind = "float16" if half else "float"
    inputs = [f"{kind}[B, T, D] tokens", "int64[B] index", f"{kind}[S, L, P, D] prompts"]
    inputs += [f"{kind}[S, L] pi_scale"]
    inputs += [f"{kind}[S, out{i}, in{i}] weight{i}" for i in range(layout.meta_layers)]
    inputs += [f"{kind}[S, out{i}] bias{i}" for i in range(layout.meta_layers)]
    outputs = [f"{kind}[B, P, D] first"]
    outputs += [f"{kind}[B, M, P, D] later"] if layout.deep else []
    body = "\n".join((*_meta_net(layout, prefix, width), *_prompts(layout, width, half=half)))
    text = (
        f'<ir_version: {IR_VERSION}, opset_import: ["" : {ENGINE_OPSET}]>\n'
        f"dvpt ({', '.join(inputs)}) => ({', '.join(outputs)}) {{\n{body}\n}}"
    )
    model = parser.parse_model(text)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _meta_net(layout: DvptOptions, prefix: int, width: int) -> Iterator[str]:
    """Tokens → π before its shape [B, rows·D]; the weights of each row's slot are gathered."""
    yield f"begin = Constant <value_ints: ints = [{prefix}]> ()"
    yield f"end = Constant <value_ints: ints = [{END}]> ()"
    yield "tokens_axis = Constant <value_ints: ints = [1]> ()"
    yield "stored = Slice (tokens, begin, end, tokens_axis)"
    yield "patches = Cast <to: int = 1> (stored)"
    yield "read = " + (
        "Identity (patches)"
        if layout.meta_input == "token"
        else "ReduceMean <keepdims: int = 1> (patches, tokens_axis)"
    )
    if layout.meta_norm:
        yield f"width = Constant <value_ints: ints = [{width}]> ()"
        yield "one = Constant <value_float: float = 1.0> ()"
        yield "ones = Expand (one, width)"
        yield "x0 = LayerNormalization <axis: int = -1, epsilon: float = 0.00001> (read, ones)"
    else:
        yield "x0 = Identity (read)"
    for i in range(layout.meta_layers):
        yield f"stored_w{i} = Gather (weight{i}, index)"
        yield f"w{i} = Cast <to: int = 1> (stored_w{i})"
        yield f"t{i} = Transpose <perm: ints = [0, 2, 1]> (w{i})"
        yield f"stored_b{i} = Gather (bias{i}, index)"
        yield f"flat_b{i} = Cast <to: int = 1> (stored_b{i})"
        yield f"b{i} = Unsqueeze (flat_b{i}, tokens_axis)"
        yield f"a{i} = Relu (x{i})" if i else "a0 = Identity (x0)"
        yield f"m{i} = MatMul (a{i}, t{i})"
        yield f"x{i + 1} = Add (m{i}, b{i})"
    yield f"flat_pi = ReduceMean <keepdims: int = 0> (x{layout.meta_layers}, tokens_axis)"


def _prompts(layout: DvptOptions, width: int, *, half: bool) -> Iterator[str]:
    """π and the prompts of each row's slot → P + π, the first layer's apart from the later ones'."""
    rows = output_rows(layout)
    yield f"pi_shape = Constant <value_ints: ints = [-1, 1, {rows}, {width}]> ()"
    yield "pi = Reshape (flat_pi, pi_shape)"
    yield "stored_scale = Gather (pi_scale, index)"
    yield "flat_scale = Cast <to: int = 1> (stored_scale)"
    yield "scale_axes = Constant <value_ints: ints = [2, 3]> ()"
    yield "scale = Unsqueeze (flat_scale, scale_axes)"
    yield "stored_prompts = Gather (prompts, index)"
    yield "own = Cast <to: int = 1> (stored_prompts)"
    yield "scaled = Mul (scale, pi)"
    yield "sum = Add (own, scaled)"
    yield f"dynamic = Cast <to: int = {10 if half else 1}> (sum)"
    yield "zero = Constant <value_int: int = 0> ()"
    yield "first = Gather <axis: int = 1> (dynamic, zero)"
    if layout.deep:
        yield "second = Constant <value_ints: ints = [1]> ()"
        yield "later = Slice (dynamic, second, end, tokens_axis)"
