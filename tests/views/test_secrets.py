"""The one time a secret is shown, and everywhere it must not be."""

import re
from urllib.parse import unquote

import pytest

from clients.models import AuditEntry, UserPool
from clients.services.secrets import reveal_secret

HEADERS = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


def shown(answer):
    return re.search(r'<span class="plain">([^<]+)</span>', answer.content.decode())[1]


def test_show_reveals_once_with_downloads(client, world, app_client, address):
    client.force_login(world.people["operator"])

    answer = client.post(address("secret-show"))

    value, body = shown(answer), answer.content.decode()
    links = [unquote(link) for link in re.findall(r'href="(data:[^"]+)"', body)]
    assert app_client.secrets.get().ending == value[-4:]
    assert len(links) == 2 and all(value in link for link in links) and "-CONTAINS-SECRET.sh" in body
    assert "no-store" in answer["Cache-Control"] and "script-src 'self'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("token_url", "words"), [("", "has no token URL yet"), ("https://a.example\n/token", "A .env value is one line")]
)
def test_show_is_refused_before_the_reveal_where_no_kit_can_be_made(
    client, world, app_client, address, token_url, words
):
    client.force_login(world.people["operator"])
    pools, known = UserPool.objects.filter(pk=world.pool.pk), world.pool.token_url
    pools.update(token_url=token_url)

    answer = client.post(address("secret-show"))

    secret, body = app_client.secrets.get(), answer.content.decode()
    assert answer.status_code == 409 and words in body and "cps_" not in body
    assert secret.delivered_at is None and secret.sealed_value is not None
    assert not AuditEntry.objects.filter(action="secret:show").exists()

    pools.update(token_url=known)
    assert shown(client.post(address("secret-show"))).endswith(secret.ending)


def test_show_keeps_the_secret_when_the_page_itself_cannot_be_drawn(client, world, app_client, address, settings):
    client.force_login(world.people["operator"])
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }  # without its manifest no page with an icon can be drawn
    with pytest.raises(ValueError, match="manifest"):
        client.post(address("secret-show"))
    assert app_client.secrets.get().sealed_value is not None


@pytest.mark.parametrize("route", ["client-snippets", "snippet-curl"])
def test_snippet_that_cannot_be_made_says_why(client, world, app_client, address, route):
    client.force_login(world.people["operator"])
    UserPool.objects.filter(pk=world.pool.pk).update(token_url="")
    answer = client.get(address(route))
    assert answer.status_code == 409 and "has no token URL yet" in answer.content.decode()


def test_show_a_second_time_is_refused_without_the_value(client, world, app_client, address):
    client.force_login(world.people["operator"])
    value = shown(client.post(address("secret-show")))

    again = client.post(address("secret-show"))

    assert again.status_code == 409 and value not in again.content.decode()


@pytest.mark.asvs("15.3.1")
def test_value_stands_on_no_other_page_and_in_no_row(client, world, app_client, address):
    client.force_login(world.people["operator"])
    value = shown(client.post(address("secret-show")))

    tabs = ("overview", "secrets", "scopes", "attributes", "snippets", "activity", "settings")
    pages = [client.get(address(f"client-{tab}")) for tab in tabs]
    pages += [client.get(address("snippet-curl")), client.get("/clients/"), client.get("/operations/?view=all")]

    assert all(value not in page.content.decode() for page in pages)
    assert value not in str(list(AuditEntry.objects.values()))
    assert value not in str(dict(client.session)) + str(client.cookies)


def test_stored_is_said_by_whoever_was_shown_it(client, world, app_client, address):
    reveal_secret(app_client.secrets.get(), actor=world.people["administrator"])
    client.force_login(world.people["operator"])
    assert address("secret-stored") not in client.get(address("client-secrets")).content.decode()
    client.post(address("secret-stored"))
    assert app_client.secrets.get().stored_at is None and not AuditEntry.objects.filter(action="secret:stored").exists()
    client.force_login(world.people["administrator"])
    assert address("secret-stored") in client.get(address("client-secrets")).content.decode()


def test_stored_is_recorded_as_evidence(client, world, app_client, address):
    client.force_login(world.people["operator"])
    client.post(address("secret-show"))
    client.post(address("secret-stored"))
    assert app_client.secrets.get().stored_at and AuditEntry.objects.filter(action="secret:stored").count() == 1


def test_pages_carry_the_headers_and_no_inline_code(client, world, app_client, address):
    client.force_login(world.people["operator"])
    for tab in ("overview", "secrets", "scopes", "attributes", "snippets", "activity", "settings"):
        answer = client.get(address(f"client-{tab}"))
        body = answer.content.decode()
        assert all(answer[name] == value for name, value in HEADERS.items())
        assert "default-src 'none'" in answer["Content-Security-Policy"] and "no-store" in answer["Cache-Control"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style| style=| on[a-z]+=", body), tab
