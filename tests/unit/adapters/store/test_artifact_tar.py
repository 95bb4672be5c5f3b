"""Archives as people and attackers make them."""

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import ArtifactDamaged, ArtifactError, ArtifactFormat, ArtifactTooLarge
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.artifact_tar import MOST_FILES, read_tar
from adapters.store.signature import SIGNATURE_FILE
from tests.support.archives import tar_of

FILES = {CONFIG_FILE: b"{}", TENSORS_FILE: b"\x00" * 5000, SIGNATURE_FILE: b"s", "README.md": b"# Card"}


def read(data: bytes, max_bytes: int = 1_000_000) -> dict[str, bytes]:
    return read_tar(io.BytesIO(data), max_bytes)


@pytest.mark.parametrize("prefix", ["", "./"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_is_its_files(prefix: str, pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(tar_of(FILES, prefix=prefix))) == FILES


def test_what_tar_makes_of_a_folder_is_read() -> None:
    assert read(tar_of(FILES, prefix="./", folders=(".",))) == FILES


@pytest.mark.parametrize(
    "name",
    ["../adapter_config.json", "/adapter_config.json", "a/adapter_config.json", "..", "claim", "tombstone",
     "._README.md", "x.svg", "././adapter_config.json", "labels/stable", ".", ""],
)  # fmt: skip
def test_a_file_that_is_no_artifacts_refuses_the_archive(name: str) -> None:
    with pytest.raises(ArtifactFormat, match=r"no file of an artifact; pack the files themselves: tar -C"):
        read(tar_of({**FILES, name: b"x"}))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE],
)
def test_links_and_devices_are_refused(kind: bytes) -> None:
    def as_kind(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    with pytest.raises(ArtifactFormat, match=r"README\.md is no plain file"):
        read(tar_of({"README.md": b""}, change=as_kind))


def test_a_file_with_holes_is_refused() -> None:
    """A few bytes may say that there are a million zeros."""
    headers = {"major": "0", "minor": "0", "size": "900000", "map": "0,0"}

    def as_sparse(member: tarfile.TarInfo) -> None:
        member.pax_headers = {f"GNU.sparse.{name}": value for name, value in headers.items()}

    with pytest.raises(ArtifactFormat, match=r"README\.md is no plain file"):
        read(tar_of({"README.md": b""}, change=as_sparse))


def test_a_file_that_is_there_twice_is_refused() -> None:
    twice = tar_of({"README.md": b"one"}, end=False) + tar_of({"README.md": b"two"})
    with pytest.raises(ArtifactFormat, match=r"README\.md is twice"):
        read(twice)


def test_too_many_files_are_refused() -> None:
    with pytest.raises(ArtifactFormat, match="more than 64 files"):
        read(tar_of({f"{number}.png": b"" for number in range(MOST_FILES + 1)}))


def test_a_bomb_is_counted_while_it_is_inflated() -> None:
    packed = gzip.compress(tar_of({TENSORS_FILE: b"\0" * 50_000_000}))
    assert len(packed) < 100_000
    with pytest.raises(ArtifactTooLarge, match="more than the 1000000 bytes"):
        read(packed)


def test_a_header_that_promises_more_than_there_is_reads_no_more() -> None:
    member = tarfile.TarInfo(TENSORS_FILE)
    member.size = 10**12
    for content in (b"x" * 100, b"x" * 100_000):
        with pytest.raises(ArtifactError):
            read(member.tobuf() + content, 50_000)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x89PNG" * 300, b"{}", b"\x1f\x8b", b"\x1f\x8bnot"])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        read(data)


def test_headers_within_headers_end() -> None:
    """Long names are announced by a member of their own, which may announce another one, and so on."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 512
    nested = (member.tobuf(tarfile.GNU_FORMAT) + b"a" * 512) * 5000
    with pytest.raises(ArtifactFormat):
        read(nested, 10_000_000)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@given(share=st.floats(0, 0.999))
def test_an_archive_that_is_cut_off_is_refused_or_lacks_files(
    pack: Callable[[bytes], bytes], share: float
) -> None:
    """A tar may end after any member; gzip tells where it was to end."""
    whole = pack(tar_of(FILES, end=False))
    try:
        found: Mapping[str, bytes] = read(whole[: int(share * len(whole))])
    except ArtifactError:
        return
    assert all(FILES[name] == data for name, data in found.items())
    assert pack is bytes


def test_where_it_is_cut_is_told() -> None:
    with pytest.raises((ArtifactDamaged, ArtifactFormat), match="cut off"):
        read(tar_of({TENSORS_FILE: b"x" * 5000})[:2000])
    with pytest.raises(ArtifactDamaged, match="cut off"):
        read(gzip.compress(tar_of(FILES))[:-20])
