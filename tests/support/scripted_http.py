"""A server on the loopback that answers what a test has written down, and keeps what it was asked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer; with status 0 the connection is closed instead."""

    status: int
    body: Mapping[str, Any] | str = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Scripted:
    """The server: its URL, the replies that are left (the last stays), the requests so far."""

    url: str
    replies: list[Reply]
    requests: list[Request] = field(default_factory=list)

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def problem(status: int, code: str, headers: Mapping[str, str] | None = None, **more: object) -> Reply:
    """An error as the service writes it."""
    return Reply(status, {"code": code, "detail": f"{code} it is", "status": status, **more}, headers or {})


@contextmanager
def scripted(*replies: Reply) -> Iterator[Scripted]:
    """Run the server until the block ends."""
    script = Scripted("", list(replies))
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(script)) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append(Request(self.command, self.path, headers, body))
            self._answer(script.next_reply())

        def _answer(self, reply: Reply) -> None:
            if not reply.status:
                self.close_connection = True
                return
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def of_pictures(labels: Sequence[str], headers: Mapping[str, str] | None = None) -> Reply:
    """An answer to as many pictures, each of one class."""
    predictions = [{"classes": [{"index": 0, "label": label, "probability": 0.5}]} for label in labels]
    timing = {"decode_ms": 1.0, "queue_ms": 1.0, "inference_ms": 1.0}
    body = {"task": "pets", "version": 3, "digest": "d", "predictions": predictions, "timing": timing}
    return Reply(200, body, headers or {})
