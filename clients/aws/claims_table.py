"""The published documents (table `claims`) and the last use the trigger reports (table `usage`)."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from clients.aws.errors import translated
from clients.aws.sessions import aws_client

MOST_VERSIONS = 1_000_000_000  # more changes than a client ever sees: such a version was put there by somebody


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


@dataclass(frozen=True)
class Held:
    """What stands in the table for a client: nothing, a document, or something that is none (`is_damaged`)."""

    document: Document | None
    is_damaged: bool = False

    @property
    def version(self) -> int:
        return self.document.version if self.document else 0


def put_document(region: str, table: str, document: Document, *, over: bool = False) -> Held | None:
    """Writes unless the table already holds this version or a newer one; `over`: whatever it holds.

    None when it is written; else what stands there instead: late and repeated puts are harmless, and whether this one
    was is for the caller to see.
    """
    item = {
        "client_id": {"S": document.client_id},
        "version": {"N": str(document.version)},
        "state": {"S": document.state},
        "claims": {"S": document.claims},
        "digest": {"S": document.digest},
    }
    condition: dict[str, Any] = {
        "ConditionExpression": "attribute_not_exists(version) OR version < :version",
        "ExpressionAttributeValues": {":version": item["version"]},
    }
    with translated("put_item"):
        try:
            aws_client("dynamodb", region).put_item(TableName=table, Item=item, **({} if over else condition))
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
    return look_up(region, table, document.client_id)


def look_up(region: str, table: str, client_id: str) -> Held:
    with translated("get_item"):
        answer = aws_client("dynamodb", region).get_item(
            TableName=table, Key={"client_id": {"S": client_id}}, ConsistentRead=True
        )
    item: dict[str, Any] | None = answer.get("Item")
    if item is None:
        return Held(None)
    try:
        found = Document(client_id, int(item["version"]["N"]), item["state"]["S"], item["claims"]["S"])
        is_ours = item["digest"]["S"] == found.digest and 0 < found.version < MOST_VERSIONS
    except (KeyError, TypeError, ValueError):
        is_ours = False
    return Held(found) if is_ours else Held(None, is_damaged=True)


@dataclass(frozen=True)
class Usage:
    """What the trigger noted: when the last token went out, how many on each UTC day, as `20261123`, and the ending of
    the secret the caller last reported."""

    last_issued_at: datetime | None
    per_day: dict[str, int]
    reported_ending: str = ""


def usage_of(region: str, table: str, client_id: str) -> Usage:
    with translated("get_item"):
        answer = aws_client("dynamodb", region).get_item(TableName=table, Key={"client_id": {"S": client_id}})
    item = answer.get("Item", {})
    numbers = {name: int(float(held["N"])) for name, held in item.items() if "N" in held}
    seconds = numbers.get("last_issued_at")
    per_day = {name[2:]: count for name, count in numbers.items() if re.fullmatch(r"d_\d{8}", name, re.ASCII)}
    reported = str(item.get("reported_ending", {}).get("S", ""))[:4]
    return Usage(datetime.fromtimestamp(seconds, UTC) if seconds else None, per_day, reported)
