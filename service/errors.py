"""Faults of the running service: a branch of the project's error tree, still without status codes.

ServiceError
├── RequestError           the request cannot be understood or is over a limit
│   ├── BadQuery              a query parameter is unknown or out of range
│   ├── BadBody               the body is not what its content type says
│   ├── NoPicture             there is no picture in the request
│   ├── UnreadMediaType       a content type or coding that is not read
│   ├── RequestTooLarge       too many bytes or pictures
│   ├── UploadTooSlow         the body did not arrive in time
│   ├── HeadTooLarge          more bytes or fields than a head may have
│   ├── UrlTooLong
│   ├── HeadTooSlow           the head did not arrive in time
│   ├── UnreadHttpVersion     another HTTP than 1.1 and 1.0
│   ├── UnreadTransferCoding  another transfer coding than chunks
│   ├── UnreadMethod          a method for proxies
│   └── ClientGone            the client closed the connection
├── Unauthenticated        no key, or none that is valid
├── NotAllowed             the key is not for that
├── KeyFileUnusable        the file of keys cannot be read or written
├── PictureRefused         one picture of the request is unusable; wraps the PictureError
├── Overloaded             more pictures wait, or bytes are held, than the service admits
│   └── KeyOverLimit          one key asks for more than it may
├── DeadlineExceeded       no answer within the request's timeout
├── AnswerNotKnown         no answer to a request of that id is remembered
├── AnswerAmbiguous        several requests had that id and got different answers
├── AdapterUnavailable     the version was refused, or its files are gone
├── AdapterLoading         the version is still on its way from the store
├── NotReady               the service does not answer now
│   ├── Starting
│   └── Draining
├── StoreSlow              the store did not do what was asked in time
├── UploadConflict         a part of an upload is not the next one
├── ReplicaLost            the replica of a deployment that had the request ended
├── TooManyConnections     there is no place for another connection
├── CannotListen           the address is taken or is not this machine's
├── WorkersFailed          the processes that should serve cannot
└── InferenceFailed        the forward pass gave no usable answer
    ├── OutputNotFinite       NaN or infinity in one row
    ├── OutOfDeviceMemory
    └── DeviceLost            the device needs a new process
"""

from adapters.errors import DvptError, PictureError


class ServiceError(DvptError):
    """Root of the service's own errors."""


class RequestError(ServiceError):
    """The request cannot be understood or is over a limit."""


class BadQuery(RequestError):
    """A query parameter is unknown or out of range."""


class BadBody(RequestError):
    """The body is not what its content type says."""


class NoPicture(RequestError):
    """There is no picture in the request."""


class UnreadMediaType(RequestError):
    """A content type that is not read, or a content coding; then `codings` are those that are."""

    def __init__(self, message: str, codings: str | None = None) -> None:
        super().__init__(message)
        self.codings = codings


class RequestTooLarge(RequestError):
    """More bytes or pictures than one request may have."""


class UploadTooSlow(RequestError):
    """The body did not arrive in time."""


class HeadTooLarge(RequestError):
    """More bytes or fields than the head of a request, or the framing of its body, may have."""


class UrlTooLong(RequestError):
    """A URL that alone is more than a head may have."""


class HeadTooSlow(RequestError):
    """The head did not arrive in time."""


class UnreadHttpVersion(RequestError):
    """A version of HTTP that is not spoken."""


class UnreadTransferCoding(RequestError):
    """A transfer coding that is not read."""


class UnreadMethod(RequestError):
    """A method for proxies."""


class ClientGone(RequestError):
    """The client closed the connection before its answer."""


class Unauthenticated(ServiceError):
    """There is no key (`known` is None), or none that is valid."""

    def __init__(self, message: str, *, known: bool | None) -> None:
        super().__init__(message)
        self.known = known


class NotAllowed(ServiceError):
    """The key is valid and not for that."""


class KeyFileUnusable(ServiceError):
    """The file of keys cannot be read or written."""


class PictureRefused(ServiceError):
    """Picture `index` of a request is unusable; `cause` says why."""

    def __init__(self, index: int, cause: PictureError) -> None:
        super().__init__(f"picture {index}: {cause}")
        self.index = index
        self.cause = cause


class Overloaded(ServiceError):
    """More waits than the service admits; try again in `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KeyOverLimit(Overloaded):
    """One key asks for more than it may."""


class DeadlineExceeded(ServiceError):
    """No answer within the request's timeout."""


class AnswerNotKnown(ServiceError):
    """No answer to a request of that id is remembered: there was none, or too many came after it."""


class AnswerAmbiguous(ServiceError):
    """Several requests had that id and got different answers."""


class AdapterUnavailable(ServiceError):
    """The version could not be taken into service; `gone` where its files are no longer in the store."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class AdapterLoading(ServiceError):
    """The version was still on its way from the store when the request's time was over; try again."""


class NotReady(ServiceError):
    """The service does not answer now."""


class Starting(NotReady):
    """Backbone and adapters are still being loaded."""


class Draining(NotReady):
    """The process is about to end and admits no further request."""


class ReplicaLost(ServiceError):
    """The replica that had the request ended before its answer; another one may give it."""


class TooManyConnections(ServiceError):
    """There is no place for another connection."""


class CannotListen(ServiceError):
    """The address is taken, not this machine's, or not permitted."""


class WorkersFailed(ServiceError):
    """The processes that should serve cannot; `code` is the exit code that says so."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class InferenceFailed(ServiceError):
    """The forward pass gave no usable answer."""


class OutputNotFinite(InferenceFailed):
    """A row's answer holds NaN or infinity."""


class OutOfDeviceMemory(InferenceFailed):
    """The batch does not fit the device's memory."""


class DeviceLost(InferenceFailed):
    """The device cannot go on within this process."""


class StoreSlow(ServiceError):
    """The store did not do what was asked in time; it may yet."""


class UploadConflict(ServiceError):
    """A part of an upload is not the next one, or another is being written; `offset` is where to go on."""

    def __init__(self, message: str, offset: int | None) -> None:
        super().__init__(message)
        self.offset = offset
