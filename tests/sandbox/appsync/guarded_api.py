"""One AppSync API over a table with two tenants' rows, and tokens signed with its pool's own key."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

import boto3
import jwt

from clients import edge

REGION = "eu-west-1"
SESSION = boto3.Session(region_name=REGION)
SCOPE = "orders/read"
ROWS = [("acme", "1"), ("acme", "2"), ("globex", "3")]

SCHEMA = """
type Row { tenant: String, id: String }
type Page { items: [Row], nextToken: String }
type Query {
  rows(nextToken: String): Page
  lookedUp(nextToken: String): Page
  leaky: Page
  filtered: Page
  batch: AWSJSON
  one(tenant: String, id: String): Row
  identity: AWSJSON
  order: AWSJSON
  grouped: AWSJSON @aws_auth(cognito_groups: ["staff"])
}
type Mutation { put(id: String): Row }
"""

JS = {"Name": "APPSYNC_JS", "RuntimeVersion": "1.0.0"}
RESULT = (
    "export function response(ctx) { if (ctx.error) util.error(ctx.error.message, ctx.error.type); return ctx.result; }"
)
IMPORT = "import { util } from '@aws-appsync/utils';\n"


def unit(operation):
    """A unit resolver that sends one fixed operation."""
    return f"{IMPORT}export function request(ctx) {{ return {operation}; }}\n{RESULT}"


UNITS = {
    ("Query", "leaky"): ("rows", unit("{operation: 'Scan'}")),
    ("Query", "filtered"): (
        "rows",
        unit(
            "{operation: 'Scan', filter: {expression: '#i > :i', expressionNames: {'#i': 'id'},"
            " expressionValues: {':i': {S: '1'}}}}"
        ),
    ),
    ("Query", "batch"): (
        "rows",
        unit(
            "{operation: 'BatchGetItem', tables: {'ROWS': {keys: [{tenant: {S: 'globex'}, id: {S: '3'}},"
            " {tenant: {S: 'acme'}, id: {S: '9'}}]}}}"
        ),
    ),
    ("Query", "one"): ("rows", unit("{operation: 'GetItem', key: util.dynamodb.toMapValues(ctx.args)}")),
    ("Query", "identity"): ("nothing", unit("{payload: JSON.stringify(ctx.identity)}")),
    ("Query", "grouped"): ("nothing", unit("{payload: '{}'}")),
    ("Mutation", "put"): (
        "rows",
        unit(
            "{operation: 'PutItem', key: {tenant: {S: 'acme'}, id: {S: ctx.args.id}}, attributeValues: {},"
            " condition: {expression: 'attribute_not_exists(id)'}}"
        ),
    ),
}

STEP = """
export function request(ctx) { ctx.stash.seen.push('NAME got ' + ctx.prev.result); return {payload: 'NAME'}; }
export function response(ctx) { return ctx.result; }
"""
BEFORE_AND_AFTER = """
export function request(ctx) { ctx.stash.seen = ['before']; return {}; }
export function response(ctx) { return JSON.stringify(ctx.stash.seen.concat(['after got ' + ctx.prev.result])); }
"""


def template(api):
    """The API's parts as a stack: sources, functions, unit and pipeline resolvers."""
    table = {"AwsRegion": REGION}
    parts = {"nothing": ("DataSource", {"Name": "nothing", "Type": "NONE"})}
    for name, target in (("rows", api.rows), ("claims", api.claims_table)):
        config = {"TableName": target, **table}
        parts[name] = ("DataSource", {"Name": name, "Type": "AMAZON_DYNAMODB", "DynamoDBConfig": config})
    functions = {
        "fromclaim": ("nothing", edge.render("tenant_from_claim.js", claim="tenant_id", required_scope=SCOPE)),
        "fromlookup": ("claims", edge.render("tenant_from_lookup.js", claim="tenant_id", required_scope=SCOPE)),
        "query": ("rows", edge.render("query_by_tenant.js", limit=1)),
        "first": ("nothing", STEP.replace("NAME", "first")),
        "second": ("nothing", STEP.replace("NAME", "second")),
    }
    for name, (source, code) in functions.items():
        ref = {"Fn::GetAtt": [source, "Name"]}
        parts[name] = ("FunctionConfiguration", {"Name": name, "DataSourceName": ref, "Runtime": JS, "Code": code})
    for (type_name, field), (source, code) in UNITS.items():
        props = {"DataSourceName": source, "Kind": "UNIT", "Code": code.replace("ROWS", api.rows)}
        parts[field] = ("Resolver", {"TypeName": type_name, "FieldName": field, "Runtime": JS, **props})
    pipelines = {
        "rows": (["fromclaim", "query"], edge.render("pipeline.js")),
        "lookedUp": (["fromlookup", "query"], edge.render("pipeline.js")),
        "order": (["first", "second"], BEFORE_AND_AFTER),
    }
    for field, (steps, code) in pipelines.items():
        config = {"Functions": [{"Fn::GetAtt": [step, "FunctionId"]} for step in steps]}
        props = {"TypeName": "Query", "FieldName": field, "Kind": "PIPELINE", "PipelineConfig": config}
        parts[f"{field}Pipeline"] = ("Resolver", {**props, "Runtime": JS, "Code": code})
    return {"Resources": resources(parts, {"ApiId": api.id})}


def resources(parts, shared):
    """Each part as a resource; resolvers wait for the sources they name."""
    made = {}
    for name, (kind, props) in parts.items():
        made[name] = {"Type": f"AWS::AppSync::{kind}", "Properties": {**shared, **props}}
        if kind == "Resolver":
            made[name]["DependsOn"] = ["nothing", "rows", "claims"]
    return made


class GuardedApi:
    """The API on one endpoint; `state_dir` is where that endpoint keeps its pools' signing keys."""

    def __init__(self, endpoint, state_dir):
        self.endpoint, self.state_dir = endpoint.rstrip("/"), Path(state_dir)
        self.name = f"w{uuid4().hex[:10]}"
        self.rows, self.claims_table = f"{self.name}-rows", f"{self.name}-claims"
        self.pool_id = self.aws("cognito-idp").create_user_pool(PoolName=self.name)["UserPool"]["Id"]
        self.app_client_id = uuid4().hex[:26]
        self.issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{self.pool_id}"
        self.public_keys(self.pool_id)
        self._create_tables()
        self.id = self._create_api()
        self.stack = self.aws("cloudformation").create_stack(
            StackName=self.name, TemplateBody=json.dumps(template(self))
        )["StackId"]
        self.aws("cloudformation").get_waiter("stack_create_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )

    def aws(self, service):
        return SESSION.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def _create_tables(self):
        dynamodb = self.aws("dynamodb")
        for name, keys in ((self.rows, ["tenant", "id"]), (self.claims_table, ["client_id"])):
            dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        for tenant, id_ in ROWS:
            dynamodb.put_item(TableName=self.rows, Item={"tenant": {"S": tenant}, "id": {"S": id_}})

    def _create_api(self):
        appsync = self.aws("appsync")
        api_id = appsync.create_graphql_api(
            name=self.name,
            authenticationType="AMAZON_COGNITO_USER_POOLS",
            userPoolConfig={"userPoolId": self.pool_id, "awsRegion": REGION, "defaultAction": "ALLOW"},
        )["graphqlApi"]["apiId"]
        appsync.start_schema_creation(apiId=api_id, definition=SCHEMA.encode())
        return api_id

    def configure(self, providers=(), **config):
        """Change the API's user pool configuration."""
        base = {"userPoolId": self.pool_id, "awsRegion": REGION, "defaultAction": "ALLOW"}
        self.aws("appsync").update_graphql_api(
            apiId=self.id,
            name=self.name,
            authenticationType="AMAZON_COGNITO_USER_POOLS",
            userPoolConfig={**base, **config},
            additionalAuthenticationProviders=list(providers),
        )

    def public_keys(self, pool_id):
        """The pool's key set; asking for it makes the keys, which appear in the state directory."""
        with urllib.request.urlopen(f"{self.endpoint}/{pool_id}/.well-known/jwks.json") as answer:
            return json.load(answer)["keys"]

    def row_count(self):
        return self.aws("dynamodb").scan(TableName=self.rows, Select="COUNT")["Count"]

    def publish(self, state="active", **claims):
        """The app client's document in the claims table."""
        item = {"client_id": {"S": self.app_client_id}, "state": {"S": state}, "claims": {"S": json.dumps(claims)}}
        self.aws("dynamodb").put_item(TableName=self.claims_table, Item=item)

    def token(self, *, signed_by="access", pool_id=None, **claims):
        """A machine token as the pool would issue it, with `claims` on top; None removes a claim."""
        now = int(time.time())
        body = {
            "sub": self.app_client_id,
            "client_id": self.app_client_id,
            "iss": self.issuer,
            "token_use": "access",
            "scope": SCOPE,
            "iat": now,
            "exp": now + 3600,
            "tenant_id": "acme",
            **claims,
        }
        body = {name: value for name, value in body.items() if value is not None}
        pool_id = pool_id or self.pool_id
        key = (self.state_dir / "cognito-pool-keys" / f"{pool_id}-{signed_by}.pem").read_bytes()
        kid = self.public_keys(pool_id)[0 if signed_by == "access" else 1]["kid"]
        return jwt.encode(body, key, algorithm="RS256", headers={"kid": kid})

    def ask(self, query, token=None, headers=None):
        """(status, answer) of a GraphQL request."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            headers["Authorization"] = token
        request = urllib.request.Request(
            f"{self.endpoint}/v1/apis/{self.id}/graphql", json.dumps({"query": query}).encode(), headers
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
