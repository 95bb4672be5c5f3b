"""A request's body, held in memory until its pictures are decoded."""

from dataclasses import dataclass, field

from service.errors import BadBody, NoPicture, RequestTooLarge
from service.http.decoding.fair_threads import FairThreads
from service.http.request.base64_text import decode_base64
from service.http.request.body_bytes import HeldBytes
from service.http.request.json_body import json_pictures
from service.http.request.limits import RequestLimits
from service.http.request.media_types import FORM, Form, is_data_url, media_type_of
from service.http.request.multipart import boundary_of, multipart_pictures
from service.http.request.signatures import is_shorn

INLINE_BYTES = 65_536


@dataclass(eq=False)
class Body:
    """One request's body: first its bytes, then its encoded pictures."""

    task: str
    content_type: str
    limits: RequestLimits
    threads: FairThreads
    held: HeldBytes
    form: Form = Form.PICTURE
    data: bytes = b""
    timeout_ms: int | None = None
    _pictures: list[bytes] = field(default_factory=list)

    async def pictures(self) -> list[bytes]:
        """The encoded pictures, at least one; they are gone once the body is released.

        Raises BadBody, NoPicture and RequestTooLarge.
        """
        data, self.data = self.data, b""
        if self.form is Form.PICTURE and not is_data_url(data):
            self._pictures = [self._raw(data)]
        elif len(data) <= INLINE_BYTES:
            self._pictures = self._split(data)
        else:  # megabytes of base64 would hold up the event loop
            [self._pictures] = await self.threads.map(self.task, self._split, [data])
        check_pictures(self._pictures, self.limits)
        return self._pictures

    def release(self) -> None:
        """Give the bytes back: the pictures are decoded, or nobody wants them any more."""
        self.data = b""
        self._pictures.clear()
        self.held.release()

    def _raw(self, data: bytes) -> bytes:
        if is_shorn(data) and media_type_of(self.content_type) == FORM:
            raise BadBody(
                "the picture has lost its line breaks and zero bytes, which curl's -d takes out; "
                "use --data-binary @FILE, or -F images=@FILE"
            )
        return data

    def _split(self, data: bytes) -> list[bytes]:
        if self.form is Form.JSON:
            return json_pictures(data, self.limits.pictures)
        if self.form is Form.MULTIPART:
            return multipart_pictures(data, boundary_of(self.content_type), self.limits.pictures)
        return [decode_base64(data, "the body")]


def check_pictures(pictures: list[bytes], limits: RequestLimits) -> None:
    """Raise NoPicture or RequestTooLarge."""
    if not pictures or pictures == [b""]:
        raise NoPicture("the request has no picture: the body is empty, or has no part or entry 'images'")
    for index, data in enumerate(pictures):
        if len(data) > limits.picture_bytes:
            raise RequestTooLarge(
                f"picture {index} has {len(data)} bytes; a picture may have {limits.picture_bytes}"
            )
