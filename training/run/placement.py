"""Which backbone a run trains on and which store it publishes to."""

from dataclasses import dataclass
from pathlib import Path

from adapters.errors import BackboneMismatch, StoreNotFound
from adapters.store.files import Location
from adapters.store.store import Store
from adapters.vit.backbone import DEFAULT_BACKBONE, EMBEDDED_BACKBONE, Backbone, load_backbone, open_backbone
from training.data.task_data import is_embedded
from training.options.train_config import TrainConfig


@dataclass(frozen=True)
class Placement:
    """The backbone, on the CPU in float32, and where the store is or will be made."""

    backbone: Backbone
    store: Location


def place(config: TrainConfig) -> Placement:
    """Open the store's backbone, or load the one a new store will belong to.

    Raises BackboneMismatch where the options ask for another backbone than the store's.
    """
    name = backbone_name(config)
    location = config.store or default_store(name)
    try:
        store = Store.open(location)
    except StoreNotFound:
        return Placement(load_backbone(name, weights=config.weights, image_size=config.image_size), location)
    _require_same(config, store)
    return Placement(open_backbone(store.backbone, weights=config.weights), location)


def backbone_name(config: TrainConfig) -> str:
    """The backbone of a new store."""
    return config.backbone or (EMBEDDED_BACKBONE if is_embedded(config) else DEFAULT_BACKBONE)


def default_store(backbone: str) -> Path:
    """`stores/embedded`, or `stores/<backbone>`."""
    return Path("stores", "embedded" if backbone == EMBEDDED_BACKBONE else backbone)


def _require_same(config: TrainConfig, store: Store) -> None:
    own = store.backbone
    if config.backbone not in (None, own.name):
        raise BackboneMismatch(
            f"the store {store.url} belongs to {own.name}; --backbone {config.backbone} needs another --store"
        )
    if config.image_size not in (None, own.image_size):
        raise BackboneMismatch(
            f"the store {store.url} has an input of {own.image_size} pixels; "
            f"--image-size {config.image_size} needs another --store"
        )
