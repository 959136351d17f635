"""The trigger's handler, warm, beside a naive one that does the same two calls and builds its client each time: CPU."""

import json
import os
import time
from collections.abc import Iterator

import boto3

from tests.support import REGION, World

CALLS = 60


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    os.environ |= {
        "CLAIMS_TABLE": world.pool.claims_table,
        "USAGE_TABLE": world.pool.usage_table,
        "TRIGGER_MODE": "observe",
    }
    from clients.edge import claims_trigger

    event = {
        "version": "3",
        "triggerSource": "TokenGeneration_ClientCredentials",
        "region": REGION,
        "userPoolId": world.pool.user_pool_id,
        "userName": "ClientCredentials",
        "callerContext": {"clientId": world.create(name="measured").client_id},
        "request": {"userAttributes": {}, "scopes": ["orders/read"], "clientMetadata": {}},
        "response": {"claimsAndScopeOverrideDetails": None},
    }

    def naive(event: dict) -> None:
        client = boto3.client("dynamodb", region_name=REGION)
        key = {"client_id": {"S": event["callerContext"]["clientId"]}}
        item = client.get_item(TableName=world.pool.claims_table, Key=key)["Item"]
        json.loads(item["claims"]["S"])
        client.update_item(
            TableName=world.pool.usage_table,
            Key=key,
            UpdateExpression="SET last_issued_at = :now",
            ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
        )

    ours = _cpu(lambda: claims_trigger.handler(json.loads(json.dumps(event)), None))
    theirs = _cpu(lambda: naive(json.loads(json.dumps(event))))
    yield "trigger CPU per call: warm handler / naive one", ours / theirs, "at most 0.1", ours / theirs <= 0.1


def _cpu(call) -> float:
    call()
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - start) / CALLS
