"""A trained adapter goes to its store, and its user is told what to do with it."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from adapters.config import BackboneConfig
from adapters.errors import ClassesDiffer, StoreError, StoreNotFound
from adapters.store.artifact import Artifact
from adapters.store.files import Location
from adapters.store.signature import Signer
from adapters.store.store import Store
from training.card.provenance import Provenance
from training.errors import NotWritten
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.run_directory import reason


def check_classes(config: TrainConfig, store: Location, classes: Sequence[str]) -> None:
    """Raise ClassesDiffer if publishing would move the label to other classes, and was not told to."""
    if not config.publishes or config.replace_classes:
        return
    with suppress(StoreNotFound):
        Store.open(store).check_classes(config.published_name, config.label, classes)


def signer_of(config: TrainConfig) -> Signer | None:
    """Who signs what the run publishes, if anybody does. Raises ConfigError."""
    return Signer.open(config.sign_key) if config.sign_key and config.publishes else None


def publish(
    draft: Artifact,
    provenance: Provenance,
    card: Mapping[str, bytes],
    *,
    config: TrainConfig,
    store: Location,
    backbone: BackboneConfig,
) -> int:
    """Publish what was measured, with provenance and card, to a store that is made if need be → the version.

    Raises NotWritten where the disk is full, a right is missing, or no store can be made, and ClassesDiffer.
    """
    described = draft.config.model_copy(update={"provenance": provenance.plain()})
    try:
        opened = replace(Store.create(store, backbone), signer=signer_of(config))
        return opened.publish(
            config.published_name,
            replace(draft, config=described, card=card),
            label=config.label,
            replace_classes=config.replace_classes,
        )
    except ClassesDiffer:
        raise
    except (OSError, StoreError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise NotWritten(
            f"cannot publish to the store {store}: {why}; the run is whole in its directory, and "
            "the same command publishes it"
        ) from error


def published_lines(config: TrainConfig, store: Location, version: int | None, of: str = "") -> list[str]:
    """What was published and what to try next, or why nothing was; `of` says more of the version."""
    if version is None:
        return [f"not published: {_why_not(config)}"]
    place = shlex.quote(str(store))
    return [
        f"published: {config.published_name} version {version}{of} in {store}",
        f"try it: dvpt-adapters classify --store {place} {config.published_name} PICTURE",
        f"serve it: dvpt-serve --store {place}",
    ]


def _why_not(config: TrainConfig) -> str:
    if METHODS[config.method].served:
        return "--no-publish"
    return (
        f"a service cannot run {config.method}; "
        "the trained tensors are in the run directory's checkpoint.safetensors"
    )
