"""What a request asks for, read from its headers and body: the name of the operation and what it is about."""

import json
import re
from urllib.parse import parse_qs

from portal.sandbox.control import Call

TOKEN_PATH = re.compile(r"/_domain/([^/]+)/oauth2/token")
CREDENTIAL = re.compile(rb"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
SERVICES = {"AWSCognitoIdentityProviderService": "cognito-idp", "TrentService": "kms", "Logs_20140328": "logs"}
NAMES = {"POST /v2/email/outbound-emails": "SendEmail"}  # of what names no operation but has a path


def read(method, path, headers, body):
    """The `Call` of one request."""
    target = headers.get(b"x-amz-target", b"").decode("latin-1")
    if TOKEN_PATH.fullmatch(path):
        return Call("Token", "cognito-idp")
    if target:
        prefix, _, operation = target.rpartition(".")
        service = SERVICES.get(prefix, prefix.partition("_")[0].lower())
        return Call(operation, service, **_subject(body))
    credential = CREDENTIAL.search(headers.get(b"authorization", b""))
    service = credential.group(1).decode("latin-1") if credential else "http"
    name = f"{method} {path}"
    return Call(_action(body) or NAMES.get(name, name), service)


def _subject(body):
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    names = {"pool": "UserPoolId", "app_client": "ClientId", "table": "TableName"}
    return {name: document[member] for name, member in names.items() if isinstance(document.get(member), str)}


def _action(body):
    """The query protocol (IAM, STS, CloudFormation, SES) names its action in the form."""
    if not body.startswith((b"Action=", b"Version=")) and b"&Action=" not in body[:4096]:
        return None
    return parse_qs(body.decode("latin-1")).get("Action", [None])[0]
