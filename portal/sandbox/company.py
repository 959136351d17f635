"""Harbourline's AWS account in the sandbox: pool, trigger, tables, AppSync API. Building it again changes nothing."""

import json
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from clients import edge
from clients.aws import trigger_installer

REGION = "eu-west-1"
POOL_NAME = "harbourline"
DOMAIN = "harbourline-demo"
CLAIMS_TABLE, USAGE_TABLE = "claims", "usage"
ROLE = "arn:aws:iam::000000000000:role/claims-trigger"
TENANT_CLAIM = "tenant_id"

SCOPES = {
    "orders": {"read": "Read orders", "write": "Create and change orders", "cancel": "Cancel orders"},
    "shipments": {
        "read": "Read shipments",
        "write": "Create and change shipments",
        "track": "Follow a shipment on its way",
        "label": "Print shipping labels",
    },
}
SCHEMA = """
type Order { tenant: String! id: ID! status: String item: String quantity: Int }
type Shipment { tenant: String! id: ID! status: String carrier: String destination: String }
type OrderPage { items: [Order!]! nextToken: String }
type ShipmentPage { items: [Shipment!]! nextToken: String }
type Query {
  orders(nextToken: String): OrderPage
  shipments(nextToken: String): ShipmentPage
}
"""
EXAMPLE_CALLS = {
    "orders": "query { orders { items { id tenant status item quantity } } }",
    "shipments": "query { shipments { items { id tenant status carrier destination } } }",
}
# Per tenant: a prefix of the ids, then what the company trades with it.
TRADE = {
    "northwind": ("NW", ["Tea chests", "Filter coffee", "Raw sugar", "Cocoa beans"]),
    "acme-robotics": ("AR", ["Servo motors", "Gear boxes", "Lidar units"]),
    "harbour-foods": ("HF", ["Smoked herring", "Rye flour", "Sea salt", "Canned mussels", "Kelp"]),
}
ORDER_STATUS = ["open", "packed", "shipped"]
CARRIERS = [("Nordlicht Express", "Hamburg"), ("Blue Anchor", "Rotterdam"), ("Tidewater", "Gdansk")]


class SandboxSession(boto3.Session):
    """A session whose clients cannot reach anything but the sandbox."""

    def __init__(self, endpoint):
        super().__init__("test", "test", region_name=REGION)
        self.endpoint = endpoint

    def client(self, *args: Any, **options: Any) -> Any:
        return super().client(*args, endpoint_url=self.endpoint, **options)


class Company:
    """What stands behind one endpoint."""

    def __init__(self, endpoint):
        self.endpoint = endpoint.rstrip("/")
        self.session = SandboxSession(self.endpoint)
        self.dynamodb = self.session.client("dynamodb")
        self.cognito = self.session.client("cognito-idp")
        self.appsync = self.session.client("appsync")

    def build(self):
        """Everything exists afterwards; what was there is kept. Returns where to find it."""
        for name, keys in self.tables().items():
            self._have_table(name, keys)
        self._have_rows()
        pool_id = self._have_pool()
        for identifier in SCOPES:
            self._have_resource_server(pool_id, identifier)
        trigger_installer.install(
            self.session,
            user_pool_id=pool_id,
            claims_table=CLAIMS_TABLE,
            usage_table=USAGE_TABLE,
            role_arn=ROLE,
            mode="observe",
            source=edge.TRIGGER_SOURCE.read_text(encoding="utf-8"),
        )
        return self.addresses(pool_id, self._have_api(pool_id))

    def addresses(self, pool_id, api_id):
        """Where a script finds everything; the port may differ from the last start."""
        return {
            "sandbox_endpoint": self.endpoint,
            "region": REGION,
            "user_pool_id": pool_id,
            "token_url": f"{self.endpoint}/_domain/{DOMAIN}/oauth2/token",
            "jwks_url": f"{self.endpoint}/{pool_id}/.well-known/jwks.json",
            "graphql_url": f"{self.endpoint}/v1/apis/{api_id}/graphql",
            "graphql_api_id": api_id,
            "tables": {name: name for name in self.tables()},
        }

    @staticmethod
    def tables():
        trade = dict.fromkeys(SCOPES, ["tenant", "id"])
        return {CLAIMS_TABLE: ["client_id"], USAGE_TABLE: ["client_id"], **trade}

    def _have_table(self, name, keys):
        try:  # a list of tables would be pages of a hundred
            self.dynamodb.describe_table(TableName=name)
            return
        except self.dynamodb.exceptions.ResourceNotFoundException:
            pass
        kinds = ["HASH", "RANGE"][: len(keys)]
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=True)],
        )

    def _have_rows(self):
        for tenant, (prefix, items) in TRADE.items():
            for number, item in enumerate(items):
                self._have_row("orders", order(tenant, f"{prefix}-{1001 + number}", number, item))
            for number in range(3):
                self._have_row("shipments", shipment(tenant, f"{prefix}-S{501 + number}", number))

    def _have_row(self, table, item):
        try:
            self.dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(id)")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def _have_pool(self):
        cognito = self.cognito
        pools = cognito.get_paginator("list_user_pools").paginate(MaxResults=60)
        found = [pool["Id"] for page in pools for pool in page["UserPools"] if pool["Name"] == POOL_NAME]
        if found:
            pool_id = found[0]
        else:
            pool_id = cognito.create_user_pool(
                PoolName=POOL_NAME,
                UserPoolTier="ESSENTIALS",  # Lite has no access token customisation (cognito_facts section 5)
                AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
            )["UserPool"]["Id"]
        if not cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"].get("Domain"):
            cognito.create_user_pool_domain(Domain=DOMAIN, UserPoolId=pool_id)
        return pool_id

    def _have_resource_server(self, pool_id, identifier):
        cognito = self.cognito
        try:
            cognito.describe_resource_server(UserPoolId=pool_id, Identifier=identifier)
        except cognito.exceptions.ResourceNotFoundException:
            scopes = [{"ScopeName": name, "ScopeDescription": text} for name, text in SCOPES[identifier].items()]
            cognito.create_resource_server(
                UserPoolId=pool_id, Identifier=identifier, Name=f"{identifier.capitalize()} API", Scopes=scopes
            )

    def _have_api(self, pool_id):
        appsync = self.appsync
        found = [api["apiId"] for api in appsync.list_graphql_apis()["graphqlApis"] if api["name"] == POOL_NAME]
        api_id = found[0] if found else self._create_api(appsync, pool_id)
        have_data_sources(appsync, api_id)
        functions = have_functions(appsync, api_id)
        have_resolvers(appsync, api_id, functions)
        return api_id

    @staticmethod
    def _create_api(appsync, pool_id):
        api_id = appsync.create_graphql_api(
            name=POOL_NAME,
            authenticationType="AMAZON_COGNITO_USER_POOLS",
            userPoolConfig={"userPoolId": pool_id, "awsRegion": REGION, "defaultAction": "ALLOW"},
        )["graphqlApi"]["apiId"]
        appsync.start_schema_creation(apiId=api_id, definition=SCHEMA.encode())
        return api_id

    def had_tokens(self, client_id, per_day):
        """A month of use as the trigger would have noted it: `per_day` tokens, fewer at weekends, none noted today."""
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=ago) for ago in range(1, 30)]
        counts = {f"d_{day:%Y%m%d}": per_day * (3 if day.weekday() < 5 else 2) // 3 + day.day % 5 for day in days}
        self.dynamodb.update_item(
            TableName=USAGE_TABLE,
            Key={"client_id": {"S": client_id}},
            UpdateExpression="ADD " + ", ".join(f"#{name} :{name}" for name in counts),
            ExpressionAttributeNames={f"#{name}": name for name in counts},
            ExpressionAttributeValues={f":{name}": {"N": str(count)} for name, count in counts.items()},
        )

    def refuse_next(self, operation, state_dir):
        """The next call of `operation` is throttled; for a client that has to stand as *Creating*."""
        token = (state_dir / "control-token").read_text().strip()
        request = urllib.request.Request(
            f"{self.endpoint}/_sandbox/faults",
            json.dumps([{"operation": operation, "kind": "throttle"}]).encode(),
            {"X-Sandbox-Token": token, "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()


def order(tenant, id_, number, item):
    return {
        "tenant": {"S": tenant},
        "id": {"S": id_},
        "status": {"S": ORDER_STATUS[number % len(ORDER_STATUS)]},
        "item": {"S": item},
        "quantity": {"N": str(12 * (number + 1))},
    }


def shipment(tenant, id_, number):
    carrier, destination = CARRIERS[number]
    return {
        "tenant": {"S": tenant},
        "id": {"S": id_},
        "status": {"S": ["labelled", "on its way", "delivered"][number]},
        "carrier": {"S": carrier},
        "destination": {"S": destination},
    }


def have_data_sources(appsync, api_id):
    existing = {source["name"] for source in appsync.list_data_sources(apiId=api_id)["dataSources"]}
    if "nothing" not in existing:
        appsync.create_data_source(apiId=api_id, name="nothing", type="NONE")
    for table in SCOPES.keys() - existing:
        config = {"tableName": table, "awsRegion": REGION}
        appsync.create_data_source(
            apiId=api_id, name=table, type="AMAZON_DYNAMODB", serviceRoleArn=ROLE, dynamodbConfig=config
        )


def have_functions(appsync, api_id):
    """Function ids by name: the tenant from the verified claim, then the tenant's rows of one table."""
    existing = {item["name"]: item["functionId"] for item in appsync.list_functions(apiId=api_id)["functions"]}
    for table in SCOPES:
        claim = edge.render("tenant_from_claim.js", claim=TENANT_CLAIM, required_scope=f"{table}/read")
        wanted = {f"{table}_tenant": ("nothing", claim), f"{table}_rows": (table, edge.render("query_by_tenant.js"))}
        for name, (source, code) in wanted.items():
            if name not in existing:
                created = appsync.create_function(
                    apiId=api_id, name=name, dataSourceName=source, runtime=javascript(), code=code
                )
                existing[name] = created["functionConfiguration"]["functionId"]
    return existing


def have_resolvers(appsync, api_id, functions):
    existing = {item["fieldName"] for item in appsync.list_resolvers(apiId=api_id, typeName="Query")["resolvers"]}
    for table in SCOPES.keys() - existing:
        appsync.create_resolver(
            apiId=api_id,
            typeName="Query",
            fieldName=table,
            kind="PIPELINE",
            runtime=javascript(),
            code=edge.render("pipeline.js"),
            pipelineConfig={"functions": [functions[f"{table}_tenant"], functions[f"{table}_rows"]]},
        )


def javascript():
    return {"name": "APPSYNC_JS", "runtimeVersion": "1.0.0"}


def get_token(token_url, client_id, secret, scope):
    """What a customer's server does: an access token by client credentials."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
    request = urllib.request.Request(token_url, urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"]


def wait_until_up(endpoint, seconds=30.0):
    """True once the sandbox answers, False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):
                return True
        except OSError:
            time.sleep(0.1)
    return False
