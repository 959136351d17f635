"""The gateway to Cognito user pools. Reads and writes in our words; raises only `clients.errors`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from django.conf import settings

from clients.aws.errors import translated
from clients.aws.sessions import aws_client
from clients.errors import NotFound, Throttled
from clients.sealing import SecretValue

# Describe's answer minus these can be sent back whole (cognito_facts section 1).
NOT_ROUND_TRIPPABLE = frozenset({"ClientSecret", "CreationDate", "LastModifiedDate"})
# Never left out: an omitted list gives a "machine" client the flows of people (cognito_facts sections 1 and 13).
MACHINE_AUTH_FLOWS = ["ALLOW_REFRESH_TOKEN_AUTH"]
# Tokens without the endpoint, whatever the flow's flag says; it stands alone (cognito_facts sections 1 and 4).
CLIENT_TOKEN_AUTH = "ALLOW_CLIENT_TOKEN_AUTH"  # noqa: S105  (the name of a flow)
FLOWS = {"AllowedOAuthFlows": ["client_credentials"], "AllowedOAuthFlowsUserPoolClient": True}

Described = dict[str, Any]


@dataclass(frozen=True)
class RemoteSecret:
    """A secret as Cognito lists it: never a value."""

    secret_id: str
    created_at: Any


@dataclass(frozen=True)
class RemoteServer:
    """A resource server as Cognito holds it; `scopes`: name → description, in no order."""

    identifier: str
    name: str
    scopes: dict[str, str]

    @classmethod
    def from_answer(cls, answer: dict[str, Any]) -> "RemoteServer":
        scopes = {item["ScopeName"]: item["ScopeDescription"] for item in answer.get("Scopes") or []}
        return cls(answer["Identifier"], answer["Name"], scopes)

    def as_request(self) -> dict[str, Any]:
        scopes = [{"ScopeName": name, "ScopeDescription": text} for name, text in sorted(self.scopes.items())]
        return {"Identifier": self.identifier, "Name": self.name, "Scopes": scopes}

    def facts(self) -> dict[str, str]:
        """For the trail: one line per scope."""
        return {"name": self.name} | self.scopes


@dataclass(frozen=True)
class ChangedServer:
    """A resource server as it was, as it was sent, and as it is."""

    before: RemoteServer
    sent: RemoteServer
    after: RemoteServer


@dataclass(frozen=True)
class Changed:
    """A client before and after an update. `differs`: fields that are not as they were sent, as (sent, found)."""

    before: Described
    after: Described
    differs: dict[str, tuple[Any, Any]]


def pause_between_calls() -> None:
    """Between calls of one operation to one pool Cognito wants a fifth of a second (cognito_facts section 7)."""
    time.sleep(1 / settings.COGNITO_WRITES_PER_SECOND if settings.COGNITO_WRITES_PER_SECOND else 0)


def _differences(sent: Described, found: Described) -> dict[str, tuple[Any, Any]]:
    """Over all fields. Lists of Cognito's are sets; a field neither sent nor filled is none."""
    left_out = NOT_ROUND_TRIPPABLE | {"UserPoolId", "ClientId"}
    names = {key for key in sent.keys() | found.keys() if key not in left_out}
    pairs = {key: (_comparable(sent.get(key)), _comparable(found.get(key))) for key in names}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _comparable(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value or None


class Gateway:
    """All calls to one user pool. One attempt each; the caller decides what an unknown outcome means."""

    def __init__(self, region: str, user_pool_id: str) -> None:
        self.region, self.user_pool_id = region, user_pool_id

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        with translated(method):
            return getattr(aws_client("cognito-idp", self.region), method)(UserPoolId=self.user_pool_id, **params)

    # --- reads ---------------------------------------------------------------------------
    def describe_pool(self) -> dict[str, Any]:
        return self._call("describe_user_pool")["UserPool"]

    def clock(self) -> datetime:
        """What time AWS says it is, to the second: the Date of any answer (RFC 9110, 6.6.1)."""
        answer = self._call("describe_user_pool")
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def describe_client(self, client_id: str) -> Described:
        """Every field but the secret, which Describe answers in clear (cognito_facts 1): dropped at this door."""
        answer = self._call("describe_user_pool_client", ClientId=client_id)["UserPoolClient"]
        return {key: value for key, value in answer.items() if key != "ClientSecret"}

    def list_clients(self) -> Iterable[tuple[str, str]]:
        """(client id, name) of every client of the pool: 60 a page (cognito_facts section 1), paced below 5 pages per
        second (section 7), so at most 40 s for a pool of 10,000."""
        token: dict[str, str] = {}
        while True:
            if token:
                pause_between_calls()
            page = self._call("list_user_pool_clients", MaxResults=60, **token)
            yield from ((item["ClientId"], item["ClientName"]) for item in page["UserPoolClients"])
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def find_clients_by_tag(self, tag: str) -> list[str]:
        """Client ids whose name ends in our operation tag, oldest first: what attempts with lost answers have left."""
        found = [client_id for client_id, name in self.list_clients() if name.endswith(f" op-{tag}")]
        if len(found) < 2:  # List tells no dates, Describe does
            return found
        return sorted(found, key=lambda client_id: self.describe_client(client_id)["CreationDate"])

    def list_secrets(self, client_id: str) -> list[RemoteSecret]:
        answer = self._call("list_user_pool_client_secrets", ClientId=client_id)["ClientSecrets"]
        return [RemoteSecret(item["ClientSecretId"], item.get("ClientSecretCreateDate")) for item in answer]

    def find_resource_server(self, identifier: str) -> RemoteServer | None:
        try:
            answer = self._call("describe_resource_server", Identifier=identifier)["ResourceServer"]
        except NotFound:
            return None
        return RemoteServer.from_answer(answer)

    def list_resource_servers(self) -> Iterable[dict[str, Any]]:
        """50 a page (cognito_facts section 3), paced like the list of clients."""
        token: dict[str, str] = {}
        while True:
            if token:
                pause_between_calls()
            page = self._call("list_resource_servers", MaxResults=50, **token)
            yield from page["ResourceServers"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    # --- writes --------------------------------------------------------------------------
    def create_client(self, *, name: str, secret: SecretValue, scopes: list[str], access_token_seconds: int) -> str:
        """Creates a machine client with our secret; returns its client id. Not idempotent (cognito_facts section 1)."""
        answer = self._call(
            "create_user_pool_client",
            ClientName=name,
            ClientSecret=secret.reveal(),
            AllowedOAuthScopes=scopes,
            ExplicitAuthFlows=MACHINE_AUTH_FLOWS,
            AccessTokenValidity=access_token_seconds,
            TokenValidityUnits={"AccessToken": "seconds"},
            PreventUserExistenceErrors="ENABLED",
            EnableTokenRevocation=True,
            **FLOWS,
        )
        return answer["UserPoolClient"]["ClientId"]

    def change_client(self, client_id: str, changes: Callable[[Described], dict[str, Any]]) -> Changed:
        """Read, merge, write, read: Update resets every omitted field (cognito_facts section 1), so all are sent.

        `changes(observed)` returns the fields to replace. Repeating it is harmless.
        """
        observed = self._describe_patiently(client_id)
        wanted = {
            key: value for key, value in observed.items() if key not in NOT_ROUND_TRIPPABLE | {"UserPoolId", "ClientId"}
        }
        wanted.setdefault("ExplicitAuthFlows", MACHINE_AUTH_FLOWS)
        wanted |= changes(observed)
        self._call("update_user_pool_client", ClientId=client_id, **wanted)
        after = self._describe_patiently(client_id)
        return Changed(observed, after, _differences(wanted, after))

    def _describe_patiently(self, client_id: str) -> Described:
        """A throttled look beside a write is repeated here: else the write would be made again for its sake."""
        for _ in range(3):
            try:
                return self.describe_client(client_id)
            except Throttled:
                pause_between_calls()
        return self.describe_client(client_id)

    def create_resource_server(self, server: RemoteServer) -> None:
        self._call("create_resource_server", **server.as_request())

    def change_resource_server(
        self, identifier: str, changes: Callable[[RemoteServer], RemoteServer]
    ) -> "ChangedServer":
        """Read, merge, write, read: an update replaces name and all scopes (cognito_facts section 3). Repeatable."""
        before = self.find_resource_server(identifier)
        if before is None:
            raise NotFound("Cognito does not know this resource server any more.", technical=identifier)
        sent = changes(before)
        self._call("update_resource_server", **sent.as_request())
        return ChangedServer(before, sent, self.find_resource_server(identifier) or before)

    def delete_resource_server(self, identifier: str) -> None:
        self._call("delete_resource_server", Identifier=identifier)

    def delete_client(self, client_id: str) -> None:
        self._call("delete_user_pool_client", ClientId=client_id)

    def add_secret(self, client_id: str, secret: SecretValue) -> str:
        """Our value beside the one there is; returns its id. Not idempotent; a third is LimitReached (section 2)."""
        answer = self._call("add_user_pool_client_secret", ClientId=client_id, ClientSecret=secret.reveal())
        return answer["ClientSecretDescriptor"]["ClientSecretId"]

    def delete_secret(self, client_id: str, secret_id: str) -> None:
        """Raises NotFound when it is gone already, Refused for the last one (section 2)."""
        self._call("delete_user_pool_client_secret", ClientId=client_id, ClientSecretId=secret_id)
