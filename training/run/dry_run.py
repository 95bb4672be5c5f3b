"""What a run would do and cost, from a few real steps; nothing is kept."""

import resource
import time
from dataclasses import dataclass

import torch
from safetensors.torch import save

from training.data.pixels import RESIDENT_BYTES
from training.data.source import Split
from training.loop.epoch import Pictures
from training.loop.evaluate import answer_of_method, predict_logits
from training.loop.optimization import steps_in_epoch
from training.methods.method import Parameters
from training.run.durations import duration
from training.run.linear_reference import DRAWS, MOST_CHECKED
from training.run.run import Run

TIMED_STEPS = 4
GIB = 2**30


@dataclass(frozen=True)
class Costs:
    """Of one picture or step, as measured; `kept_bytes` is what stays in memory of a training picture."""

    decode_s: float
    inputs_s: float
    step_s: float
    evaluate_s: float
    kept_bytes: float


def dry_run(run: Run) -> str:
    """Lines for a user: sizes, parameters, memory, time, and where it would be published.

    The run's method is trained for a few steps in memory, and is of no use afterwards. Raises DataUnusable
    for pictures that cannot be read among the few that are decoded.
    """
    costs = measure(run)
    counts, backbone = Parameters.of(run.method), run.backbone
    return "\n".join(
        [
            f"task: {run.config.task}, {len(run.data.classes)} classes, from {run.data.source}",
            f"pictures: {_sizes(run)}",
            *(f"  {how}" for how in (*run.data.notes, *run.data.remarks)),
            f"method: {run.config.method} on {backbone.config.name}, {backbone.config.image_size} px, "
            f"{str(backbone.dtype).removeprefix('torch.')} on {run.device}",
            f"trained parameters: {counts.with_head:,} with head, {counts.without_head:,} without",
            f"adapter: {_adapter(run)}",
            f"memory: about {memory_bytes(run, costs) / GIB:.2f} GiB",
            f"time: {_time(run, costs)}",
            f"run directory: {run.directory.path}",
            f"publishing: {_publishing(run)}",
            "nothing was trained or written (--dry-run)",
        ]
    )


def measure(run: Run) -> Costs:
    """Decode a few batches, and train and evaluate on them; the first step only warms up."""
    size = min(run.config.batch_size, len(run.train))
    few = _spread(run.train, size * TIMED_STEPS)
    run.speed_up()
    began = time.perf_counter()
    pixels = run.load_training_pixels(few)
    decoded = time.perf_counter()
    changed = run.config.augments or run.config.random_shift
    inputs = pixels if changed else run.method.inputs(pixels)
    computed = time.perf_counter()
    pictures = Pictures(inputs, torch.tensor(few.labels))
    step_s = run.new_training(rehearsal=True).rehearse(pictures, size, TIMED_STEPS)
    seen = run.decoder.load(few)
    trained = time.perf_counter()
    predict_logits(answer_of_method(run.method, run.device), run.device, [seen])
    evaluated = time.perf_counter()
    return Costs(
        decode_s=(decoded - began) / len(few),
        inputs_s=(computed - decoded) / len(few),
        step_s=step_s,
        evaluate_s=(evaluated - trained) / len(few),
        kept_bytes=(pixels.nbytes + (0 if inputs is pixels else inputs.nbytes)) / len(few),
    )


def memory_bytes(run: Run, costs: Costs) -> float:
    """The device's peak; on a CPU the process's, and the pictures that are still to be decoded."""
    if run.device.type == "cuda":
        return float(torch.cuda.max_memory_reserved(run.device))
    evaluated = len(run.held_out) * 3 * run.backbone.config.image_size**2
    to_come = len(run.train) * costs.kept_bytes + min(evaluated, RESIDENT_BYTES)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + to_come


def trial_s(run: Run, costs: Costs) -> float:
    """Seconds of training every epoch and evaluating once, pictures decoded and inputs computed."""
    steps = steps_in_epoch(len(run.train), run.config.batch_size)
    return (run.config.epochs or 0) * steps * costs.step_s + len(run.held_out) * costs.evaluate_s


def _time(run: Run, costs: Costs) -> str:
    epochs, steps = run.config.epochs or 0, steps_in_epoch(len(run.train), run.config.batch_size)
    checkpoint = run.directory.load()
    done = len(checkpoint.history) if checkpoint else 0
    looks = (epochs - done) // run.config.val_every if run.config.val_every else 0
    # The linear head beside it, and the one to start from, go once over the pictures.
    passes = 0 if run.config.method == "linear" else len(run.train) + len(run.held_out)
    passes += len(run.train) if run.config.head_first else 0
    passes += DRAWS * min(len(run.train), MOST_CHECKED) if run.config.random_shift else 0
    seen = len(run.held_out) + looks * len(run.data.splits.get("val", ())) + passes
    training_s = (epochs - done) * steps * costs.step_s + len(run.train) * costs.inputs_s
    total_s = training_s + (len(run.train) + len(run.held_out)) * costs.decode_s + seen * costs.evaluate_s
    before = f", of which {done} are trained already" if done else ""
    most = "at most " if run.config.patience else "about "
    return (
        f"{most}{duration(total_s)}; {epochs} epochs of {steps} steps{before}, "
        f"{costs.step_s * 1000:.0f} ms a step"
    )


def _sizes(run: Run) -> str:
    """What is trained on and evaluated, and then every split there is."""
    splits = ", ".join(f"{name} {len(split):,}" for name, split in run.data.splits.items())
    return f"{len(run.train):,} to train on, {len(run.held_out):,} to evaluate ({splits})"


def _adapter(run: Run) -> str:
    draft = run.draft()
    if draft is None:
        return f"none: a service cannot run {run.config.method}"
    return f"{len(save(draft.tensors)):,} bytes when published"


def _publishing(run: Run) -> str:
    if not run.config.publishes:
        return "nothing"
    return f"{run.config.published_name} to {run.placement.store}, label {run.config.label}"


def _spread(split: Split, count: int) -> Split:
    """Pictures from all over the split, since lists are often sorted by class."""
    every = max(len(split) // count, 1)
    return split.rows(list(range(0, len(split), every))[:count])
