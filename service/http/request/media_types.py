"""Which form a body has: what its bytes say counts, and where they say nothing, its content type."""

from enum import Enum

from service.errors import UnreadMediaType
from service.http.request.signatures import is_json_object, is_media_file, is_picture

FORM = "application/x-www-form-urlencoded"
NOT_READ = {
    "image/heic": "HEIC",
    "image/heif": "HEIF",
    "image/avif": "AVIF",
    "image/svg+xml": "SVG",
    "application/dicom": "DICOM",
    "application/pdf": "PDF",
}
# Types that say "bytes": what decoding makes of them says more than the type does.
BYTES = ("application/octet-stream", "binary/octet-stream", "application/binary", "*/*", "")
READ = "a picture, multipart/form-data or application/json"


class Form(Enum):
    """The three forms of a body."""

    PICTURE = "picture"
    MULTIPART = "multipart"
    JSON = "json"


def media_type_of(content_type: str) -> str:
    """`Image/JPEG; q=1` → `image/jpeg`."""
    return content_type.partition(";")[0].strip().lower()


def form_of(content_type: str, start: bytes) -> Form:
    """The form of a body by its content type (empty if there is none) and its first bytes.

    Raises UnreadMediaType, which says what is read.
    """
    if is_picture(start) or is_data_url(start):
        return Form.PICTURE
    media_type = media_type_of(content_type)
    if media_type == "multipart/form-data":
        return Form.MULTIPART
    if _is_json(media_type):
        return Form.JSON
    if media_type in NOT_READ:
        raise UnreadMediaType(f"{NOT_READ[media_type]} is not read; send JPEG, PNG or WebP")
    if media_type.startswith("image/") or not start or is_media_file(start):
        return Form.PICTURE
    if is_json_object(start):
        return Form.JSON
    if media_type in BYTES:
        return Form.PICTURE
    raise UnreadMediaType(_unread(content_type, media_type))


def is_data_url(start: bytes) -> bool:
    """Whether a body, a part or a string is `data:…`; no picture begins so."""
    return start[:5].lower() == b"data:"


def _is_json(media_type: str) -> bool:
    kind, _, name = media_type.partition("/")
    return kind in ("application", "text") and (name in ("json", "x-json") or name.endswith("+json"))


def _unread(content_type: str, media_type: str) -> str:
    if media_type.startswith("multipart/"):
        return f"content type {content_type!r} is not read; send multipart/form-data"
    what = f"content type {content_type!r} is not read, and the body does not begin as a picture; send {READ}"
    if media_type == FORM:
        return (
            f"{what}. With curl: --data-binary @FILE -H 'Content-Type: image/jpeg', or -F images=@FILE; "
            "-d and --data-urlencode change a picture's bytes"
        )
    return f"{what} (curl: -H 'Content-Type: image/jpeg' --data-binary @FILE)"
