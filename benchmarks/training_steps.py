"""What a training step costs: DVPT against VPT-deep, and K trials in one forward against one after the other.

    python -m benchmarks.training_steps [--backbone NAME] [--image-size PX] [--device cuda:0]

The default method with moved pictures is compared with the same without, too. Both sides of a ratio are timed
in turn. Writes benchmarks/results/training_steps-<backbone>-<device>.json.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional as F

from adapters.device import choose_device, choose_dtype
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, random_backbone
from benchmarks.common.interleaved import Ratio, interleave, ratio
from benchmarks.common.machine import write_result
from training.data.augmentation import shifted
from training.methods.bodies import BodyMethod, joint_logits
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.run.settled import settled

CLASSES, PICTURES = 10, 1000
SHIFT = METHODS["dvpt-plus"].recipe.random_shift


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default=EMBEDDED_BACKBONE, help="shape; its weights do not matter")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    size = {"img_size": options.image_size} if options.image_size else {}
    device = choose_device(options.device)
    backbone = random_backbone(options.backbone, **size).prepare(device, choose_dtype("auto", device))
    backbone.use_fused_attention(device.type != "cpu")
    figures = {
        "backbone": options.backbone, "image_size": backbone.config.image_size, "batch": options.batch,
        "device": str(device), "precision": str(backbone.dtype), "trials": options.trials,
        "dvpt_over_vpt": asdict(dvpt_over_vpt(backbone, options.batch, options.rounds)),
        "joint_over_separate": asdict(
            joint_over_separate(backbone, options.batch, options.trials, options.rounds)
        ),
        "moved_over_still": asdict(moved_over_still(backbone, options.batch, options.rounds)),
    }  # fmt: skip
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(write_result(f"training_steps-{options.backbone}-{device.type}", figures))


def dvpt_over_vpt(backbone: Backbone, batch: int, rounds: int) -> Ratio:
    """Time of a DVPT step over that of a VPT-deep step with as many prompts."""
    images, labels = _pictures(backbone, batch)
    sides = {
        name: _stepper([_method(backbone, method=name)], images, labels, together=False)
        for name in ("dvpt", "vpt")
    }
    times = interleave(sides, rounds)
    return ratio(times["dvpt"], times["vpt"])


def new_step(backbone: Backbone, batch: int) -> Callable[[], None]:
    """One training step of DVPT."""
    return _stepper([_method(backbone, method="dvpt")], *_pictures(backbone, batch), together=False)


def joint_over_separate(backbone: Backbone, batch: int, trials: int, rounds: int) -> Ratio:
    """Time of a step of several trials in one forward over that of their steps one after the other."""
    images, labels = _pictures(backbone, batch)
    methods = [_method(backbone, method="dvpt") for _ in range(trials)]
    times = interleave(
        {
            "joint": _stepper(methods, images, labels, together=True),
            "separate": _stepper(methods, images, labels, together=False),
        },
        rounds,
    )
    return ratio(times["joint"], times["separate"])


def moved_over_still(backbone: Backbone, batch: int, rounds: int) -> Ratio:
    """Time of a dvpt-plus step with pictures that are moved at random over that of one without."""
    images, labels = _pictures(backbone, batch)
    pixels = images.cpu()
    step = _stepper([_method(backbone, method="dvpt-plus")], images, labels, together=False)

    def moved() -> None:
        images.copy_(shifted(pixels, SHIFT, 0))
        step()

    times = interleave({"moved": moved, "still": step}, rounds)
    return ratio(times["moved"], times["still"])


def _method(backbone: Backbone, **options: str) -> BodyMethod:
    config = settled(TrainConfig.model_validate({"task": "x"} | options), backbone.config, PICTURES)
    method = BodyMethod(backbone, config, CLASSES)
    method.module.to(backbone.mean.device)
    return method


def _pictures(backbone: Backbone, batch: int) -> tuple[Tensor, Tensor]:
    size, device = backbone.config.image_size, backbone.mean.device
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=device)
    return images, torch.arange(batch, device=device) % CLASSES


def _stepper(
    methods: Sequence[BodyMethod], images: Tensor, labels: Tensor, *, together: bool
) -> Callable[[], None]:
    """One training step of each method, as the loop takes it."""
    optimizers = [torch.optim.AdamW(method.module.parameters(), lr=1e-4) for method in methods]

    def step() -> None:
        if together:
            answers = joint_logits(methods, [images] * len(methods))
            torch.autograd.backward([F.cross_entropy(logits, labels) for logits in answers])
        else:
            for method in methods:
                torch.autograd.backward(F.cross_entropy(method.logits(images), labels))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if images.is_cuda:
            torch.cuda.synchronize()

    return step


if __name__ == "__main__":
    main()
