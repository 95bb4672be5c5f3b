"""What can go wrong between a client and the service.

ClientError
├── NoAnswer               the service was not reached, or the connection was lost
├── Unreadable             a picture's file cannot be read here
└── ProblemError           the service answered with an error
    ├── BadRequest         400, 405, 415: not what the service reads
    ├── Unauthenticated    401: no key, or none that is valid
    ├── NotAllowed         403: the key is not for that
    ├── NotFound           404: no such task, version, label
    ├── TooSlow            408, 504: no answer in time, or the body did not arrive
    ├── Conflict           409, 412: the state of the store forbids it
    ├── TooLarge           413: over a limit of the service
    ├── Unusable           422: what was sent cannot be used
    ├── PictureRefused     one picture of the request, which `index` names
    ├── Overloaded         429: too much is waiting, or the key is over its limit
    └── Unavailable        502, 503: the service cannot answer now
"""


class ClientError(Exception):
    """Anything that kept an answer away. `code` is stable, `detail` is for people."""

    code = "client"

    @property
    def detail(self) -> str:
        """What happened, in a sentence."""
        return str(self)


class NoAnswer(ClientError):
    """The service was not reached, or the connection was lost; `sent`: it may have read the request."""

    code = "no_answer"

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent


class Unreadable(ClientError):
    """A file that cannot be read."""

    code = "unreadable"


class ProblemError(ClientError):
    """An error that the service answered; `index` is the picture it is about, where it is about one."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        request_id: str = "",
        index: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.index = index
        self.retry_after_s = retry_after_s


class BadRequest(ProblemError):
    """The service does not read such a request."""


class Unauthenticated(ProblemError):
    """There is no key, or none that is valid."""


class NotAllowed(ProblemError):
    """The key is not for that."""


class NotFound(ProblemError):
    """There is no such task, version or label."""


class TooSlow(ProblemError):
    """The answer was not ready in time, or the body did not arrive in time."""


class Conflict(ProblemError):
    """The state of the store forbids it, or is another than was expected."""


class TooLarge(ProblemError):
    """The request is over a limit of the service."""


class Unusable(ProblemError):
    """What was sent cannot be used."""


class PictureRefused(ProblemError):
    """One picture cannot be answered; the others of its request were not answered either."""


class Overloaded(ProblemError):
    """Too much is waiting, or the key asks for more than it may."""


class Unavailable(ProblemError):
    """The service cannot answer now."""


BY_STATUS: dict[int, type[ProblemError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: NotAllowed,
    404: NotFound,
    405: BadRequest,
    408: TooSlow,
    409: Conflict,
    412: Conflict,
    413: TooLarge,
    415: BadRequest,
    422: Unusable,
    429: Overloaded,
    502: Unavailable,
    503: Unavailable,
    504: TooSlow,
}
