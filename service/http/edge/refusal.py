"""Answers to what never reached the application: a problem with an id of its own, and its line in the log."""

import logging

from service.errors import ServiceError
from service.http.problem_json import ProblemResponse, problem_response
from service.http.request_id import HEADER, new_request_id
from service.logs import log_event

logger = logging.getLogger("service.http")


def refusal(error: ServiceError) -> ProblemResponse:
    """The answer to what cannot be read, or not now; what it says is in the log under the same id."""
    request_id = new_request_id()
    problem = problem_response(error, request_id=request_id)
    problem.headers[HEADER.decode()] = request_id
    log_event(
        logger,
        logging.INFO,
        "request_failed",
        id=request_id,
        status=problem.status_code,
        code=problem.code,
        error=error,
    )
    return problem
