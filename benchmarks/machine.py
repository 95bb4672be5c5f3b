"""What a result was measured on."""

from pathlib import Path


def processor_name() -> str:
    """The processor's own name, or the architecture's where the kernel does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
