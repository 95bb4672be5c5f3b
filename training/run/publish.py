"""A trained adapter goes to its store."""

from collections.abc import Mapping
from dataclasses import replace

from adapters.config import BackboneConfig
from adapters.store.artifact import Artifact
from adapters.store.files import Location
from adapters.store.store import Store
from training.errors import NotWritten
from training.options.train_config import TrainConfig
from training.provenance import Provenance
from training.run_directory import reason


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

    Raises NotWritten where the disk is full or a right is missing.
    """
    described = draft.config.model_copy(update={"provenance": provenance.plain()})
    try:
        opened = Store.create(store, backbone)
        return opened.publish(
            config.published_name, replace(draft, config=described, card=card), label=config.label
        )
    except OSError as error:
        raise NotWritten(
            f"cannot publish to the store {store}: {reason(error)}; the run is whole in its directory, and "
            "the same command publishes it"
        ) from error
