"""Data keys of KMS, for sealing without a key of one's own on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from clients import sealing
from clients.aws.errors import translated
from clients.aws.sessions import aws_client
from clients.errors import NotFound, OutcomeUnknown, SealBroken, Throttled
from clients.sealing import KmsKey

# What KMS answers for a ciphertext of another key, another context or with a changed bit.
NOT_OURS = ("InvalidCiphertextException", "IncorrectKeyException")


def _region(key: KmsKey) -> str | None:
    """None: the one boto3 finds, in AWS_DEFAULT_REGION for example."""
    return key.name.split(":")[3] if key.name.startswith("arn:") else None


def new_data_key(key: KmsKey, binding: str) -> tuple[bytes, bytes]:
    """(the plain key of 32 bytes, the same wrapped by KMS). The binding is its encryption context, so that KMS itself
    refuses it for another row. https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html"""
    with _asking("generate_data_key"):
        answer = aws_client("kms", _region(key)).generate_data_key(
            KeyId=key.name, KeySpec="AES_256", EncryptionContext={"binding": binding}
        )
    return answer["Plaintext"], answer["CiphertextBlob"]


def open_data_key(key: KmsKey, wrapped: bytes, binding: str) -> bytes:
    """Raises SealBroken for a wrapped key of another row or another KMS key, AwsError when KMS does not answer or may
    not be used. The key is named, so that one of a stranger opens nothing here.
    https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html"""
    with _asking("decrypt"):
        answer = aws_client("kms", _region(key)).decrypt(
            KeyId=key.name, CiphertextBlob=wrapped, EncryptionContext={"binding": binding}
        )
    return bytes(answer["Plaintext"])


@contextmanager
def _asking(operation: str) -> Iterator[None]:
    try:
        with translated(operation):
            try:
                yield
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in NOT_OURS:
                    raise SealBroken("KMS does not open this sealed secret. Rotate it.", technical=code) from None
                if code == "NotFoundException":  # KMS's own spelling of it
                    raise NotFound("AWS does not know the KMS key that SEALING_KEYS names.", technical=code) from None
                raise
    except OutcomeUnknown as error:
        # Neither call changes anything in AWS, so there is nothing to be unsure about.
        raise Throttled("KMS does not answer just now. Try again soon.", technical=error.technical) from None


sealing.new_data_key, sealing.open_data_key = new_data_key, open_data_key
