"""What the sandbox's tests speak with: boto3, the token endpoint, the control paths, and pools ready to use."""

import base64
import io
import json
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from functools import cached_property
from uuid import uuid4

import boto3
import jwt
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "eu-west-1"
MACHINE = {
    "GenerateSecret": True,
    "AllowedOAuthFlows": ["client_credentials"],
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthScopes": ["orders/read", "orders/write"],
}
SCOPES = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
ECHO = """
def handler(event, context):
    import json
    event["response"]["claimsAndScopeOverrideDetails"] = {"accessTokenGeneration": {
        "claimsToAddOrOverride": {"seen": json.dumps(event), "sub": "someone else", "cognito:groups": ["admins"],
                                  "tenant_id": "acme", "both": 1, "aud": "another", "limits": {"day": 5}},
        "claimsToSuppress": ["jti", "both"],
        "scopesToAdd": ["extra/scope", "two words"], "scopesToSuppress": ["orders/write"]}}
    return event
"""
REFUSING = """
def handler(event, context):
    raise Exception("No document for this client")
"""


class Kit:
    """One local AWS, and shorthand for what tests do with it."""

    def __init__(self, endpoint, state_dir, token_path=None):
        self.endpoint, self.state_dir, self._token_path = endpoint, state_dir, token_path

    def client(self, service, **options):
        options.setdefault("retries", {"total_max_attempts": 1})
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, config=Config(**options), **keys)

    @cached_property
    def cognito(self):
        return self.client("cognito-idp", read_timeout=10)

    @cached_property
    def unsigned(self):
        return self.client("cognito-idp", signature_version=UNSIGNED)

    def pool(self, **options):
        domain = f"d{uuid4().hex[:12]}"
        pool_id = self.cognito.create_user_pool(PoolName="orders", **options)["UserPool"]["Id"]
        self.cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=domain)
        self.cognito.create_resource_server(UserPoolId=pool_id, Identifier="orders", Name="Orders", Scopes=SCOPES)
        return Pool(self, pool_id, domain)

    def token_path(self, domain):
        return self._token_path or f"/_domain/{domain}/oauth2/token"

    def function(self, source):
        """A Lambda function of this source; its ARN."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("code.py", source)
        created = self.client("lambda").create_function(
            FunctionName=f"f{uuid4().hex[:8]}",
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/r",
            Handler="code.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=5,
        )
        return created["FunctionArn"]

    def control(self, method, path, document=None, token=None):
        token = token or (self.state_dir / "control-token").read_text()
        headers = {"X-Sandbox-Token": token}
        status, text, _ = self.http(method, path, json.dumps(document).encode(), headers)
        if status != 200:
            raise AssertionError(f"{status} {text}")
        return json.loads(text)

    def fault(self, operation, kind, **options):
        self.control("POST", "/_sandbox/faults", [{"operation": operation, "kind": kind, **options}])

    def hold_writes(self, seconds):
        """How long a write holds its pool; plain MiniStack has no such thing."""
        if self._token_path is None:
            self.control("POST", "/_sandbox/settings", {"write_hold_seconds": seconds})

    def http(self, method, path, body=None, headers=None):
        request = urllib.request.Request(self.endpoint + path, body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers


@dataclass
class Pool:
    kit: Kit
    id: str
    domain: str

    def create(self, **options):
        wanted = {"ClientName": "robot", **MACHINE, **options}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        return self.call("create_user_pool_client", **wanted)["UserPoolClient"]

    def call(self, operation, **options):
        return getattr(self.kit.cognito, operation)(UserPoolId=self.id, **options)

    def secrets(self, robot):
        return self.call("list_user_pool_client_secrets", ClientId=robot["ClientId"])["ClientSecrets"]

    def token(self, robot, secret=None, *, basic=False, **form):
        """Status and document of the token endpoint."""
        secret = secret or robot["ClientSecret"]
        fields = {"grant_type": "client_credentials", **form}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:
            pair = f"{robot['ClientId']}:{secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            fields |= {"client_id": robot["ClientId"], "client_secret": secret}
        fields = {name: value for name, value in fields.items() if value is not None}
        body = urllib.parse.urlencode(fields).encode()
        status, text, _ = self.kit.http("POST", self.kit.token_path(self.domain), body, headers)
        return status, json.loads(text)

    def claims(self, robot, **form):
        """The verified claims of a fresh token."""
        status, document = self.token(robot, **form)
        assert status == 200, document
        return self.verified(document["access_token"])

    def verified(self, token):
        keys = json.loads(self.kit.http("GET", f"/{self.id}/.well-known/jwks.json")[1])["keys"]
        kid = jwt.get_unverified_header(token)["kid"]
        key = jwt.PyJWK(next(each for each in keys if each["kid"] == kid))
        return jwt.decode(token, key.key, algorithms=["RS256"], options={"verify_aud": False})

    def set_trigger(self, source):
        configured = {"LambdaVersion": "V3_0", "LambdaArn": self.kit.function(source)}
        self.call("update_user_pool", LambdaConfig={"PreTokenGenerationConfig": configured})


def code_of(act, *arguments, **options):
    """The error code AWS refuses the call with; None when it is not refused."""
    try:
        act(*arguments, **options)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def message_of(act, *arguments, **options):
    """The message AWS refuses the call with."""
    try:
        act(*arguments, **options)
    except ClientError as error:
        return error.response["Error"]["Message"]
    return None
