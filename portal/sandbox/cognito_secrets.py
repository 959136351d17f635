"""The two secrets of an app client. `cognito_facts.md` section 2."""

import hmac
import secrets
import string
import threading
import time

from ministack.core.responses import json_response

from portal.sandbox.cognito_rules import Refused, invalid
from portal.sandbox.control import SETTINGS

MOST = 2
GENERATED_LENGTH = 51

# Each request has a thread of its own: two at once must not both find room for a second secret.
_counting = threading.Lock()


def generated():
    """A value like those Cognito makes: within its own `[\\w+]+`, which MiniStack's are not."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(GENERATED_LENGTH))


def keep(app_client, value, *, delay=0.0):
    """Give the app client this secret. Returns its row, whose id embeds the second of its creation."""
    now = time.time()
    # Two in one second would share an id, so the later one is dated on.
    epoch = max(int(now), app_client.get("_last_secret_epoch", 0) + 1)
    app_client["_last_secret_epoch"] = epoch
    row = {"id": f"{app_client['ClientId']}--{epoch}", "value": value, "created": now, "works_at": now + delay}
    app_client.setdefault("_secrets", []).append(row)
    return row


def is_accepted(app_client, value):
    """Whether the value opens the door now: either secret, not before its delay, a removed one within its grace."""
    now = time.time()
    valid = [row["value"] for row in app_client.get("_secrets", []) if row["works_at"] <= now]
    valid += [row["value"] for row in app_client.get("_removed_secrets", []) if row["until"] > now]
    return any(hmac.compare_digest(each.encode(), value.encode()) for each in valid)


def add(pool, data):
    """AddUserPoolClientSecret. The value is returned only when Cognito generated it."""
    app_client = _client(pool, data)
    chosen = data.get("ClientSecret")
    with _counting:
        held = app_client.get("_secrets", [])
        # Whether a first secret may be added to a public client is unconfirmed; the model speaks of confidential ones.
        if not held:
            raise invalid("The app client has no client secret.")
        if len(held) >= MOST:
            raise Refused("LimitExceededException", f"An app client can have at most {MOST} client secrets.")
        row = keep(app_client, chosen or generated(), delay=SETTINGS.secret_delay_seconds)
    descriptor = _described(row)
    if not chosen:
        descriptor["ClientSecretValue"] = row["value"]
    return json_response({"ClientSecretDescriptor": descriptor})


def list_all(pool, data):
    """ListUserPoolClientSecrets: never a value, never more than one page."""
    return json_response({"ClientSecrets": [_described(row) for row in _client(pool, data).get("_secrets", [])]})


def delete(pool, data):
    """DeleteUserPoolClientSecret. The code for the last one is unconfirmed: section 2 expects InvalidParameter."""
    app_client = _client(pool, data)
    with _counting:
        held = app_client.get("_secrets", [])
        row = next((each for each in held if each["id"] == data["ClientSecretId"]), None)
        if row is None:
            raise Refused("ResourceNotFoundException", "The client secret does not exist.")
        if len(held) == 1:
            raise invalid("The last client secret of an app client cannot be deleted.")
        held.remove(row)
    if app_client.get("ClientSecret") == row["value"]:
        # Describe shows the secret of the creation while it lives; an added one is not promoted (section 2).
        app_client["ClientSecret"] = None
    grace = SETTINGS.removed_secret_grace_seconds
    if grace > 0:
        removed = {"value": row["value"], "until": time.time() + grace}
        app_client.setdefault("_removed_secrets", []).append(removed)
    return json_response({})


def _client(pool, data):
    app_client = pool["_clients"].get(data["ClientId"])
    if app_client is None:
        raise Refused("ResourceNotFoundException", f"User pool client {data['ClientId']} does not exist.")
    return app_client


def _described(row):
    return {"ClientSecretId": row["id"], "ClientSecretCreateDate": row["created"]}
