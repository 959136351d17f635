"""Get a token: what is asked, what is told of it, and what is never kept."""

import pytest
from django.core.cache import cache
from django.urls import reverse

from clients import sealing
from clients.aws import outbound
from clients.aws.outbound import NotAsked, Unreachable
from clients.models import AuditEntry, Scope
from clients.models.ids import new_ulid
from clients.services import client_states
from clients.services.secrets import open_for_cognito
from clients.services.usage import refresh_usage
from tests.conftest import ConfirmedClient
from tests.environment import random_keys


@pytest.fixture(autouse=True)
def fresh_counts(db):
    cache.clear()


@pytest.fixture
def value(app_client):
    return open_for_cognito(app_client.secrets.get()).reveal()


def text(answer):
    return answer.content.decode()


def ask(world, app_client, secret, who="support", scopes=("orders/read",)):
    browser = ConfirmedClient()
    browser.force_login(world.people[who])
    return browser.post(
        reverse("client-token", args=[app_client.public_id]), {"secret": secret, "scopes": list(scopes)}
    )


@pytest.mark.parametrize("who", ["operator", "support", "manager", "developer"])
def test_token_is_verified_and_each_claim_says_where_it_comes_from(world, app_client, value, who):
    answer = ask(world, app_client, value, who)
    page = text(answer)
    assert answer.status_code == 200 and "Token issued" in page and "Signed by this pool" in page
    assert f'"sub": <i>&quot;{app_client.client_id}' in page and ">Cognito</span>" in page
    assert "It lacks the attributes" in page and "tenant_id" in page, "no trigger is installed here"
    assert value not in page and "eyJ" not in page and "no-store" in answer["Cache-Control"]
    entry = AuditEntry.objects.get(action="client:get_token")
    assert entry.outcome == "ok" and value not in str(entry.detail) and entry.actor == world.people[who]


def test_request_does_not_count_as_use(world, app_client, value):
    ask(world, app_client, value)
    refresh_usage(app_client)
    app_client.refresh_from_db()
    assert app_client.last_token_at is None and app_client.tokens_per_day == {}


def test_typo_is_told_beside_the_field_without_asking(world, app_client, value):
    world.sandbox.clear()
    answer = ask(world, app_client, value[:-1] + ("a" if value[-1] != "a" else "b"))
    assert answer.status_code == 422 and "has a typo in it" in text(answer) and 'aria-invalid="true"' in text(answer)
    assert world.sandbox.calls() == [] and not AuditEntry.objects.filter(action="client:get_token").exists()


def test_wrong_secret_is_named_as_what_it_is(world, app_client):
    page = text(ask(world, app_client, sealing.generate("prod").reveal()))
    assert "400 invalid_client" in page and "does not know this secret for this client" in page


def test_removed_secret_is_named_by_its_ending(world, app_client, value):
    app_client.secrets.update(state="retired")
    world.cognito.delete_user_pool_client(UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id)
    assert f"The secret ending {value[-4:]} was removed." in text(ask(world, app_client, value))


def test_removed_secret_of_before_a_new_fingerprint_key_is_known_too(world, app_client, value, settings):
    app_client.secrets.update(state="retired")
    world.cognito.delete_user_pool_client(UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id)
    settings.FINGERPRINT_KEYS = f"{random_keys('newer')},{settings.FINGERPRINT_KEYS}"
    assert f"The secret ending {value[-4:]} was removed." in text(ask(world, app_client, value))


def test_paused_client_is_named_as_the_cause(world, app_client, value):
    client_states.pause_client(app_client, actor=world.people["operator"], operation_id=new_ulid(), reason="Holidays")
    page = text(ask(world, app_client, value))
    assert "The client is paused, so it gets no tokens." in page and "Resume the client." in page


def test_scope_that_left_cognito_is_named(world, app_client, value):
    other = Scope.objects.get(full_name="orders/write")
    app_client.scopes.add(other)
    page = text(ask(world, app_client, value, scopes=["orders/read", "orders/write"]))
    assert "invalid_scope" in page and "Cognito then refuses the whole request." in page


def test_scope_of_another_client_is_refused_beside_its_field(world, app_client, value):
    answer = ask(world, app_client, value, scopes=["shipments/read"])
    assert answer.status_code == 422 and value not in text(answer)


def test_guessing_is_limited_for_a_person_and_a_client(world, app_client):
    statuses = [ask(world, app_client, f"guess-{n}").status_code for n in range(12)]
    assert statuses[:10] == [200] * 10 and statuses[10:] == [429, 429]
    assert ask(world, app_client, "guess", who="operator").status_code == 200


# --- Where the portal goes --------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [
    "http://auth.example.com/oauth2/token", "https://evil.example/", "ftp://127.0.0.1/", "https://169.254.169.254/",
    "https://amazoncognito.com.evil.example/", "https://x.amazoncognito.com@evil.example/", "https:///", "https://[::1/",
    "http://2130706433/", "file:///etc/passwd", "https://evilamazoncognito.com/",
])  # fmt: skip
def test_address_that_is_not_on_the_list_is_not_asked(settings, monkeypatch, url):
    settings.OUTBOUND_HOSTS = [".amazoncognito.com", "127.0.0.1"]
    monkeypatch.setattr("socket.create_connection", lambda *args, **kwargs: pytest.fail("went out"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: pytest.fail("asked for its address"))
    with pytest.raises(NotAsked):
        outbound.ask(url)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "127.0.0.1", "::1", "::ffff:10.0.0.1", "fd00::1", "0.0.0.0"]
)
def test_name_that_leads_to_an_address_that_is_not_public_is_not_asked(settings, monkeypatch, address):
    """Also when one of several is; and the one that was looked at is the one that is gone to."""
    settings.OUTBOUND_HOSTS = [".amazoncognito.com"]
    monkeypatch.setattr("socket.create_connection", lambda *args, **kwargs: pytest.fail("went out"))
    found = [(0, 0, 0, "", (known, 443)) for known in ("93.184.216.34", address)]
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(NotAsked):
        outbound.ask("https://x.amazoncognito.com/oauth2/token")


def test_name_is_looked_up_once_and_gone_to_as_it_was_checked(settings, monkeypatch):
    settings.OUTBOUND_HOSTS, went = [".amazoncognito.com"], []
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: [(0, 0, 0, "", ("93.184.216.34", 443))])

    def connect(address, *args, **kwargs):
        went.append(address)
        raise OSError

    monkeypatch.setattr("socket.create_connection", connect)
    with pytest.raises(Unreachable):
        outbound.ask("https://x.amazoncognito.com/oauth2/token")
    assert went == [("93.184.216.34", 443)]
