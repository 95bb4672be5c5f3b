"""True classes that are told later: found by the request's id on whichever process answered it.

Each process remembers its own answers; one that is told of a request asks the others which of them knows it.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.store.class_lists import require_known_classes
from service.answers.feedback_counts import FeedbackCount, FeedbackCounts
from service.answers.recent_answers import UNTOLD, Asked, RecentAnswer, RecentAnswers, the_answer
from service.errors import AnswerAmbiguous, AnswerNotKnown, BadBody, ServiceError
from service.metrics import OTHER_TASKS, UNKNOWN_TASK, Metrics
from service.peers.addresses import Address
from service.peers.peers import Peers
from service.residents.registry import Registry

ANSWERS_PATH = "/answers"
TRUTH_PATH = "/truth"
COUNTS_PATH = "/feedback-counts"


@dataclass(frozen=True)
class Feedback:
    """Takes true classes and counts; belongs to the event loop's thread."""

    answers: RecentAnswers
    counted: FeedbackCounts
    registry: Registry
    peers: Peers
    metrics: Metrics

    async def give(self, task: str, asked: Asked, index: int, label: str) -> tuple[int, bool]:
        """The picture `index` of a request is a `label`: the version that answered, and whether rightly.

        Raises TaskNotFound, AnswerNotKnown, AnswerAmbiguous, BadBody for a picture that was not in it,
        ClassNotFound, and ServiceError where the process that answered, or may have, does not answer now.
        """
        state = self.registry.state(task)
        where, answer = await self._find(task, asked)
        if index >= len(answer.predicted):
            raise BadBody(f"'index' must be below {len(answer.predicted)}, the pictures of that request")
        config = await self.registry.config(state, answer.version)
        if config is None:
            raise AnswerNotKnown(f"version {answer.version}, which answered, is not there any more")
        require_known_classes([label], config.classes)
        true = config.classes.index(label)
        if where is None:
            self._note(task, answer, index, true)
        else:
            query = urlencode(
                {
                    "task": task,
                    "request_id": asked.request_id,
                    "key": answer.key,
                    "index": index,
                    "true": true,
                }
            )
            if await self.peers.tell(where, f"{TRUTH_PATH}?{query}", "PUT") is None:
                raise ServiceError("the process that answered that request does not answer now; try again")
        return answer.version, answer.predicted[index] == true

    async def counts(self, task: str) -> dict[int, FeedbackCount]:
        """What all processes counted of a task, by version."""
        told, _ = await self.peers.told(f"{COUNTS_PATH}?{urlencode({'task': task})}")
        counts: dict[int, FeedbackCount] = {}
        for told_counts in (_shown(self.counted.of(task)), *(answer for _, answer in told)):
            for version, (answers, correct) in told_counts.items():
                count = counts.setdefault(int(version), FeedbackCount())
                count.answers += answers
                count.correct += correct
        return dict(sorted(counts.items()))

    def routes(self) -> list[Route]:
        """What the other processes may ask and tell this one."""

        async def answers(request: Request) -> Response:
            given = request.query_params
            return JSONResponse([_sent(each) for each in self.answers.of(given["task"], given["request_id"])])

        async def truth(request: Request) -> Response:
            given = request.query_params
            answers = self.answers.of(given["task"], given["request_id"])
            answer = next((each for each in answers if each.key == given["key"]), None)
            if answer is None:
                return Response(status_code=HTTPStatus.NOT_FOUND)
            self._note(given["task"], answer, int(given["index"]), int(given["true"]))
            return JSONResponse({})

        async def told_counts(request: Request) -> Response:
            return JSONResponse(_shown(self.counted.of(request.query_params["task"])))

        return [
            Route(ANSWERS_PATH, answers),
            Route(TRUTH_PATH, truth, methods=["PUT"]),
            Route(COUNTS_PATH, told_counts),
        ]

    async def _find(self, task: str, asked: Asked) -> tuple[Address | None, RecentAnswer]:
        """The answer to a request, and where it is remembered; None is here."""
        query = urlencode({"task": task, "request_id": asked.request_id})
        found: list[tuple[Address | None, RecentAnswer]] = [
            (None, answer) for answer in self.answers.of(task, asked.request_id)
        ]
        told, unheard = await self.peers.told(f"{ANSWERS_PATH}?{query}")
        for address, answers in told:
            found += [(address, _received(answer)) for answer in answers]
        if unheard and not found:
            raise ServiceError("a process that may remember that request does not answer now; try again")
        if not found:
            raise AnswerNotKnown(
                f"no answer of task {task!r} to a request {asked.request_id!r} is remembered: there was "
                "none, or too many came after it"
            )
        answer = the_answer([each for _, each in found], asked.key)
        if answer is None:
            raise AnswerAmbiguous(
                f"several requests {asked.request_id!r} to task {task!r} got different answers; give each "
                "request an id of its own, or none"
            )
        return next(pair for pair in found if pair[1] is answer)

    def _note(self, task: str, answer: RecentAnswer, index: int, true: int) -> None:
        """Count what is told for the first time, and count anew what is told otherwise than before."""
        if answer.true is None:
            answer.true = array("i", [UNTOLD] * len(answer.predicted))
        before, predicted = answer.true[index], answer.predicted[index]
        answer.true[index] = true
        label: str | None = self.metrics.task_label(task, self.registry.tasks)
        self.counted.add(
            task,
            answer.version,
            None if label in (OTHER_TASKS, UNKNOWN_TASK) else label,
            answers=int(before == UNTOLD),
            correct=(true == predicted) - (before == predicted),
        )


def _shown(told_counts: dict[int, FeedbackCount]) -> dict[str, Sequence[int]]:
    return {str(version): [count.answers, count.correct] for version, count in told_counts.items()}


def _sent(answer: RecentAnswer) -> dict[str, Any]:
    return {
        "key": answer.key,
        "version": answer.version,
        "predicted": answer.predicted.tolist(),
        "at_ns": answer.at_ns,
        "reused": answer.reused,
    }


def _received(told: dict[str, Any]) -> RecentAnswer:
    return RecentAnswer(**{**told, "predicted": array("i", told["predicted"])})
