"""All routes of the Open Inference Protocol."""

from fastapi import FastAPI

from adapters.config import BackboneConfig
from service.http.classifier import Classifier
from service.http.guard import Guard
from service.http.protocol_v2.infer_route import add_infer_routes
from service.http.protocol_v2.model_routes import ModelEndpoints, add_model_routes, add_server_routes
from service.http.protocol_v2.repository_routes import RepositoryEndpoints, add_repository_routes
from service.http.request.body_reader import BodyReader
from service.http.request_metrics import RequestMetrics


def add_protocol_v2_routes(
    app: FastAPI,
    guard: Guard,
    classifier: Classifier,
    requests: RequestMetrics,
    bodies: BodyReader,
    backbone: BackboneConfig,
) -> None:
    """Add everything below `/v2`."""
    registry, lifecycle = classifier.registry, classifier.lifecycle
    models = ModelEndpoints(registry, lifecycle, backbone, bodies.limits.pictures)
    add_infer_routes(app, guard, classifier, requests, bodies, backbone)
    add_server_routes(app, guard, lifecycle)
    add_model_routes(app, guard, models)
    add_repository_routes(app, guard, RepositoryEndpoints(registry, lifecycle, bodies))
