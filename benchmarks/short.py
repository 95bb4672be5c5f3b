"""The short set: many tasks, training steps, the request path, the scheduler; a few minutes on two cores.

    python -m benchmarks.short

Prints what each says and leaves its result files below runs/bench: few rounds are no result to keep.
"""

import os
import subprocess
import sys

SHORT = (
    ("many_tasks", "--rounds", "8"),
    ("training_steps", "--rounds", "7"),
    ("front_end", "--rounds", "2"),
    ("scheduler", "--seconds", "0.2", "--rounds", "2", "--docs", "runs/bench"),
)


def main() -> None:
    """Run them one after the other."""
    environment = os.environ | {"BENCHMARK_RESULTS": "runs/bench"}
    for name, *options in SHORT:
        print(f"> python -m benchmarks.{name} {' '.join(options)}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
