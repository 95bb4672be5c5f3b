"""Who vouches for a version: an Ed25519 signature (RFC 8032) of its task and its configuration.

The configuration has the digest of the tensors, so that the signature is of them too; the card is not signed.
Keys are PEM files, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from adapters.config import FORMAT_VERSION, StrictModel
from adapters.errors import ArtifactError, ArtifactUnsigned, ConfigError
from adapters.store.strict_json import parse_json

SIGNATURE_FILE = "adapter_signature.json"
END_PUBLIC = "-----END PUBLIC KEY-----"


class SignatureFile(StrictModel):
    """`adapter_signature.json`: the signature, and which key it is by (the start of its SHA-256)."""

    format_version: Literal[1] = FORMAT_VERSION
    key_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


@dataclass(frozen=True)
class SignatureState:
    """Who signed a version, if anybody; `trusted` or `refused` where signatures are asked for, and why."""

    state: Literal["unsigned", "signed", "trusted", "refused"]
    key_id: str | None
    reason: str | None


@dataclass(frozen=True)
class Signer:
    """Signs with one private key."""

    _key: Any = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The key of a PEM file without a password. Raises ConfigError."""
        ed25519, serialization = _library()
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{path} is no private key that can be read: {_reason(error)}") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ConfigError(f"{path} has a key of another kind; expected Ed25519")
        return cls(key)

    def sign(self, task: str, config: bytes) -> bytes:
        """The bytes of the signature file for a version with this configuration."""
        signature = self._key.sign(_statement(task, config)).hex()
        made = SignatureFile(key_id=_key_id(self._key.public_key()), signature=signature)
        return made.model_dump_json(indent=2).encode() + b"\n"


@dataclass(frozen=True)
class Trust:
    """The public keys of those whose adapters are used, by their ids."""

    _keys: Mapping[str, Any] = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The keys of a PEM file with one or more of them. Raises ConfigError."""
        ed25519, serialization = _library()
        try:
            blocks = path.read_text("ascii").split(END_PUBLIC)[:-1]
            found = [serialization.load_pem_public_key(f"{block}{END_PUBLIC}\n".encode()) for block in blocks]
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} has no public keys that can be read: {_reason(error)}") from error
        if not found or not all(isinstance(key, ed25519.Ed25519PublicKey) for key in found):
            raise ConfigError(f"{path} has {len(found)} public keys; expected one or more, all Ed25519")
        return cls({_key_id(key): key for key in found})

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The keys' ids, in order."""
        return tuple(sorted(self._keys))

    def check(self, task: str, config: bytes, signature: bytes | None) -> None:
        """Raise ArtifactUnsigned unless a trusted key signed this configuration for this task."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as in _library

        if signature is None:
            raise ArtifactUnsigned(f"there is no {SIGNATURE_FILE}, and only signed adapters are used here")
        try:
            read = parse_json(SignatureFile, signature, SIGNATURE_FILE)
        except ArtifactError as error:
            raise ArtifactUnsigned(str(error)) from error
        key = self._keys.get(read.key_id)
        if key is None:
            raise ArtifactUnsigned(
                f"signed by the key {read.key_id}, which is none of {', '.join(self.key_ids)}"
            )
        try:
            key.verify(bytes.fromhex(read.signature), _statement(task, config))
        except InvalidSignature as error:
            raise ArtifactUnsigned(
                f"the signature by {read.key_id} is not of this version of this task"
            ) from error


def signature_state(trust: Trust | None, task: str, config: bytes, signature: bytes | None) -> SignatureState:
    """What is known of a version's signature, the bytes of its file, or None where there is none."""
    key_id = None
    if signature is not None:
        with suppress(ArtifactError):
            key_id = parse_json(SignatureFile, signature, SIGNATURE_FILE).key_id
    if trust is None:
        return SignatureState("unsigned" if signature is None else "signed", key_id, None)
    try:
        trust.check(task, config, signature)
    except ArtifactUnsigned as error:
        return SignatureState("unsigned" if signature is None else "refused", key_id, str(error))
    return SignatureState("trusted", key_id, None)


def _statement(task: str, config: bytes) -> bytes:
    """What is signed: an adapter of one task is not to pass for another's."""
    return f"dvpt-adapter-v1\n{task}\n{hashlib.sha256(config).hexdigest()}\n".encode()


def _key_id(public_key: Any) -> str:
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16]


def _library() -> tuple[Any, Any]:
    try:  # only who signs or asks for signatures needs it
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("signatures need cryptography: pip install 'dvpt-serve[signing]'") from error
    return ed25519, serialization


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0]
