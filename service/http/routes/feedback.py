"""True classes of pictures that were answered before."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from pydantic import Field, NonNegativeInt
from starlette.responses import JSONResponse

from adapters import errors as domain
from adapters.config import StrictModel
from service import errors
from service.access.scope import Scope
from service.answers.feedback import Feedback
from service.answers.recent_answers import Asked
from service.http.guard import Guard
from service.http.openapi import TASK_PARAMETER, json_body, problem_responses
from service.http.request.chunks import read_json
from service.http.request_log import note_of
from service.http.routes.lean import add_route
from service.http.wire import FeedbackTaken
from service.lifecycle import Lifecycle

FEEDBACK_ERRORS = (
    errors.BadBody,
    errors.RequestTooLarge,
    errors.UploadTooSlow,
    errors.ServiceError,
    errors.Starting,
    errors.AnswerNotKnown,
    errors.AnswerAmbiguous,
    domain.TaskNotFound,
    domain.ClassNotFound,
)


class GivenFeedback(StrictModel):
    """The class of one picture: of which request, by its `X-Request-Id`, and which of its pictures."""

    request_id: str = Field(min_length=1, max_length=128)
    index: NonNegativeInt = 0
    label: str


def add_feedback_route(
    app: FastAPI, guard: Guard, lifecycle: Lifecycle, feedback: Feedback, silence_ms: int
) -> None:
    """Add `/v1/tasks/{task}/feedback`."""

    async def give_feedback(request: Request) -> Response:
        """Tell what a picture that was answered before truly is: it counts for the version that answered."""
        lifecycle.require_started()
        given = await read_json(request, GivenFeedback, silence_ms)
        asked = Asked(given.request_id, note_of(request.scope).key)
        task = request.path_params["task"]
        version, correct = await feedback.give(task, asked, given.index, given.label)
        taken: FeedbackTaken = {"version": version, "correct": correct}
        return JSONResponse(taken, HTTPStatus.ACCEPTED)

    add_route(
        app,
        guard,
        "POST",
        "/v1/tasks/{task}/feedback",
        give_feedback,
        needs=Scope.CLASSIFY,
        response_model=FeedbackTaken,
        responses=problem_responses(*FEEDBACK_ERRORS),
        openapi_extra={**json_body(GivenFeedback), "parameters": [TASK_PARAMETER]},
        tags=["tasks"],
    )
