"""Data keys of KMS, for sealing without a key of one's own on the machine."""

from botocore.exceptions import ClientError

from clients import sealing
from clients.aws.errors import translated
from clients.aws.sessions import aws_client
from clients.errors import SealBroken
from clients.sealing import KmsKey


def _region(key: KmsKey) -> str:
    return key.arn.split(":")[3]


def new_data_key(key: KmsKey, binding: str) -> tuple[bytes, bytes]:
    """(the plain key of 32 bytes, the same wrapped by KMS). The binding is its encryption context, so that KMS itself
    refuses it for another row. Source: KMS API, GenerateDataKey."""
    with translated("generate_data_key"):
        answer = aws_client("kms", _region(key)).generate_data_key(
            KeyId=key.arn, KeySpec="AES_256", EncryptionContext={"binding": binding}
        )
    return answer["Plaintext"], answer["CiphertextBlob"]


def open_data_key(key: KmsKey, wrapped: bytes, binding: str) -> bytes:
    """Raises SealBroken for a wrapped key of another row or another KMS key, AwsError when KMS does not answer."""
    with translated("decrypt"):
        try:
            answer = aws_client("kms", _region(key)).decrypt(
                KeyId=key.arn, CiphertextBlob=wrapped, EncryptionContext={"binding": binding}
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise SealBroken("KMS does not open this sealed secret. Rotate it.", technical="decrypt") from None
            raise
    return bytes(answer["Plaintext"])


sealing.new_data_key, sealing.open_data_key = new_data_key, open_data_key
