"""Everything that the service answers over HTTP."""

from fastapi import FastAPI

from service.answers.feedback import Feedback
from service.http.classifier import Classifier
from service.http.decoding.fair_threads import FairThreads
from service.http.guard import Guard
from service.http.protocol_v2.routes import add_protocol_v2_routes
from service.http.request.body_bytes import BodyBytes
from service.http.request.body_reader import BodyReader
from service.http.request_metrics import RequestMetrics
from service.http.routes.classify import add_classify_route
from service.http.routes.feedback import add_feedback_route
from service.http.routes.health import add_health_routes
from service.http.routes.management import add_management_routes
from service.http.routes.page import add_page_routes
from service.http.routes.tasks import add_task_routes
from service.http.routes.thresholds import add_threshold_routes
from service.http.routes.traffic import add_traffic_routes
from service.http.uploads import Uploads
from service.metrics import Metrics
from service.peers.peers import Peers
from service.residents.store_work import StoreWork
from service.settings import Settings
from service.wiring.limits import request_limits
from service.wiring.parts import Parts


def add_endpoints(
    app: FastAPI, guard: Guard, settings: Settings, parts: Parts, feedback: Feedback, peers: Peers
) -> None:
    """Add every route, behind the guard."""
    metrics, registry, silence_ms = parts.metrics, parts.registry, settings.upload_timeout_ms
    classifier = Classifier(
        parts.lifecycle, registry, parts.decoder, parts.batcher, metrics, parts.traffic, parts.observer
    )
    requests = RequestMetrics(metrics, registry)
    bodies = _body_reader(settings, parts.decode_threads, metrics)
    add_classify_route(app, guard, classifier, requests, bodies)
    add_protocol_v2_routes(app, guard, classifier, requests, bodies, parts.store.backbone)
    add_task_routes(app, guard, parts.lifecycle, registry, peers, parts.traffic, feedback)
    add_feedback_route(app, guard, parts.lifecycle, feedback, silence_ms)
    work = StoreWork(parts.store, parts.watch, parts.lifecycle, metrics, parts.threads.work)
    uploads = Uploads(settings.uploads, settings.max_artifact_bytes)
    add_management_routes(app, guard, registry, work, uploads, silence_ms)
    add_traffic_routes(app, guard, work, silence_ms)
    add_threshold_routes(app, guard, work, silence_ms)
    add_health_routes(app, guard, parts.lifecycle, metrics)
    add_page_routes(app, guard)


def _body_reader(settings: Settings, threads: FairThreads, metrics: Metrics) -> BodyReader:
    budget = BodyBytes(settings.max_body_bytes_held)
    metrics.body_bytes.set_function(lambda: budget.held)
    metrics.decodes_running.set_function(lambda: threads.running)
    metrics.decodes_waiting.set_function(lambda: threads.waiting)
    return BodyReader(request_limits(settings), budget, threads)
