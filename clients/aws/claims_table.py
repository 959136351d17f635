"""The published documents (table `claims`) and the last use the trigger reports (table `usage`)."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from clients.aws.errors import translated
from clients.aws.sessions import aws_client


@dataclass(frozen=True)
class Document:
    """What the trigger reads for one client. `claims` is a JSON object as text; `state` active, paused or deleted."""

    client_id: str
    version: int
    state: str
    claims: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.client_id}\n{self.version}\n{self.state}\n{self.claims}".encode()).hexdigest()


def put_document(region: str, table: str, document: Document) -> None:
    """Writes unless the table already holds this version or a newer one: late and repeated puts are harmless."""
    item = {
        "client_id": {"S": document.client_id},
        "version": {"N": str(document.version)},
        "state": {"S": document.state},
        "claims": {"S": document.claims},
        "digest": {"S": document.digest},
    }
    with translated("put_item"):
        try:
            aws_client("dynamodb", region).put_item(
                TableName=table,
                Item=item,
                ConditionExpression="attribute_not_exists(version) OR version < :version",
                ExpressionAttributeValues={":version": item["version"]},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def get_document(region: str, table: str, client_id: str) -> Document | None:
    with translated("get_item"):
        answer = aws_client("dynamodb", region).get_item(
            TableName=table, Key={"client_id": {"S": client_id}}, ConsistentRead=True
        )
    item: dict[str, Any] | None = answer.get("Item")
    if item is None:
        return None
    return Document(client_id, int(item["version"]["N"]), item["state"]["S"], item["claims"]["S"])


def last_issued_at(region: str, table: str, client_id: str) -> datetime | None:
    """When the trigger last let a token out for this client, or None."""
    with translated("get_item"):
        answer = aws_client("dynamodb", region).get_item(TableName=table, Key={"client_id": {"S": client_id}})
    seconds = answer.get("Item", {}).get("last_issued_at", {}).get("N")
    return datetime.fromtimestamp(int(float(seconds)), UTC) if seconds else None
