"""The store that the settings name, opened or made."""

from dataclasses import replace

from adapters.errors import StoreNotFound
from adapters.store.signature import Trust
from adapters.store.store import Store
from adapters.vit.backbone import load_backbone
from service.settings import Settings


def open_served_store(settings: Settings) -> Store:
    """The store, with the settings' trust; where there is none yet, an empty one for their backbone.

    Raises StoreNotFound where they name none, and what `Trust`, `Store` and `load_backbone` raise.
    """
    trust = None if settings.trusted_keys is None else Trust.open(settings.trusted_keys)
    return replace(_opened_or_made(settings), trust=trust)


def _opened_or_made(settings: Settings) -> Store:
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
