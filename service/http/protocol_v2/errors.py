"""Errors as clients of the Open Inference Protocol read them: JSON whose `error` says what is wrong."""

from starlette.responses import JSONResponse
from starlette.types import Scope

from service.http.problem_json import ProblemResponse
from service.http.root_path import path_below_root

PREFIX = "/v2"


def as_clients_read_it(scope: Scope, answer: ProblemResponse) -> JSONResponse:
    """A problem as it is, or below `/v2` with `error` before its members."""
    path = path_below_root(scope)
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return answer
    error = {"error": answer.problem["detail"], **answer.problem}
    return JSONResponse(error, answer.status_code, answer.given_headers)
