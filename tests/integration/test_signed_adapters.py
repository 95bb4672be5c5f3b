"""A service that uses signed adapters alone."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.store.signature import Signer
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import plain_png
from tests.support.server import Serve, Start
from tests.support.waiting import wait_until


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def private(key: Ed25519PrivateKey, tmp_path: Path) -> Path:
    file = tmp_path / "sign.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


@pytest.fixture
def public(key: Ed25519PrivateKey, tmp_path: Path) -> Path:
    file = tmp_path / "trusted.pem"
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


def test_an_unsigned_adapter_is_refused_until_it_is_signed(
    empty_store: Store, make_artifact: MakeArtifact, serve: Serve, private: Path, public: Path
) -> None:
    replace(empty_store, signer=Signer.open(private)).publish("signed", make_artifact(1))
    empty_store.publish("foreign", make_artifact(2))

    with serve(empty_store, f"--trusted-keys={public}") as server:

        def asked(task: str) -> httpx.Response:
            return httpx.post(f"{server.url}/v1/tasks/{task}/classify", content=plain_png(9), timeout=60)

        assert asked("signed").status_code == 200
        refused = asked("foreign")
        assert refused.status_code == 503
        assert "only signed adapters are used here" in refused.json()["detail"]
        sign = ["sign", "foreign", "--store", empty_store.url, "--key", str(private)]
        subprocess.run([sys.executable, "-m", "adapters.command.cli", *sign], check=True)
        wait_until(lambda: asked("foreign").status_code == 200, "the signed adapter to be taken")


def test_a_start_without_public_keys_is_refused(empty_store: Store, start: Start, private: Path) -> None:
    wrong = start(empty_store, f"--trusted-keys={private}")
    assert wrong.process.wait(120) == 2
    wrong.end()
    assert "sign.pem has 0 public keys" in wrong.log[-1]
