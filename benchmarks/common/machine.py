"""What a result was measured on, and the file it is kept in."""

import json
import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(os.environ.get("BENCHMARK_RESULTS", "benchmarks/results"))
PACKAGES = ("torch", "timm", "numpy", "pillow", "onnxruntime", "ray")


def processor_name() -> str:
    """The processor's own name, or the architecture's where the kernel does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def machine() -> dict[str, Any]:
    """Processor, cores, GPU if there is one, and versions."""
    import torch  # noqa: PLC0415 - slow to import, and some benchmarks need no torch

    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Write `benchmarks/results/<name>.json`: machine, versions, date, command and figures."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {"command": _command(), "date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    path.write_text(json.dumps(head | {"figures": figures}, indent=2) + "\n")
    return path


def _command() -> str:
    """`python -m benchmarks.<module> …` as it was called, but for where things lie on this machine."""
    spec = sys.modules["__main__"].__spec__
    module = spec.name.removesuffix(".__main__") if spec else f"benchmarks.{Path(sys.argv[0]).stem}"
    words = ["PATH" if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["python", "-m", module, *words])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
