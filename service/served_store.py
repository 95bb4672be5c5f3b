"""The store that the settings name, opened or made."""

from adapters.errors import StoreNotFound
from adapters.store.store import Store
from adapters.vit.backbone import load_backbone
from service.settings import Settings


def open_served_store(settings: Settings) -> Store:
    """Open the store; where there is none yet, make an empty one for the backbone that the settings name.

    Raises StoreNotFound where they name none, and what `Store` and `load_backbone` raise.
    """
    try:
        return Store.open(settings.store)
    except StoreNotFound as error:
        if settings.backbone is None:
            raise StoreNotFound(
                f"{error}. Train into it first (dvpt-train --store {settings.store} --task digits), "
                f"or make an empty one with --backbone NAME [--weights FILE]"
            ) from error
    backbone = load_backbone(settings.backbone, weights=settings.weights)
    return Store.create(settings.store, backbone.config)
