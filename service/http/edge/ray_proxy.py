"""Around Ray's HTTP proxy: its own errors become problems, and an answer has one request id."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import DeadlineExceeded, NotReady, Overloaded, ReplicaLost, ServiceError
from service.http.problem_json import ProblemResponse, http_problem, problem_response
from service.http.request_id import HEADER, request_id_of

Headers = Iterable[tuple[bytes, bytes]]
OWN_TYPE = b"text/plain"
"""The content type of the proxy's own errors. The service has no error of that type."""


def middlewares() -> list[Middleware]:
    """For Ray's RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=service.http.edge.ray_proxy:middlewares."""
    return [Middleware(ProxyProblems)]


class ProxyProblems:
    """ASGI: the contract of the service for what the proxy answers itself, and for what it leaves open.

    When a replica ends with requests inside, the proxy returns without an answer: they get ReplicaLost.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        header = (HEADER, request_id.encode())
        # Of a client's id that is not sane the proxy would make another one than the replica.
        scope["headers"] = [*_without_id(scope["headers"]), header]
        answered, own_status = False, 0

        async def send_in_contract(message: Message) -> None:
            nonlocal answered, own_status
            if message["type"] == "http.response.start":
                answered, own_status = True, _status_of_own_error(message)
                message["headers"] = [*_without_id(message["headers"]), header]
            if not own_status:
                await send(message)

        await self._app(scope, receive, send_in_contract)
        if own_status or not answered:
            problem = _problem(own_status, request_id)
            problem.headers[HEADER.decode()] = request_id
            await problem(scope, receive, send)


def _problem(own_status: int, request_id: str) -> ProblemResponse:
    """The problem for an error of the proxy's own by its status, of which 0 stands for no answer."""
    errors: dict[int, ServiceError] = {
        0: ReplicaLost("the replica that had the request ended before its answer"),
        HTTPStatus.REQUEST_TIMEOUT: DeadlineExceeded("the proxy's timeout ended before the answer was ready"),
        HTTPStatus.TOO_MANY_REQUESTS: Overloaded("the replicas have all the requests they take", 1),
        HTTPStatus.SERVICE_UNAVAILABLE: NotReady("no replica takes requests now"),
    }
    error = errors.get(own_status)
    if error is None:
        return http_problem(own_status, "the proxy could not pass the request on", request_id=request_id)
    return problem_response(error, request_id=request_id)


def _status_of_own_error(start: Message) -> int:
    """The status of an error that the proxy answers itself, or 0."""
    status: int = start["status"]
    if status < HTTPStatus.BAD_REQUEST:
        return 0
    kind = next((value for name, value in start["headers"] if name.lower() == b"content-type"), b"")
    return status if kind.startswith(OWN_TYPE) else 0


def _without_id(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() != HEADER]
