"""Samples in a bucket: what fsspec keeps in memory, and S3 itself where a server of it is named."""

import os
from collections.abc import Iterator
from uuid import uuid4

import fsspec
import pytest

from adapters.errors import ConfigError
from adapters.store.local_files import LocalFiles
from service.answers.sample_place import Bucket, open_place

S3 = os.environ.get("DVPT_TEST_BUCKET")
"""A bucket that may be written to, such as `s3://samples`; AWS_ENDPOINT_URL names its server."""


@pytest.fixture(params=["memory://", "s3"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "s3" and not S3:
        pytest.skip("needs DVPT_TEST_BUCKET, s3fs and a server of S3")
    root = S3 if request.param == "s3" else "memory://samples"
    yield f"{root}/{uuid4().hex}"
    fsspec.filesystem("memory").store.clear()


def test_what_was_put_is_listed_in_its_folder(url: str) -> None:
    place = open_place(url)
    assert place.files("digits") == []

    with place.lock("digits"):
        place.put("digits/a.png", b"picture")
    place.put("digits/a.json", b"{}")
    place.put("other/b.png", b"picture")

    assert sorted(place.files("digits")) == ["a.json", "a.png"]
    with fsspec.open(f"{url}/digits/a.png") as file:
        assert file.read() == b"picture"


def test_what_another_process_put_is_seen(url: str) -> None:
    place, other = Bucket(url), Bucket(url)
    assert place.files("digits") == []
    other.put("digits/a.png", b"picture")
    assert place.files("digits") == ["a.png"]


def test_a_folder_stays_a_folder(tmp_path: object) -> None:
    assert isinstance(open_place(str(tmp_path)), LocalFiles)
    assert isinstance(open_place(f"file://{tmp_path}"), LocalFiles)


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="nowhere://"):
        open_place("nowhere://bucket")
