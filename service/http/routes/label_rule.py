"""What is ruled for a label, of whatever kind: set whole, and taken away."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from adapters import errors as domain
from service import errors
from service.access.scope import Scope
from service.http.guard import Guard
from service.http.openapi import LABEL_PARAMETER, TASK_PARAMETER, json_body, problem_responses
from service.http.routes.labels import LABEL_ERRORS
from service.http.routes.lean import Endpoint, add_route

RULE_ERRORS = (*LABEL_ERRORS, domain.ArtifactError, domain.StoreReadOnly)
BODY_ERRORS = (errors.BadBody, errors.RequestTooLarge, errors.UploadTooSlow)


@dataclass(frozen=True)
class LabelRule:
    """One kind of rules, by the path's last part: body of a `PUT`, answer, and errors of its own."""

    name: str
    body: type[BaseModel]
    answer: Any
    errors: tuple[type[domain.DvptError], ...]


def add_rule_routes(
    app: FastAPI, guard: Guard, rule: LabelRule, *, set_rules: Endpoint, remove_rules: Endpoint
) -> None:
    """Add `PUT` and `DELETE` of what is ruled for a label."""
    path = f"/v1/tasks/{{task}}/labels/{{label}}/{rule.name}"
    parameters = [TASK_PARAMETER, LABEL_PARAMETER]
    add_route(
        app, guard, "PUT", path, set_rules,
        needs=Scope.ADMIN,
        response_model=rule.answer,
        responses=problem_responses(*BODY_ERRORS, *RULE_ERRORS, *rule.errors),
        openapi_extra={**json_body(rule.body), "parameters": parameters},
        tags=["labels"],
    )  # fmt: skip
    add_route(
        app, guard, "DELETE", path, remove_rules,
        needs=Scope.ADMIN,
        response_model=rule.answer,
        responses=problem_responses(*RULE_ERRORS, *rule.errors),
        openapi_extra={"parameters": parameters},
        tags=["labels"],
    )  # fmt: skip
