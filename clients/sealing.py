"""Secrets: their shape, their sealing (AES-256-GCM, key id, row binding) and their keyed fingerprint."""

import base64
import hmac
import os
import re
import secrets as random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from clients.errors import SealBroken

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHAPE = re.compile(r"cps_([a-z0-9]{1,8})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})", re.ASCII)


class SecretValue:
    """A plain secret on its short way; prints as asterisks, so that no log or traceback can hold it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def ending(self) -> str:
        return self._value[-4:]

    def __repr__(self) -> str:
        return "SecretValue(***)"

    __str__ = __repr__

    def __reduce__(self):
        raise TypeError("A secret value is never pickled.")


@dataclass(frozen=True)
class Sealed:
    """Ciphertext with the id of the key that made it: 12 bytes nonce, then AES-256-GCM with its tag."""

    key_id: str
    data: bytes


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits


def generate(environment: str) -> SecretValue:
    """`cps_<environment>_<43 base62 = 256 bits><CRC32 as 6 base62>`; never `+` (cognito_facts section 2)."""
    body = f"cps_{environment}_{_base62(random.randbits(256), 43)}"
    return SecretValue(body + _base62(zlib.crc32(body.encode()), 6))


def is_well_formed(text: str) -> bool:
    """True when shape and checksum fit: a typo is caught offline."""
    return SHAPE.fullmatch(text) is not None and _base62(zlib.crc32(text[:-6].encode()), 6) == text[-6:]


@dataclass(frozen=True)
class KmsKey:
    """A key that never leaves AWS: each value is sealed under a data key of its own, which KMS opens again. `name`: its
    id, alias or ARN; only an ARN says in which Region it is."""

    name: str


KMS_NAME = re.compile(
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(?:key|alias)/[A-Za-z0-9/_-]+|alias/[A-Za-z0-9/_-]+"
    r"|mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.ASCII,
)


@lru_cache(maxsize=8)
def read_sealing_ring(text: str) -> dict[str, bytes | KmsKey]:
    """As `read_ring`, where an entry may also be `id:kms:<id, alias or ARN>`: the first one seals, every one opens."""
    ring: dict[str, bytes | KmsKey] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key_id, _, rest = part.partition(":")
        if rest.startswith("kms:"):
            name = rest.removeprefix("kms:")
            if not key_id or key_id in ring or not KMS_NAME.fullmatch(name):
                raise ImproperlyConfigured(f"SEALING_KEYS: {key_id!r} is not id:kms:<id, alias or ARN>, ids unique.")
            ring[key_id] = KmsKey(name)
        else:
            local = read_ring(part, "SEALING_KEYS")
            if key_id in ring:
                raise ImproperlyConfigured(f"SEALING_KEYS: the id {key_id!r} stands there twice.")
            ring |= local
    if not ring:
        raise ImproperlyConfigured("SEALING_KEYS is empty. Set at least one id:base64 key of 32 bytes.")
    return ring


@lru_cache(maxsize=8)
def read_ring(text: str, name: str) -> dict[str, bytes]:
    """Key id → 32 bytes, the first one seals. Raises ImproperlyConfigured with a sentence naming the variable."""
    ring: dict[str, bytes] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not key_id or len(key) != 32 or key_id in ring:
            raise ImproperlyConfigured(
                f"{name}: each entry is id:base64 of 32 bytes, ids unique. Check the entry {key_id!r}."
            )
        ring[key_id] = key
    if not ring:
        raise ImproperlyConfigured(f"{name} is empty. Set at least one id:base64 key of 32 bytes.")
    return ring


# (key, binding) -> (plain data key, the same as KMS wrapped it), and back; set by `clients.aws.keys`, which lies above.
new_data_key: Callable[[KmsKey, str], tuple[bytes, bytes]] | None = None
open_data_key: Callable[[KmsKey, bytes, str], bytes] | None = None


def first_key_id() -> str:
    return next(iter(read_sealing_ring(settings.SEALING_KEYS)))


def seal(value: SecretValue, *, binding: str) -> Sealed:
    """Seals under the first key; `binding` names the row and is authenticated, so ciphertexts cannot be swapped. Under
    a key of KMS the wrapped data key stands before nonce and ciphertext, its length in two bytes before it."""
    key_id, key = next(iter(read_sealing_ring(settings.SEALING_KEYS).items()))
    before = b""
    if isinstance(key, KmsKey):
        if new_data_key is None:
            raise ImproperlyConfigured("SEALING_KEYS names a key of KMS, and nothing that speaks to KMS is loaded.")
        key, wrapped = new_data_key(key, binding)
        before = len(wrapped).to_bytes(2, "big") + wrapped
    nonce = os.urandom(12)
    return Sealed(key_id, before + nonce + AESGCM(key).encrypt(nonce, value.reveal().encode(), _aad(key_id, binding)))


def open_sealed(sealed: Sealed, *, binding: str) -> SecretValue:
    """Raises SealBroken when the key is gone, the row is not the one sealed for, or a bit changed; AwsError when KMS
    does not answer."""
    key = read_sealing_ring(settings.SEALING_KEYS).get(sealed.key_id)
    data = sealed.data
    if isinstance(key, KmsKey) and open_data_key is not None:
        length = int.from_bytes(data[:2], "big")
        wrapped, data = data[2 : 2 + length], data[2 + length :]
        # Without both parts it was sealed by a local key of this id, and there is nothing to ask KMS.
        key = open_data_key(key, wrapped, binding) if wrapped and data else b""
    if not isinstance(key, bytes):
        raise SealBroken(
            "This secret was sealed with a key that is not configured here. Add the key to SEALING_KEYS.",
            technical=f"key id {sealed.key_id}",
        )
    try:
        plain = AESGCM(key).decrypt(data[:12], data[12:], _aad(sealed.key_id, binding))
    except (InvalidTag, ValueError):
        raise SealBroken("The sealed secret does not open. Rotate it, and have the database looked at.") from None
    return SecretValue(plain.decode())


def _aad(key_id: str, binding: str) -> bytes:
    return f"cognito-client-portal/1|{key_id}|{binding}".encode()


def fingerprint(value: SecretValue) -> tuple[str, str]:
    """(key id, HMAC-SHA256 hex) under the first fingerprint key: answers "whose is this?" without storing it."""
    key_id, key = next(iter(read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS").items()))
    return key_id, hmac.new(key, value.reveal().encode(), "sha256").hexdigest()


def fingerprints(value: SecretValue) -> list[tuple[str, str]]:
    """(key id, HMAC-SHA256 hex) under every fingerprint key: rows of before a new first key are found by their own."""
    ring = read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS")
    return [(key_id, hmac.new(key, value.reveal().encode(), "sha256").hexdigest()) for key_id, key in ring.items()]
