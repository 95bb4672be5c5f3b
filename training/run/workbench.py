"""What the runs of one process share: backbones, and one task's lists, digests, pixels and features."""

import copy
import logging
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.vit.backbone import Backbone
from training.card.findings import ShiftCheck
from training.data.inspection.contents import digest
from training.data.pixels import RESIDENT_BYTES, Chunks, Decoder
from training.data.source import Split, TaskData
from training.data.task_data import is_embedded, open_task
from training.methods.method import Method
from training.methods.table import METHODS, PIXELS
from training.options.train_config import TrainConfig
from training.run.linear_reference import LinearReference
from training.run.placement import Placement, place

LOG = logging.getLogger("training")

# A thousand pictures at 224 px take 150 MB, a test part that is held in memory 2 GB at most.
KEPT_BYTES = 4 * 1024**3

# What says which pictures a task's splits are of; which of them are trained on is left out.
TASK_OPTIONS = {
    "task", "data", "data_root", "train_percent", "val_fraction", "test_fraction", "split_seed",
    "dataset", "folders", "strict_data", "skip_damaged", "shots",
}  # fmt: skip


class Memory:
    """Tensors by key, the oldest forgotten first where they are larger than `limit_bytes` together."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: dict[Hashable, Tensor] = {}

    def get(self, key: Hashable) -> Tensor | None:
        """What was put under the key, if it is still there."""
        return self._kept.get(key)

    def put(self, key: Hashable, value: Tensor) -> Tensor:
        """Keep the value if it fits at all, and hand it back."""
        if value.nbytes <= self._limit_bytes:
            self._kept[key] = value
            while sum(kept.nbytes for kept in self._kept.values()) > self._limit_bytes:
                del self._kept[next(iter(self._kept))]
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


@dataclass(frozen=True)
class RememberingDecoder(Decoder):
    """A decoder that decodes a split once for all runs of its task."""

    memory: Memory = field(default_factory=lambda: Memory(0))

    def load(self, split: Split, title: str = "decoding") -> Tensor:
        """Pixels of a whole split [N, 3, H, W] uint8; raises DataUnusable."""
        known = self.memory.get(self._key(split))
        return self.memory.put(self._key(split), super().load(split, title)) if known is None else known

    def check_room(self, trained: Split, evaluated: Split) -> None:
        """As `Decoder.check_room`; what is remembered is in memory already."""
        if self.memory.get(self._key(trained)) is None:
            super().check_room(trained, evaluated)

    def _key(self, split: Split) -> Hashable:
        return "pixels", self.preprocess, self.image_size, split.names

    def chunks(self, split: Split) -> Iterable[Tensor]:
        """As `Decoder.chunks`; a split too large for memory is not remembered either."""
        if len(split) * 3 * self.image_size**2 <= RESIDENT_BYTES:
            return (self.load(split),)
        return Chunks(Decoder(self.preprocess, self.image_size, self.threads), split)


class Workbench:
    """Where runs find what another run of the same process has made.

    Backbones are kept, since no method changes one; the rest is of one task, and is forgotten when another is
    opened. Without `kept_bytes` nothing that is decoded or computed is kept.
    """

    def __init__(self, kept_bytes: int = 0) -> None:
        self._memory = Memory(kept_bytes)
        self._placements: dict[Hashable, Placement] = {}
        self._task = ""
        self._data: dict[str, TaskData] = {}
        self._contents: dict[str, str] = {}
        self._digests: dict[Hashable, str] = {}
        self._shift_checks: dict[Hashable, ShiftCheck | None] = {}

    def data(self, config: TrainConfig) -> TaskData:
        """The task's data; raises what `open_task` raises."""
        task = repr(config.model_dump(include=TASK_OPTIONS))
        if task != self._task:
            self._task = task
            self._data.clear()
            self._contents.clear()
            self._digests.clear()
            self._shift_checks.clear()
            self._memory.clear()
        if config.train_split not in self._data:
            self._data[config.train_split] = open_task(config, self._contents)
        return self._data[config.train_split]

    def parted(self, data: TaskData) -> "Workbench":
        """A workbench for runs on other parts of the open task's pictures, which shares everything else."""
        other = copy.copy(self)
        other._data = {"train": data}  # noqa: SLF001 - it is one of these
        return other

    def digest(self, split: Split) -> str:
        """SHA-256 of a split of the open task."""
        if split.names not in self._digests:
            self._digests[split.names] = digest(split)
        return self._digests[split.names]

    def placement(self, config: TrainConfig, device: torch.device, dtype: torch.dtype) -> Placement:
        """Backbone, on the device, and store; raises what `place` raises."""
        options = (config.store, config.backbone, config.weights, config.image_size, is_embedded(config))
        key = (*options, device, dtype)
        if key not in self._placements:
            placement = place(config)
            placement.backbone.prepare(device, dtype)
            self._placements[key] = placement
        return self._placements[key]

    def decoder(
        self, config: TrainConfig, image_size: int, preprocess: PreprocessConfig | None = None
    ) -> Decoder:
        """How the task's pictures become pixels."""
        fit = preprocess or config.preprocess
        return RememberingDecoder(fit, image_size, config.decode_threads, self._memory)

    def shift_check(self, linear: LinearReference, config: TrainConfig, part: float) -> ShiftCheck | None:
        """What linear heads of a run say of moved pictures; it is asked once for all runs that share them."""
        backbone = linear.backbone
        frozen = (backbone.config.sha256, backbone.config.image_size, backbone.dtype, config.preprocess)
        key = (*frozen, part, config.class_weights, linear.train.names)
        if key not in self._shift_checks:
            check = linear.shift_check(part)
            self._shift_checks[key] = check
            LOG.info(
                "%s", check or "training pictures are not moved: no class has two of them to check it with"
            )
        return self._shift_checks[key]

    def inputs(
        self, method: Method, config: TrainConfig, backbone: Backbone, pixels: Tensor, split: Split
    ) -> Tensor:
        """What the method makes of a split's pixels; features and frozen tokens are computed once."""
        computed = _computed(config)
        if computed is None:
            return method.inputs(pixels)
        frozen = (backbone.config.sha256, backbone.config.image_size, backbone.dtype, config.preprocess)
        key = (computed, *frozen, split.names)
        known = self._memory.get(key)
        return self._memory.put(key, method.inputs(pixels)) if known is None else known


def _computed(config: TrainConfig) -> str | None:
    """What a method's inputs are, where they are more than pixels: equal words, equal tensors."""
    inputs = METHODS[config.method].inputs
    return None if inputs == PIXELS else inputs.format_map(dict(config))
