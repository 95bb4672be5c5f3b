"""Signatures: whose, of what, and what is none."""

import subprocess
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adapters.errors import ArtifactDamaged, ArtifactUnsigned, ConfigError
from adapters.store.artifact import CONFIG_FILE
from adapters.store.signature import SIGNATURE_FILE, Signer, Trust
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact


def key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A private key's file and its public key's."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Signer, Trust]:
    private, public = key_pair(tmp_path, "ours")
    return Signer.open(private), Trust.open(public)


@pytest.mark.skipif(which("openssl") is None, reason="openssl is needed")
def test_keys_are_those_that_openssl_makes(tmp_path: Path) -> None:
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    Trust.open(public).check("task", b"config", Signer.open(private).sign("task", b"config"))


def test_a_signature_is_of_one_task_and_one_configuration(pair: tuple[Signer, Trust]) -> None:
    signer, trust = pair
    signature = signer.sign("a", b"config")
    trust.check("a", b"config", signature)
    for task, config in (("b", b"config"), ("a", b"confih"), ("a", b"")):
        with pytest.raises(ArtifactUnsigned, match="is not of this version of this task"):
            trust.check(task, config, signature)


def test_any_of_several_trusted_keys_will_do_and_no_other(tmp_path: Path) -> None:
    (first, one), (second, two), (third, _) = (key_pair(tmp_path, name) for name in ("1", "2", "3"))
    both = tmp_path / "both.pem"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    trust = Trust.open(both)
    assert len(trust.key_ids) == 2
    for private in (first, second):
        trust.check("a", b"c", Signer.open(private).sign("a", b"c"))
    with pytest.raises(ArtifactUnsigned, match="which is none of"):
        trust.check("a", b"c", Signer.open(third).sign("a", b"c"))


@pytest.mark.parametrize(
    "signature", [None, b"", b"{}", b"[]", b'{"format_version": 1, "key_id": "x"}', b"\xff"]
)
def test_what_is_no_signature_is_refused(pair: tuple[Signer, Trust], signature: bytes | None) -> None:
    with pytest.raises(ArtifactUnsigned):
        pair[1].check("a", b"c", signature)


def test_a_file_that_is_no_key_is_told(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, "ours")
    other = tmp_path / "other.pem"
    elliptic = generate_private_key(SECP256R1())
    other.write_bytes(elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    locked = tmp_path / "locked.pem"
    secret = BestAvailableEncryption(b"password")
    locked.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    for path in (public, other, locked, tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match=path.name):
            Signer.open(path)
    for path in (private, other, tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match=path.name):
            Trust.open(path)


def test_a_store_that_trusts_somebody_loads_nothing_else(
    store: Store, make_artifact: MakeArtifact, pair: tuple[Signer, Trust]
) -> None:
    signer, trust = pair
    strict = replace(store, trust=trust)
    store.publish("pets", make_artifact(note="1"))
    replace(store, signer=signer).publish("pets", make_artifact(note="2"))
    with pytest.raises(ArtifactUnsigned, match=r"pets/1: there is no adapter_signature\.json"):
        strict.load("pets", 1)
    assert strict.load("pets", 2).config == store.load("pets", 2).config
    strict.sign("pets", 1, signer)
    strict.load("pets", 1)


def test_neither_another_tasks_signature_nor_other_tensors_pass(
    store: Store, store_folder: Path, make_artifact: MakeArtifact, pair: tuple[Signer, Trust]
) -> None:
    signer, trust = pair
    signing = replace(store, signer=signer, trust=trust)
    for task in ("pets", "cars"):
        signing.publish(task, make_artifact(note="1"))
    signing.publish("pets", make_artifact(note="2"))
    folder = store_folder
    (folder / "cars/1" / SIGNATURE_FILE).write_bytes((folder / "pets/1" / SIGNATURE_FILE).read_bytes())
    with pytest.raises(ArtifactUnsigned, match="cars/1"):
        signing.load("cars", 1)
    name = "adapter_model.safetensors"
    (folder / "pets/1" / name).write_bytes((folder / "pets/2" / name).read_bytes())
    with pytest.raises(ArtifactDamaged):
        signing.load("pets", 1)
    (folder / "pets/1" / CONFIG_FILE).write_bytes((folder / "pets/2" / CONFIG_FILE).read_bytes())
    with pytest.raises(ArtifactUnsigned, match="pets/1"):
        signing.load("pets", 1)
