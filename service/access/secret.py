"""The text of a key, and what is kept of it: `dvpt_<id>_<secret>`, of which a file has a salted hash."""

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

SECRET_BYTES = 32
SALT_BYTES = 16
# 16 MiB and some 40 ms: what a stolen file costs for each guess, beside a secret that nobody guesses.
COST, BLOCK, PARALLEL = 2**14, 8, 1
_TEXT = re.compile(r"dvpt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


class KeyText(NamedTuple):
    """A key as its holder has it: `id` may be shown, `secret` never."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"dvpt_{self.id}_{self.secret}"


class HashedSecret(NamedTuple):
    """What a file keeps of a secret: scrypt's salt and digest, in hex."""

    salt: str
    digest: str


def new_key_text() -> KeyText:
    """A key that nobody has."""
    return KeyText(secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES))


def parsed(text: str) -> KeyText | None:
    """The parts of a key's text; None for any other text."""
    match = _TEXT.fullmatch(text)
    return KeyText(match[1], match[2]) if match else None


def hashed(secret: str, salt: str | None = None) -> HashedSecret:
    """The scrypt hash (RFC 7914) of a secret, with a salt of its own or with that one; takes some 40 ms."""
    salt = salt or secrets.token_hex(SALT_BYTES)
    digest = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=COST, r=BLOCK, p=PARALLEL, dklen=32)
    return HashedSecret(salt, digest.hex())


def matches(secret: str, kept: HashedSecret) -> bool:
    """Whether it is the secret that the hash was made of, in a time that tells nothing of either."""
    return hmac.compare_digest(hashed(secret, kept.salt).digest, kept.digest)
