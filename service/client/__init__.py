"""A client of the service, without torch: see docs/client.md."""

from service.client.answers import (
    Answer,
    ClassProbability,
    Judged,
    Label,
    Published,
    TaskDetail,
    TaskSummary,
)
from service.client.async_client import AsyncClient
from service.client.client import Client
from service.client.errors import (
    BadRequest,
    ClientError,
    Conflict,
    NoAnswer,
    NotAllowed,
    NotFound,
    Overloaded,
    PictureRefused,
    ProblemError,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    Unreadable,
    Unusable,
)
from service.client.pictures import Limits, Picture
from service.client.stream import Outcome

__all__ = [
    "Answer",
    "AsyncClient",
    "BadRequest",
    "ClassProbability",
    "Client",
    "ClientError",
    "Conflict",
    "Judged",
    "Label",
    "Limits",
    "NoAnswer",
    "NotAllowed",
    "NotFound",
    "Outcome",
    "Overloaded",
    "Picture",
    "PictureRefused",
    "ProblemError",
    "Published",
    "TaskDetail",
    "TaskSummary",
    "TooLarge",
    "TooSlow",
    "Unauthenticated",
    "Unavailable",
    "Unreadable",
    "Unusable",
]
