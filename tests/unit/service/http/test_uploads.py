import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import ArtifactDamaged, ArtifactTooLarge
from service.errors import BadBody, ClientGone, Overloaded, ServiceError, UploadConflict
from service.http.uploads import KEPT_S, MOST_BODIES, MOST_UPLOADS, Part, Uploads

pytestmark = pytest.mark.anyio
DATA = bytes(range(256)) * 40
NAME = hashlib.sha256(DATA).hexdigest()


async def pieces(*given: bytes, leaves: bool = False) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if leaves:
        raise ClientGone("left")


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "up", 20_000)


async def test_a_body_is_a_file_for_as_long_as_it_is_needed(uploads: Uploads, tmp_path: Path) -> None:
    async with uploads.body(pieces(b"a", b"b"), 2) as file:
        assert file.read() == b"ab"
        assert list((tmp_path / "up").iterdir()) == []
    assert file.closed
    assert (tmp_path / "up").stat().st_mode & 0o777 == 0o700


async def test_a_body_that_is_too_large_is_refused_by_its_length_and_by_its_bytes(uploads: Uploads) -> None:
    for given_pieces, declared in (((b"",), 20_001), ((bytes(20_000), b"x"), 0)):
        with pytest.raises(ArtifactTooLarge, match="more than the 20000 bytes"):
            async with uploads.body(pieces(*given_pieces), declared):
                pass


async def test_bodies_at_once_are_bounded(uploads: Uploads) -> None:
    held = [uploads.body(pieces(b"x"), 1) for _ in range(MOST_BODIES)]
    for each in held:
        await each.__aenter__()
    with pytest.raises(Overloaded):
        async with uploads.body(pieces(b"x"), 1):
            pass
    for each in held:
        await each.__aexit__(None, None, None)
    async with uploads.body(pieces(b"x"), 1):
        pass


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=5), leaves=st.booleans())
async def test_an_upload_in_any_parts_is_the_whole(
    cuts: list[int], leaves: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each part is begun where the last one got to, also after one that was cut off."""
    uploads = Uploads(tmp_path_factory.mktemp("up"), 20_000)
    for last in [*sorted(cuts), len(DATA)]:
        offset = await uploads.offset("pets", NAME)
        part = Part(offset, last - offset, len(DATA))
        if leaves and last > offset:
            with pytest.raises(ClientGone):
                await uploads.append("pets", NAME, part, pieces(DATA[offset : last - 1], leaves=True))
            assert await uploads.offset("pets", NAME) == last - 1
            part, offset = Part(last - 1, 1, len(DATA)), last - 1
        if last > offset:
            assert await uploads.append("pets", NAME, part, pieces(DATA[offset:last])) == last
    with uploads.opened("pets", NAME) as file:
        assert file.read() == DATA
    assert await uploads.offset("pets", NAME) == 0


async def test_a_part_that_is_not_the_next_tells_which_is(uploads: Uploads) -> None:
    with pytest.raises(UploadConflict) as caught:
        await uploads.append("pets", NAME, Part(5, 5, 10_240), pieces(b"12345"))
    assert caught.value.offset == 0
    await uploads.append("pets", NAME, Part(0, 100, 10_240), pieces(DATA[:100]))
    assert await uploads.append("pets", NAME, Part(0, 50, 10_240), pieces(DATA[:50])) == 100
    assert await uploads.append("pets", NAME, Part(90, 20, 10_240), pieces(DATA[90:95], DATA[95:110])) == 110
    with pytest.raises(UploadConflict, match="not complete: 110"), uploads.opened("pets", NAME):
        pass
    assert await uploads.offset("cats", NAME) == 0


def test_an_upload_that_nobody_began_is_not_complete(tmp_path: Path) -> None:
    with (
        pytest.raises(UploadConflict, match="not complete: 0 bytes"),
        Uploads(tmp_path / "new", 10_240).opened("pets", NAME),
    ):
        pass


async def test_a_part_of_another_length_or_another_s_bytes(uploads: Uploads) -> None:
    with pytest.raises(BadBody, match="has 3 bytes, and 4"):
        await uploads.append("pets", NAME, Part(0, 4, 10_240), pieces(DATA[:3]))
    with pytest.raises(ArtifactDamaged, match="begin again"):
        await uploads.append("pets", NAME, Part(3, 10_237, 10_240), pieces(bytes(10_237)))
    assert await uploads.offset("pets", NAME) == 0
    with pytest.raises(ArtifactTooLarge):
        await uploads.append("pets", NAME, Part(0, 1, 20_001), pieces(b"x"))


async def test_one_request_at_a_time_writes_an_upload(uploads: Uploads) -> None:
    async def meanwhile() -> AsyncIterator[bytes]:
        yield DATA[:10]
        with pytest.raises(UploadConflict, match="another request"):
            await uploads.append("pets", NAME, Part(0, 10, 10_240), pieces(DATA[:10]))
        yield DATA[10:20]

    assert await uploads.append("pets", NAME, Part(0, 20, 10_240), meanwhile()) == 20


async def test_what_nobody_goes_on_with_goes(uploads: Uploads, tmp_path: Path) -> None:
    await uploads.append("pets", NAME, Part(0, 100, 10_240), pieces(DATA[:100]))
    (path,) = (tmp_path / "up").iterdir()
    old = time.time() - KEPT_S - 1
    os.utime(path, (old, old))
    assert await uploads.offset("cats", NAME) == 0
    assert list((tmp_path / "up").iterdir()) == []


async def test_uploads_that_wait_are_bounded_and_may_go_on(uploads: Uploads) -> None:
    for number in range(MOST_UPLOADS):
        await uploads.append(f"t{number}", NAME, Part(0, 10, 10_240), pieces(DATA[:10]))
    with pytest.raises(Overloaded, match="16 uploads are waiting"):
        await uploads.append("more", NAME, Part(0, 10, 10_240), pieces(DATA[:10]))
    assert await uploads.offset("more", NAME) == 0
    assert await uploads.append("t0", NAME, Part(10, 10_230, 10_240), pieces(DATA[10:])) == 10_240
    with uploads.opened("t0", NAME):
        pass
    assert await uploads.append("more", NAME, Part(0, 10, 10_240), pieces(DATA[:10])) == 10


async def test_a_folder_that_is_no_own_one_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "link", tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ServiceError, match="see --uploads"):
            await Uploads(folder, 100).offset("pets", NAME)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a folder away")
async def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    os.chown(tmp_path / "up", 65534, 65534)
    with pytest.raises(ServiceError, match="this user's own"):
        await Uploads(tmp_path / "up", 100).offset("pets", NAME)
