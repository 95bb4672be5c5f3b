"""What many tasks cost: a batch of one task against mixed batches, interleaved in one run.

    python -m benchmarks.short

Prints the ratio of throughputs with its spread over pairs; absolute times depend on the machine.
"""

import statistics
import time
from collections.abc import Callable

import torch

from adapters.backbone import EMBEDDED_BACKBONE, Backbone, load_backbone
from adapters.bank import AdapterBank, forward_mixed
from adapters.config import AdapterConfig, PromptConfig
from adapters.dvpt import Adapter
from adapters.layout import Slot
from benchmarks.machine import processor_name

TASKS = (10, 100, 1000)
BATCH = 32
PAIRS = 20
CLASSES = 10


def main() -> None:
    """Measure on the CPU with the embedded backbone."""
    backbone = load_backbone(EMBEDDED_BACKBONE)
    bank = AdapterBank(
        backbone.config, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=max(TASKS)
    )
    slots = fill(bank, backbone, max(TASKS))
    images = torch.randint(0, 256, (BATCH, 3, 64, 64), dtype=torch.uint8)
    print(f"{processor_name()}, torch {torch.__version__}, float32, batch {BATCH}, {PAIRS} interleaved pairs")
    for count in TASKS:
        mixed = [slots[row * count // BATCH] for row in range(BATCH)]
        ratios = [
            seconds(lambda: forward_mixed(backbone, bank, images, [slots[0]] * BATCH))
            / seconds(lambda rows=mixed: forward_mixed(backbone, bank, images, rows))  # type: ignore[misc]
            for _ in range(PAIRS)
        ]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{len(set(mixed)):>4} of {count:>4} tasks in a batch: {middle:.3f} of one task's throughput",
            end="",
        )
        print(f" (quartiles {low:.3f} to {high:.3f})")


def fill(bank: AdapterBank, backbone: Backbone, count: int) -> list[Slot]:
    """Insert `count` adapters with random prompts."""
    options = PromptConfig()
    config = AdapterConfig(
        method="dvpt",
        prompts=options,
        classes=tuple(str(index) for index in range(CLASSES)),
        backbone_sha256=backbone.config.sha256,
        tensors_sha256="0" * 64,
    )
    return [
        bank.insert(config, Adapter(options, backbone.config, CLASSES).state_dict()) for _ in range(count)
    ]


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
