"""The trigger against the sandbox's DynamoDB: documents, refusals, usage, cache."""

import copy
import hashlib
import json
import time
from uuid import uuid4

import pytest

from clients.edge import claims_trigger
from tests.local_aws import free_port


class Desk:
    """Publishes documents as the portal does, calls the trigger as Cognito does."""

    def __init__(self, session):
        self.dynamodb = session.client("dynamodb")
        suffix = uuid4().hex[:8]
        self.claims, self.usage = f"claims-{suffix}", f"usage-{suffix}"
        for table in (self.claims, self.usage):
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "client_id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "client_id", "KeyType": "HASH"}],
            )

    def publish(self, client_id, claims, *, state="active", version=1, altered=None):
        text = claims if isinstance(claims, str) else json.dumps(claims)
        digest = hashlib.sha256(f"{client_id}\n{version}\n{state}\n{text}".encode()).hexdigest()
        item = {
            "client_id": {"S": client_id},
            "version": {"N": str(version)},
            "state": {"S": state},
            "claims": {"S": text},
            "digest": {"S": digest},
            **(altered or {}),
        }
        self.dynamodb.put_item(TableName=self.claims, Item=item)

    def used(self, client_id):
        return self.dynamodb.get_item(TableName=self.usage, Key={"client_id": {"S": client_id}}).get("Item")


@pytest.fixture
def desk(session, monkeypatch):
    desk = Desk(session)
    monkeypatch.setenv("CLAIMS_TABLE", desk.claims)
    monkeypatch.setenv("USAGE_TABLE", desk.usage)
    monkeypatch.setenv("TRIGGER_MODE", "observe")
    claims_trigger._documents.clear()
    claims_trigger._dynamodb.cache_clear()
    yield desk
    claims_trigger._documents.clear()
    claims_trigger._dynamodb.cache_clear()


def event(client_id="app1", source=claims_trigger.MACHINE_TOKEN, **request):
    """The event of cognito_facts.md section 5."""
    return {
        "version": "3",
        "triggerSource": source,
        "region": "eu-west-1",
        "userPoolId": "eu-west-1_pool",
        "userName": "ClientCredentials",
        "callerContext": {"awsSdkVersion": "x", "clientId": client_id},
        "request": {"userAttributes": {}, "groupConfiguration": None, "scopes": ["orders/read"], **request},
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def added(answer):
    return answer["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]["claimsToAddOrOverride"]


def test_active_document_adds_its_claims(desk):
    claims = {"tenant_id": "acme", "limit": 5, "beta": True, "regions": ["eu", "us"], "plan": {"name": "gold"}}
    desk.publish("app1", claims)
    assert added(claims_trigger.handler(event())) == claims


@pytest.mark.parametrize("metadata", [{}, {"clientMetadata": None}, {"clientMetadata": {}}, {"clientMetadata": ["x"]}])
def test_absent_metadata_does_not_matter(desk, metadata):
    desk.publish("app1", {"tenant_id": "acme"})
    assert added(claims_trigger.handler(event(**metadata))) == {"tenant_id": "acme"}


def test_tenant_in_the_callers_metadata_is_ignored(desk):
    desk.publish("app1", {"tenant_id": "acme"})
    answer = claims_trigger.handler(event(clientMetadata={"tenant_id": "globex", "client_id": "app2"}))
    assert added(answer) == {"tenant_id": "acme"}


@pytest.mark.parametrize("source", ["TokenGeneration_HostedAuth", "TokenGeneration_RefreshTokens", "", None])
def test_a_persons_sign_in_passes_untouched_even_with_nothing_configured(monkeypatch, source):
    for name in ("CLAIMS_TABLE", "USAGE_TABLE", "TRIGGER_MODE"):
        monkeypatch.delenv(name, raising=False)
    given = event(source=source)
    assert claims_trigger.handler(copy.deepcopy(given)) == given


@pytest.mark.parametrize("given", [None, [], {}, "x"])
def test_an_event_of_another_kind_passes_untouched(given):
    assert claims_trigger.handler(given) is given


@pytest.mark.parametrize("state", ["paused", "deleted"])
@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_paused_and_deleted_are_refused_in_both_modes(desk, monkeypatch, state, mode):
    monkeypatch.setenv("TRIGGER_MODE", mode)
    desk.publish("app1", {"tenant_id": "acme"}, state=state)
    with pytest.raises(claims_trigger.TokenRefused) as refusal:
        claims_trigger.handler(event())
    assert "acme" not in str(refusal.value)
    assert desk.used("app1") is None


def test_unpublished_client_is_observed_with_one_log_line(desk, capsys):
    given = event("ghost")
    answer = claims_trigger.handler(copy.deepcopy(given))
    lines = capsys.readouterr().out.splitlines()
    assert answer == given
    assert len(lines) == 1
    assert json.loads(lines[0]) == {
        "event": "unpublished_client",
        "client_id": "ghost",
        "user_pool_id": "eu-west-1_pool",
    }


@pytest.mark.parametrize("mode", ["enforce", "observed", ""])
def test_unpublished_client_is_refused_in_any_other_mode(desk, monkeypatch, mode):
    monkeypatch.setenv("TRIGGER_MODE", mode)
    with pytest.raises(claims_trigger.TokenRefused):
        claims_trigger.handler(event("ghost"))


@pytest.mark.parametrize(
    "altered",
    [
        {"claims": {"S": '{"tenant_id": "globex"}'}},
        {"version": {"N": "2"}},
        {"digest": {"S": ""}},
        {"client_id": {"S": "app2"}},
    ],
    ids=["claims", "version", "no digest", "copied from another client"],
)
def test_altered_document_is_refused(desk, altered):
    desk.publish("app1", {"tenant_id": "acme"}, altered=altered)
    with pytest.raises(claims_trigger.TokenRefused, match="damaged"):
        claims_trigger.handler(event(altered.get("client_id", {"S": "app1"})["S"]))


def test_paused_document_set_active_by_hand_is_refused(desk):
    desk.publish("app1", {"tenant_id": "acme"}, state="paused")
    desk.dynamodb.update_item(
        TableName=desk.claims,
        Key={"client_id": {"S": "app1"}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={":s": {"S": "active"}},
    )
    with pytest.raises(claims_trigger.TokenRefused, match="damaged"):
        claims_trigger.handler(event())


@pytest.mark.parametrize("name", ["sub", "client_id", "scope", "aud", "cognito:groups", "cognito:username", "exp"])
def test_reserved_claim_is_refused(desk, name):
    desk.publish("app1", {"tenant_id": "acme", name: "x"})
    with pytest.raises(claims_trigger.TokenRefused):
        claims_trigger.handler(event())


@pytest.mark.parametrize("claims", ["[]", '"acme"', "null", "{", "", '{"tenant_id": null}'])
def test_document_that_is_no_object_of_claims_is_refused(desk, claims):
    desk.publish("app1", claims)
    with pytest.raises(claims_trigger.TokenRefused):
        claims_trigger.handler(event())


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_unreadable_table_is_refused_in_both_modes_and_in_time(desk, monkeypatch, mode):
    monkeypatch.setenv("TRIGGER_MODE", mode)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    started = time.monotonic()
    with pytest.raises(claims_trigger.TokenRefused):
        claims_trigger.handler(event())
    assert time.monotonic() - started < 5  # Cognito waits no longer


def test_usage_is_recorded(desk):
    desk.publish("app1", {"tenant_id": "acme"})
    claims_trigger.handler(event(clientMetadata={"secret_ending": "aB3z"}))
    claims_trigger.handler(event())
    used = desk.used("app1")
    day = time.strftime("d_%Y%m%d", time.gmtime(int(used["last_issued_at"]["N"])))
    assert abs(int(used["last_issued_at"]["N"]) - time.time()) < 10
    assert (used["reported_ending"], used[day]) == ({"S": "aB3z"}, {"N": "2"})


@pytest.mark.parametrize("ending", ["aB3", "aB3zz", "aB3!", "üüüü", "aB3\n", 1234, None])
def test_ending_of_another_shape_is_not_recorded(desk, ending):
    desk.publish("app1", {"tenant_id": "acme"})
    claims_trigger.handler(event(clientMetadata={"secret_ending": ending}))
    assert "reported_ending" not in desk.used("app1")


def test_token_of_the_portal_itself_is_no_use(desk):
    desk.publish("app1", {"tenant_id": "acme"})
    answer = claims_trigger.handler(event(clientMetadata={"portal": "test", "secret_ending": "aB3z"}))
    assert added(answer) == {"tenant_id": "acme"}
    assert desk.used("app1") is None


def test_failing_usage_never_stops_a_token(desk, monkeypatch, capsys):
    monkeypatch.setenv("USAGE_TABLE", "no-such-table")
    desk.publish("app1", {"tenant_id": "acme"})
    assert added(claims_trigger.handler(event())) == {"tenant_id": "acme"}
    assert json.loads(capsys.readouterr().out)["event"] == "usage_unwritten"


def test_document_is_cached_for_as_long_as_configured(desk, monkeypatch):
    desk.publish("app1", {"tenant_id": "acme"})
    claims_trigger.handler(event())
    desk.publish("app1", {"tenant_id": "globex"}, version=2)
    assert added(claims_trigger.handler(event())) == {"tenant_id": "acme"}
    monkeypatch.setenv("CACHE_SECONDS", "0")
    claims_trigger._documents.clear()
    claims_trigger.handler(event())
    desk.publish("app1", {"tenant_id": "initech"}, version=3)
    assert added(claims_trigger.handler(event())) == {"tenant_id": "initech"}


def test_absence_and_pause_are_not_cached(desk):
    claims_trigger.handler(event())
    desk.publish("app1", {"tenant_id": "acme"}, state="paused")
    with pytest.raises(claims_trigger.TokenRefused):
        claims_trigger.handler(event())
    desk.publish("app1", {"tenant_id": "acme"}, version=2)
    assert added(claims_trigger.handler(event())) == {"tenant_id": "acme"}
