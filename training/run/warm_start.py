"""Start from what is published: prompts, Meta-Net and, for the same classes, the head."""

from dataclasses import dataclass

from adapters.config import STABLE
from adapters.kinds.adapter import BODY
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.linear.options import LinearOptions
from adapters.store.artifact import Artifact
from adapters.store.files import Location
from adapters.store.store import Store
from training.errors import MethodUnsuitable
from training.methods.method import Method
from training.options.train_config import TrainConfig
from training.run_directory import part


@dataclass(frozen=True)
class WarmStart:
    """A published version to start from; `with_head` says whether its classes are this run's."""

    task: str
    version: int
    artifact: Artifact
    with_head: bool

    @property
    def name(self) -> str:
        """What `--warm-start` finds the same version by, however labels move."""
        return f"{self.task}@{self.version}"

    @property
    def digest(self) -> str:
        """What a run's key needs to know of it."""
        return f"{self.artifact.config.tensors_sha256} {'with' if self.with_head else 'without'} head"

    def load_into(self, method: Method) -> None:
        """Copy the tensors into a freshly built method."""
        tensors = {name: value.float() for name, value in self.artifact.tensors.items()}
        if self.with_head:
            method.head.load_state_dict(part(tensors, "head."))
        if body := part(tensors, BODY):
            method.load_body(body)


def find_warm_start(config: TrainConfig, store: Location, classes: tuple[str, ...]) -> WarmStart | None:
    """The version `--warm-start` names in the store, after every check; None if it names none.

    Raises StoreError or ArtifactError where it cannot be had, MethodUnsuitable where it is of another method
    or shape, or where nothing of it would be used.
    """
    if config.warm_start is None:
        return None
    opened = Store.open(store)
    task, _, point = config.warm_start.partition("@")
    number = int(point) if point.isdecimal() else None
    version = opened.resolve(task, version=number, label=point or STABLE)
    artifact = opened.load(task, version)
    _require_same_layout(config, artifact.config, f"{task} version {version}")
    plain = config.head_layers == artifact.config.head_layers == 1
    found = WarmStart(task, version, artifact, with_head=plain and classes == artifact.config.classes)
    if isinstance(artifact.config.options, LinearOptions) and not found.with_head:
        raise MethodUnsuitable(
            f"nothing of {task} version {version} can be started from: it is a head alone, and a head is "
            "taken over only if it is one linear map for the same classes in the same order"
        )
    return found


def pinned(config: TrainConfig, warm: WarmStart | None) -> TrainConfig:
    """The same options, where a label that may move is the version it named."""
    return config.model_copy(update={"warm_start": warm.name}) if warm else config


def _require_same_layout(config: TrainConfig, other: AdapterConfig, where: str) -> None:
    if config.method != other.method:
        raise MethodUnsuitable(f"cannot start: {where} is of method {other.method}, not {config.method}")
    wanted, there = config.kind_options.model_dump(), other.options.model_dump()
    wrong = [f"{name} {there[name]}, not {value}" for name, value in wanted.items() if value != there[name]]
    if wrong:
        raise MethodUnsuitable(f"cannot start from {where}, which has {'; '.join(wrong)}")
