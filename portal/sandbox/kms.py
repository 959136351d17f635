"""KMS as AWS runs it: a ciphertext opens under its own key only, and not when a bit of it changed.

MiniStack 1.5.33 checks the encryption context, but takes whatever key the caller names, or the right one where the name
is no key's, and nothing tells it that a bit was changed: it answers 200, with other bytes. KMS has for these
IncorrectKeyException, NotFoundException and InvalidCiphertextException:
https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
"""

import base64
import hmac
import json

from ministack.core.responses import error_response_json
from ministack.services import kms

MAKING = (
    "_encrypt",
    "_generate_data_key",
    "_generate_data_key_without_plaintext",
    "_generate_data_key_pair",
    "_generate_data_key_pair_without_plaintext",
)
BLOBS = ("CiphertextBlob", "PrivateKeyCiphertextBlob")
KEY_ID_LENGTH = 36  # what MiniStack's ciphertexts begin with
SEAL_LENGTH = 16


def install():
    """Call once, before the first request."""
    for name in MAKING:
        setattr(kms, name, _sealing(getattr(kms, name)))
    kms._decrypt = _verifying(kms._decrypt)


def _sealing(original):
    """The blob of the answer with a seal at its end, made with the key that made the blob."""

    def handler(data):
        status, headers, body = original(data)
        document = json.loads(body)
        for name in BLOBS:
            blob = base64.b64decode(document.get(name) or "")
            if status == 200 and (key := _maker(blob)):
                document[name] = base64.b64encode(blob + _seal(key, blob)).decode()
        return status, headers, json.dumps(document).encode()

    return handler


def _verifying(original):
    def handler(data):
        named = kms._resolve_key(data.get("KeyId"))
        if data.get("KeyId") and named is None:
            return error_response_json("NotFoundException", f"Invalid keyId {data['KeyId']}", 400)
        if named is not None and "_symmetric_key" not in named:
            return original(data)  # what an asymmetric key made has a form of its own
        sealed = base64.b64decode(data.get("CiphertextBlob") or "")
        blob, seal = sealed[:-SEAL_LENGTH], sealed[-SEAL_LENGTH:]
        maker = _maker(blob)
        if maker is None or not hmac.compare_digest(seal, _seal(maker, blob)):
            return error_response_json("InvalidCiphertextException", "", 400)
        if named is not None and named is not maker:
            message = "The key ID in the request does not identify a CMK that can perform this operation."
            return error_response_json("IncorrectKeyException", message, 400)
        return original({**data, "CiphertextBlob": base64.b64encode(blob).decode()})

    return handler


def _maker(blob):
    """The symmetric key that made it; None for what no such key made."""
    key = kms._keys.get(blob[:KEY_ID_LENGTH].decode("latin-1"))
    return key if key and "_symmetric_key" in key else None


def _seal(key, blob):
    return hmac.digest(key["_symmetric_key"], blob, "sha256")[:SEAL_LENGTH]
