"""AppSync's DynamoDB data source: the operation the resolver asked for, run by MiniStack's own DynamoDB.

MiniStack 1.5.33 answers Query and Scan with the whole table, ignores conditions and filters and knows no BatchGetItem.
"""

import base64
import binascii
import json

import ministack.services.appsync as appsync
import ministack.services.dynamodb as dynamodb

TAGS = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}
Failure = appsync._AppSyncResolverError


def run(api_id, data_source, request, ctx):
    """What `ctx.result` becomes; a failure reaches the resolver as `ctx.error`."""
    request = request if isinstance(request, dict) else {}
    operation = OPERATIONS.get(request.get("operation"))
    if operation is None:
        raise Failure(f"The sandbox does not know the operation {request.get('operation')}", "MappingTemplate")
    return operation(data_source.get("dynamodbConfig", {}).get("tableName", ""), request)


def _get_item(table, request):
    call = {"TableName": table, "Key": _typed_map(request.get("key")), **_expressions(request, "projection")}
    call["ConsistentRead"] = bool(request.get("consistentRead"))
    return _plain_item(_call(dynamodb._get_item, call).get("Item"))


def _put_item(table, request):
    item = {**_typed_map(request.get("attributeValues")), **_typed_map(request.get("key"))}
    _call(dynamodb._put_item, {"TableName": table, "Item": item, **_expressions(request, "condition")})
    return _plain_item(item)


def _update_item(table, request):
    call = {"TableName": table, "Key": _typed_map(request.get("key")), "ReturnValues": "ALL_NEW"}
    call.update(_expressions(request, "update", "condition"))
    return _plain_item(_call(dynamodb._update_item, call).get("Attributes"))


def _delete_item(table, request):
    call = {"TableName": table, "Key": _typed_map(request.get("key")), "ReturnValues": "ALL_OLD"}
    call.update(_expressions(request, "condition"))
    return _plain_item(_call(dynamodb._delete_item, call).get("Attributes"))


def _query(table, request):
    if not request.get("query"):
        raise Failure("A Query needs a key condition", "MappingTemplate")
    call = {"TableName": table, **_page(request), **_expressions(request, "query", "filter", "projection")}
    if request.get("scanIndexForward") is not None:
        call["ScanIndexForward"] = bool(request["scanIndexForward"])
    return _items(_call(dynamodb._query, call))


def _scan(table, request):
    call = {"TableName": table, **_page(request), **_expressions(request, "filter", "projection")}
    if request.get("totalSegments"):
        call.update(Segment=request.get("segment", 0), TotalSegments=request["totalSegments"])
    return _items(_call(dynamodb._scan, call))


def _batch_get_item(_table, request):
    """Items in the order of the keys, null where there is none."""
    wanted = {}
    for table, part in (request.get("tables") or {}).items():
        wanted[table] = {
            "Keys": [_typed_map(key) for key in part.get("keys") or []],
            "ConsistentRead": bool(part.get("consistentRead")),
            **_expressions(part, "projection"),
        }
    answer = _call(dynamodb._batch_get_item, {"RequestItems": wanted})
    data, left = {}, {}
    for table, part in wanted.items():
        found = answer.get("Responses", {}).get(table, [])
        data[table] = [
            _plain_item(next((item for item in found if key.items() <= item.items()), None)) for key in part["Keys"]
        ]
        unprocessed = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        left[table] = [_plain_item(key) for key in unprocessed]
    return {"data": data, "unprocessedKeys": left}


OPERATIONS = {
    "GetItem": _get_item,
    "PutItem": _put_item,
    "UpdateItem": _update_item,
    "DeleteItem": _delete_item,
    "Query": _query,
    "Scan": _scan,
    "BatchGetItem": _batch_get_item,
}

PARAMETERS = {
    "query": "KeyConditionExpression",
    "filter": "FilterExpression",
    "condition": "ConditionExpression",
    "update": "UpdateExpression",
    "projection": "ProjectionExpression",
}


def _expressions(request, *parts):
    """AppSync's {expression, expressionNames, expressionValues} blocks as DynamoDB's parameters."""
    call: dict[str, object] = {}
    names: dict[str, str] = {}
    values: dict[str, dict] = {}
    for part in parts:
        block = request.get(part)
        if not block:
            continue
        if not block.get("expression"):
            # Ignoring what is not understood is how plain MiniStack comes to return every tenant's rows.
            raise Failure(f"The sandbox takes a {part} as an expression only", "MappingTemplate")
        call[PARAMETERS[part]] = block["expression"]
        names.update(block.get("expressionNames") or {})
        values.update(_typed_map(block.get("expressionValues")))
    if names:
        call["ExpressionAttributeNames"] = names
    if values:
        call["ExpressionAttributeValues"] = values
    return call


def _page(request):
    page = {"ConsistentRead": bool(request.get("consistentRead"))}
    for name, parameter in (("index", "IndexName"), ("limit", "Limit"), ("select", "Select")):
        if request.get(name):
            page[parameter] = request[name]
    if request.get("nextToken"):
        try:
            page["ExclusiveStartKey"] = json.loads(base64.urlsafe_b64decode(request["nextToken"]))
        except (binascii.Error, TypeError, ValueError) as error:
            raise Failure("Invalid pagination token given.", "MappingTemplate") from error
    return page


def _items(answer):
    last = answer.get("LastEvaluatedKey")
    return {
        "items": [_plain_item(item) for item in answer.get("Items", [])],
        "nextToken": base64.urlsafe_b64encode(json.dumps(last).encode()).decode() if last else None,
        "scannedCount": answer.get("ScannedCount", 0),
    }


def _call(operation, call):
    status, _headers, body = operation(call)
    answer = json.loads(body) if body else {}
    if status >= 400:
        name = str(answer.get("__type", "DynamoDbException")).rsplit("#", 1)[-1]
        raise Failure(answer.get("message") or answer.get("Message") or name, f"DynamoDB:{name}")
    return answer


def _typed_map(values):
    return {name: _typed(value) for name, value in (values or {}).items()}


def _typed(value):
    """An attribute value as it is; a bare string, number, boolean or null (the `ddb` helpers' keys) typed."""
    if isinstance(value, dict):
        if len(value) == 1 and set(value) <= TAGS:
            return value
        return {"M": _typed_map(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    if isinstance(value, list):
        return {"L": [_typed(one) for one in value]}
    return {"NULL": True} if value is None else {"S": value}


def _plain_item(item):
    return {name: _plain(value) for name, value in item.items()} if item else None


def _plain(value):
    ((tag, inner),) = value.items()
    if tag == "N":
        return _number(inner)
    if tag == "NS":
        return [_number(one) for one in inner]
    if tag == "M":
        return {name: _plain(one) for name, one in inner.items()}
    if tag == "L":
        return [_plain(one) for one in inner]
    return None if tag == "NULL" else inner


def _number(text):
    return float(text) if set(text) & set(".eE") else int(text)
