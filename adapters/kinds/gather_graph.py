"""An ONNX graph that gathers each row's own tensors from a stack, and computes nothing else."""

from collections.abc import Collection, Iterator, Mapping

import onnx
from onnx import parser

from adapters.kinds.kind import RowGraph
from adapters.vit.onnx import ENGINE_OPSET

IR_VERSION = 10


def gather_graph(
    kind: str, shapes: Mapping[str, tuple[int, ...]], *, half: bool, add_one: Collection[str] = ()
) -> RowGraph:
    """Stack [S, …] by name and slots [B] → the same names with their kind before them, [B, …].

    To those of `add_one` 1 is added, in float32.
    """
    element = "float16" if half else "float"
    axes = {name: ", ".join(map(str, shape)) for name, shape in shapes.items()}
    # Tokens are an input of every such graph; here nothing reads them.
    inputs = [f"{element}[B, T, W] tokens", "int64[B] index"]
    inputs += [f"{element}[S, {axes[name]}] {name}" for name in shapes]
    outputs = [f"{element}[B, {axes[name]}] {kind}_{name}" for name in shapes]
    body = "\n".join(line for name in shapes for line in _lines(kind, name, half, one=name in add_one))
    text = (
        f'<ir_version: {IR_VERSION}, opset_import: ["" : {ENGINE_OPSET}]>\n'
        f"{kind} ({', '.join(inputs)}) => ({', '.join(outputs)}) {{\n{body}\n}}"
    )
    model = parser.parse_model(text)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return RowGraph(serialized, tuple(shapes), {f"{kind}_{name}": shape for name, shape in shapes.items()})


def _lines(kind: str, name: str, half: bool, *, one: bool) -> Iterator[str]:
    if not one:
        yield f"{kind}_{name} = Gather ({name}, index)"
        return
    yield f"stored_{name} = Gather ({name}, index)"
    yield f"wide_{name} = Cast <to: int = 1> (stored_{name})"
    yield f"one_{name} = Constant <value_float: float = 1.0> ()"
    yield f"sum_{name} = Add (wide_{name}, one_{name})"
    yield f"{kind}_{name} = Cast <to: int = {10 if half else 1}> (sum_{name})"
