"""Settings of the service, built once at start: flags, then `DVPT_*` variables, then a TOML file."""

import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from adapters.cores import available_cores
from adapters.pictures.decode import MAX_PIXELS
from adapters.store.artifact_tar import MAX_ARTIFACT_BYTES
from adapters.store.files import Location, as_location
from service.setting_checks import Patterns, is_loopback, is_within, require_at_most
from service.setting_defaults import (
    default_body_bytes,
    default_onnx_cache,
    default_queued_pictures,
    default_uploads,
)
from service.variables import given


class Settings(BaseSettings):
    """Everything that can be chosen about a running service. Units stand in the names."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    store: Location = Field(description="directory of the store to serve")
    backbone: str | None = Field(
        default=None, description="create an empty store for this backbone where there is no store yet"
    )
    weights: Path | None = Field(
        default=None, description="the backbone's weights as .safetensors, instead of a download"
    )

    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="processes that serve the address, each with a backbone and a bank of its own on the "
        "device; limits of memory and threads are those of all and are divided among them",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    keys: Path | None = Field(
        default=None,
        description="file of API keys, of which a request must show one (dvpt-keys create)",
    )
    insecure: bool = Field(
        default=False, description="let anybody who can reach the address use the service, without keys"
    )
    trusted_keys: Path | None = Field(
        default=None,
        description="Ed25519 public keys (PEM); adapters that none of them has signed are refused",
    )
    audit: Path | None = Field(
        default=None, description="file to which each change of the store is appended; the log without it"
    )
    max_artifact_bytes: int = Field(
        default=MAX_ARTIFACT_BYTES, ge=1, description="largest adapter that is published over HTTP"
    )
    uploads: Path = Field(
        default_factory=default_uploads,
        description="folder for adapters on their way to the store; all workers must see the same",
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[^/?#\s]+)*$",
        description="path prefix that a reverse proxy strips, such as /vision",
    )
    access_log: bool = Field(
        default=False, description="log one line for each request, not only for those that fail"
    )
    log_level: Literal["info", "debug"] = Field(
        default="info",
        description="what is logged of the service itself; debug tells of each adapter loaded",
    )
    metric_tasks: int = Field(
        default=50,
        ge=0,
        le=10_000,
        description="most tasks with series of their own in /metrics; the others share `other`",
    )

    engine: Literal["auto", "torch", "onnx"] = Field(
        default="auto", description="what runs the forward pass: torch, onnx (ONNX Runtime), or auto (torch)"
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="auto takes bf16 where the device computes in it, else fp32; with onnx fp16 on CUDA",
    )
    torch_threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="threads of the forward pass on a CPU; 0 takes one for each physical core it may use",
    )
    graph_layouts: int = Field(
        default=4,
        ge=0,
        le=1024,
        description="on CUDA, most layouts whose batches are captured as graphs: a small batch then takes a "
        "quarter of the time; others run as they are; 0 captures none",
    )
    compile: bool = Field(
        default=False,
        description="run the torch engine's backbone through torch.compile: faster batches, a start that is "
        "longer by a minute or more; on a CPU it needs a C++ compiler",
    )
    onnx_cache: Path = Field(
        default_factory=default_onnx_cache, description="where the onnx engine keeps the exported backbone"
    )
    decode_threads: int = Field(
        default_factory=available_cores, ge=1, le=1024, description="threads that decode pictures"
    )
    max_batch: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="most pictures in one forward pass; 0 takes 64 on CUDA and 16 on a CPU, where more gains "
        "nothing and everybody waits for the last",
    )
    slots_per_layout: int = Field(
        default=1024, ge=1, le=100_000, description="most adapters of one layout on the device at a time"
    )
    slot_bytes_per_layout: int = Field(
        default=4_000_000_000,
        ge=1,
        description="most bytes of the adapters of one layout on the device, beside their heads; with fewer "
        "slots than slots_per_layout where they would take more",
    )
    host_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description="most bytes of adapters in host memory, which wait there for a slot; the least recently "
        "used are read from the store again when they are asked for",
    )
    preload: Patterns = Field(
        default=(),
        description="tasks to load before anybody asks, as patterns with commas between (pets*,digits), * "
        "for all that fit; the first request loads the others",
    )
    pin: Patterns = Field(
        default=(), description="tasks to load before anybody asks and to keep in memory, as patterns"
    )
    watch_interval_s: float = Field(
        default=0.1, gt=0, le=3600, description="time between two looks at the store's journal"
    )
    whole_look_interval_s: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="time between two looks at the whole store, for what its journal does not tell; with 0 "
        "every look is one",
    )
    forget_after_s: float = Field(
        default=30.0, ge=0, le=86_400, description="how long a task missing from the store is still answered"
    )

    max_request_bytes: int = Field(default=64_000_000, ge=1, description="largest request body")
    max_body_bytes_held: int = Field(
        default_factory=default_body_bytes,
        ge=2,
        description="most bytes of bodies in memory, of all requests; one task alone gets half",
    )
    max_picture_bytes: int = Field(default=32_000_000, ge=1, description="largest encoded picture")
    max_pixels: int = Field(default=MAX_PIXELS, ge=1, description="most pixels of one picture")
    max_pictures_per_request: int = Field(default=64, ge=1, description="most pictures in one request")
    max_queued_pictures: int = Field(
        default_factory=default_queued_pictures,
        ge=1,
        description="most pictures admitted and not yet answered, of all requests",
    )
    default_timeout_ms: int = Field(default=10_000, ge=1, description="timeout of a request that names none")
    max_timeout_ms: int = Field(default=60_000, ge=1, description="longest timeout a request may ask for")
    upload_timeout_ms: int = Field(
        default=30_000, ge=1, description="longest time the body of a request may take to arrive"
    )
    shutdown_delay_s: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="time between a signal, which turns /readyz off at once, and the drain: what comes "
        "meanwhile is answered, for load balancers that hear of it late",
    )
    max_head_bytes: int = Field(
        default=65_536,
        ge=1024,
        le=1_048_576,
        description="largest head of a request: its line and its fields",
    )
    head_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="longest time until a client begins a request, and then its head",
    )
    keep_alive_s: float = Field(
        default=75.0,
        gt=0,
        le=3600,
        description="how long a connection is kept after an answer; more than a proxy in front keeps it",
    )
    send_timeout_s: float = Field(
        default=60.0, gt=0, le=3600, description="longest time a client may leave its answer unread"
    )
    half_closed_grace_s: float = Field(
        default=1.0,
        ge=0,
        le=3600,
        description="time for the answer to a client that closed its writing side, as one that left "
        "does too; 0 takes all of them for gone",
    )
    max_connections: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="most open connections; 0 takes 4096, or fewer where the process may open few files",
    )
    drain_timeout_s: int = Field(
        default=30, ge=1, le=3600, description="longest time admitted requests may take at shutdown"
    )

    feedback_answers: int = Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="most answers remembered for feedback, the latest, of all workers: about 600 bytes each, "
        "and 8 more for each further picture of a request; 0 remembers none",
    )
    sample_to: Location | None = Field(
        default=None,
        description="folder or bucket to which uncertain pictures are written for labelling, each with its "
        "answer; without it no picture is ever kept",
    )
    sample_share: float = Field(
        default=0.1, gt=0, le=1, description="part of the requests whose pictures may be kept, at random"
    )
    sample_margin: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="a picture is uncertain that is not accepted, or whose likeliest class is likelier than "
        "the next by less than this",
    )
    sample_per_hour: int = Field(
        default=20, ge=1, le=100_000, description="most pictures kept of one task in an hour of the clock"
    )
    sample_most: int = Field(
        default=1000, ge=1, le=1_000_000, description="most pictures of one task that lie there at a time"
    )

    config_file: ClassVar[Path | None] = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, the environment over the file."""
        # Not pydantic's own: it knows nothing of variables that orchestrators set, and keeps white space.
        del env_settings, dotenv_settings, file_secret_settings
        variables = InitSettingsSource(settings_cls, dict(given(settings_cls.model_fields, os.environ)))
        return init_settings, variables, TomlConfigSettingsSource(settings_cls, cls.config_file)

    @field_validator("store", "sample_to", mode="before")
    @classmethod
    def _path_or_url(cls, store: object) -> object:
        return as_location(store) if isinstance(store, str) else store

    @field_validator("*", mode="before")  # after the other, as the last that is written runs first
    @classmethod
    def _is_text(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("no name or path holds a NUL")
        if value == "" and info.field_name != "root_path":
            raise ValueError("is empty")
        return value

    @model_validator(mode="after")
    def _is_not_open_by_mistake(self) -> Self:
        if self.keys is not None and self.insecure:
            raise ValueError("keys and insecure exclude each other")
        if self.keys is None and not self.insecure and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from elsewhere, and without keys anybody may use it: give "
                "--keys FILE (dvpt-keys create makes one), or --insecure where that is meant"
            )
        return self

    @model_validator(mode="after")
    def _samples_are_no_adapters(self) -> Self:
        if self.sample_to is not None and is_within(self.sample_to, self.store):
            raise ValueError(f"sample_to ({self.sample_to}) must not be in the store ({self.store})")
        return self

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        require_at_most("max_pictures_per_request", "max_queued_pictures", self, share=self.workers)
        require_at_most("max_picture_bytes", "max_request_bytes", self)
        require_at_most("max_request_bytes", "max_body_bytes_held", self, share=2 * self.workers)
        require_at_most("default_timeout_ms", "max_timeout_ms", self)
        return self


def settings_from(flags: dict[str, Any], config_file: Path | None = None) -> Settings:
    """Build the settings. Raises pydantic's ValidationError, OSError or TOMLDecodeError."""
    if config_file is None:
        return Settings(**flags)
    if not config_file.is_file():
        raise FileNotFoundError(f"there is no file {config_file}")
    # A source is given its class alone, so the file's path travels on one of its own.
    with_file = type("Settings", (Settings,), {"config_file": config_file, "__module__": __name__})
    return Settings.model_validate(with_file(**flags).model_dump())
