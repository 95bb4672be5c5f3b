"""Everything that changes the store over HTTP."""

from fastapi import FastAPI

from service.http.guard import Guard
from service.http.routes.labels import add_label_routes
from service.http.routes.pin import add_pin_routes
from service.http.routes.store_tasks import add_store_task_routes
from service.http.routes.uploads import add_upload_routes
from service.http.routes.versions import add_version_routes
from service.http.uploads import Uploads
from service.residents.registry import Registry
from service.residents.store_work import StoreWork


def add_management_routes(
    app: FastAPI, guard: Guard, registry: Registry, work: StoreWork, uploads: Uploads, silence_ms: int
) -> None:
    """Add versions, uploads, labels, pins and whole tasks; `silence_ms` is how long a body may be silent."""
    add_version_routes(app, guard, work, uploads, silence_ms)
    add_upload_routes(app, guard, work, uploads, silence_ms)
    add_label_routes(app, guard, work, silence_ms)
    add_pin_routes(app, guard, work, silence_ms)
    add_store_task_routes(app, guard, work, registry)
