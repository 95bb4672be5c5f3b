"""What an operator does to a store while it is served: publish files, move labels on a condition, delete."""

import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.errors import (
    ArtifactDamaged,
    ArtifactUnsigned,
    ClassesDiffer,
    LabelMoved,
    StoreConflict,
    StoreReadOnly,
)
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE, encode_artifact
from adapters.store.labels import ABSENT
from adapters.store.signature import SIGNATURE_FILE, SignatureState, Signer, Trust
from adapters.store.store import Published, Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact


@pytest.fixture
def files(store: Store, make_artifact: MakeArtifact) -> dict[str, bytes]:
    """An artifact as somebody sends it."""
    return encode_artifact(make_artifact(), store.backbone)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "sign.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "trusted.pem").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return Signer.open(tmp_path / "sign.pem")


@pytest.fixture
def trusting(store: Store, signer: Signer, tmp_path: Path) -> Store:
    del signer
    return replace(store, trust=Trust.open(tmp_path / "trusted.pem"))


def test_files_are_published_as_they_are_and_once(store: Store, files: dict[str, bytes]) -> None:
    assert store.publish_files("digits", files | {"claim": b"x"}) == Published(1, existed=False)
    assert store.files("digits", 1) == files
    assert list(store.files("digits", 1))[-1] == CONFIG_FILE
    assert store.publish_files("digits", files, label=None) == Published(1, existed=True)
    assert store.publish_files("digits", files, label="canary") == Published(1, existed=True)
    assert store.task("digits").labels == {"canary": 1, "stable": 1}


def test_a_damaged_version_is_not_taken_for_the_same(
    store: Store, files: dict[str, bytes], store_folder: Path
) -> None:
    store.publish_files("digits", files)
    tensors = store_folder / "digits" / "1" / TENSORS_FILE
    tensors.write_bytes(tensors.read_bytes()[:-1])
    assert store.publish_files("digits", files) == Published(2, existed=False)
    store.delete_version("digits", 2, force=True)
    assert store.publish_files("digits", files) == Published(3, existed=False)


def test_of_many_at_once_one_makes_the_version(store: Store, files: dict[str, bytes]) -> None:
    ready = threading.Barrier(8)

    def publish(_: int) -> Published:
        ready.wait()
        return store.publish_files("digits", files)

    with ThreadPoolExecutor(8) as threads:
        published = list(threads.map(publish, range(8)))
    assert {each.version for each in published} == {1}
    assert [each.existed for each in published].count(False) == 1
    assert store.task("digits").versions == (1,)


def test_what_is_refused_leaves_nothing(store: Store, files: dict[str, bytes], store_folder: Path) -> None:
    with pytest.raises(ArtifactDamaged):
        store.publish_files("digits", files | {TENSORS_FILE: files[TENSORS_FILE][:-1]})
    assert not (store_folder / "digits").exists()


def test_other_classes_refuse_files_before_anything_is_written(
    store: Store, make_artifact: MakeArtifact, files: dict[str, bytes]
) -> None:
    store.publish_files("digits", files)
    wider = encode_artifact(make_artifact(class_count=6), store.backbone)
    with pytest.raises(ClassesDiffer):
        store.publish_files("digits", wider)
    assert store.task("digits").versions == (1,)
    assert store.publish_files("digits", wider, replace_classes=True).version == 2
    assert store.task("digits").labels == {"stable": 2}


def test_a_signature_that_comes_is_kept_and_asked_for(
    trusting: Store, signer: Signer, files: dict[str, bytes]
) -> None:
    signed = files | {SIGNATURE_FILE: signer.sign("digits", files[CONFIG_FILE])}
    with pytest.raises(ArtifactUnsigned, match="only signed adapters"):
        trusting.publish_files("digits", files)
    with pytest.raises(ArtifactUnsigned, match="not of this version of this task"):
        trusting.publish_files("letters", signed)
    assert trusting.tasks() == []
    plain = replace(trusting, trust=None)
    plain.publish_files("digits", files)
    assert trusting.signature("digits", 1).state == plain.signature("digits", 1).state == "unsigned"
    assert trusting.publish_files("digits", signed) == Published(1, existed=True)
    assert trusting.load("digits", 1).config
    assert trusting.signature("digits", 1) == SignatureState(
        "trusted", plain.signature("digits", 1).key_id, None
    )
    assert plain.signature("digits", 1).state == "signed"
    assert plain.files("digits", 1)[SIGNATURE_FILE] == signed[SIGNATURE_FILE]


def test_a_signature_of_another_is_refused_and_why(trusting: Store, files: dict[str, bytes]) -> None:
    plain = replace(trusting, trust=None)
    plain.publish_files("digits", files | {SIGNATURE_FILE: b"{}"})
    state = trusting.signature("digits", 1)
    assert (state.state, state.key_id) == ("refused", None)
    assert SIGNATURE_FILE in (state.reason or "")


def test_a_label_moves_only_from_where_it_was_thought_to_be(published: Store) -> None:
    before = published.label("digits", "stable")
    after = published.set_label("digits", "stable", 1, expected=[before.etag])
    assert after == published.label("digits", "stable")
    for change in (
        lambda: published.set_label("digits", "stable", 2, expected=[before.etag]),
        lambda: published.rollback("digits", expected=[before.etag]),
        lambda: published.remove_label("digits", "stable", expected=[before.etag]),
        lambda: published.set_label("digits", "stable", 2, expected=[ABSENT]),
    ):
        with pytest.raises(LabelMoved, match=f"names version 1 now, as {after.etag}"):
            change()
    assert published.label("digits", "stable") == after
    with pytest.raises(LabelMoved, match="is not there"):
        published.set_label("digits", "canary", 2, expected=[after.etag])
    published.set_label("digits", "canary", 2, expected=[ABSENT])
    assert published.rollback("digits", expected=[after.etag]) == 3
    assert set(published.labels("digits")) == {"canary", "stable"}


def test_of_many_who_move_a_label_at_once_one_does(published: Store) -> None:
    etag = published.label("digits", "stable").etag
    ready = threading.Barrier(6)

    def move(number: int) -> bool:
        ready.wait()
        try:
            published.set_label("digits", "stable", 1 + number % 2, expected=[etag])
        except LabelMoved:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(move, range(6))).count(True) == 1


def test_a_labelled_version_goes_by_force_with_its_labels(published: Store) -> None:
    published.set_label("digits", "canary", 3)
    with pytest.raises(StoreConflict, match="has the label canary and stable"):
        published.delete_version("digits", 3)
    published.set_label("digits", "old", 1)
    published.delete_version("digits", 3, force=True)
    assert published.task("digits").labels == {"old": 1}
    assert published.task("digits").versions == (1, 2)


def test_a_labelled_task_goes_by_force(published: Store) -> None:
    with pytest.raises(StoreConflict, match="has the label stable; remove its labels first"):
        published.delete_task("digits", force=False)
    published.remove_label("digits", "stable")
    published.delete_task("digits", force=False)
    assert published.tasks() == []


@pytest.fixture
def nobody() -> Iterator[None]:
    """Not root, who may write anywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def read_only(backbone: Backbone, make_artifact: MakeArtifact) -> Iterator[Store]:
    """A store in which this process may write nothing, in a folder that others may enter."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = Store.create(root / "store", backbone.config)
        store.publish("digits", make_artifact())
        for path in (root, *root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield store
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)


def test_a_store_that_cannot_be_written_says_so(
    read_only: Store, files: dict[str, bytes], nobody: None
) -> None:
    del nobody
    assert read_only.load("digits", 1).config
    for change in (
        lambda: read_only.set_label("digits", "canary", 1),
        lambda: read_only.remove_label("digits", "stable"),
        lambda: read_only.publish_files("letters", files),
        lambda: read_only.publish_files("digits", files),
        lambda: read_only.delete_version("digits", 1, force=True),
        lambda: read_only.delete_task("digits"),
        lambda: read_only.prune("digits", 0),
    ):
        with pytest.raises(StoreReadOnly, match="cannot be changed by this process: Permission denied"):
            change()
