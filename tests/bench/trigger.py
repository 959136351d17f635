"""The trigger's handler, warm, beside a naive one that does the same two calls and builds its client each time: CPU."""

import gc
import json
import os
import statistics
import time
from collections.abc import Iterator

import boto3

from tests.support import REGION, World

CALLS, ROUNDS = 60, 5


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

    acts = (lambda: claims_trigger.handler(json.loads(json.dumps(event)), None), lambda: naive(event))
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):  # in turns, so that what else the machine does falls on both
        for act, measured in zip(acts, samples, strict=True):
            measured.append(_cpu(act))
    ours, theirs = (statistics.median(measured) for measured in samples)
    yield "trigger CPU per call: warm handler / naive one", ours / theirs, "at most 0.1", ours / theirs <= 0.1


def _cpu(call) -> float:
    gc.collect()  # what the other one left is not this one's work
    call()
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - start) / CALLS
