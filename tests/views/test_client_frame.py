"""Around a client's pages: where one is, what is offered beside a page's own act, what a paused client says."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.models import AppClient, Rotation, RotationState, Secret, SecretState, Status
from clients.templatetags.browsers import browser
from tests.views.forms import form_of, forms_of

ACTS = {
    "client-pause": ("Pause client", "Settings"),
    "client-delete": ("Delete client", "Settings"),
    "secret-rotate": ("Rotate secret", "Secrets"),
    "secret-revoke": ("Revoke secret", "Secrets"),
    "rotation-finish": ("Finish rotation", "Secrets"),
    "rotation-cancel": ("Cancel rotation", "Secrets"),
    "client-reminders": ("Postpone reminders", "Secrets"),
    "client-token": ("Get a token", ""),
}


def current(body, around):
    """The text that is marked as where one is, inside the element that begins there."""
    inside = body.split(around)[1].split("</nav>")[0]
    marked = [part.split("</")[0].partition(">")[2] for part in inside.split('aria-current="page"')[1:]]
    return [text.split("<")[0].strip() for text in marked]


@pytest.mark.parametrize("route", ACTS)
def test_a_page_with_an_act_says_where_it_is_and_offers_no_other(operator, client, app_client, address, route):
    Secret.objects.update(delivered_at=timezone.now())
    body = client.get(address(route)).content.decode()

    called, tab = ACTS[route]
    assert current(body, 'aria-label="Breadcrumb"') == [called]
    assert current(body, 'aria-label="Client"') == ([tab] if tab else [])
    assert body.count('class="btn primary') + body.count('class="btn danger') == 1
    assert f'<li><a href="{address("client-overview")}">{app_client.name}</a></li>' in body


def test_a_tab_is_named_where_one_is_and_the_overview_is_the_client(operator, client, app_client, address):
    named = {tab: current(client.get(address(f"client-{tab}")).content.decode(), 'aria-label="Breadcrumb"')
             for tab in ("overview", "secrets", "settings")}  # fmt: skip
    assert named == {"overview": [app_client.name], "secrets": ["Secrets"], "settings": ["Settings"]}


@pytest.mark.parametrize("tab", ["overview", "secrets", "scopes", "snippets", "activity"])
def test_members_of_a_paused_client_are_told_and_offered_nothing_that_must_fail(
    world, client, app_client, address, tab
):
    AppClient.objects.update(status=Status.PAUSED, contact=world.people["operator"])
    client.force_login(world.people["manager"])

    body = client.get(address(f"client-{tab}")).content.decode()

    assert "This client is paused" in body and "Ask Operator." in body
    assert f'href="{address("client-token")}"' not in body


def test_support_reads_scopes_in_words_and_has_no_boxes(world, client, app_client, address):
    client.force_login(world.people["support"])
    body = client.get(address("client-scopes")).content.decode()
    assert body.count(">granted<") == 1 and body.count(">not granted<") == 3 and 'type="checkbox"' not in body
    assert "Operators and administrators change scopes." in body


def test_members_are_led_to_whom_changes_scopes(world, client, app_client, address):
    client.force_login(world.people["manager"])
    for tab in ("client-scopes", "client-attributes"):
        assert (
            f'<a href="{address("change-request")}">Request a change</a>' in client.get(address(tab)).content.decode()
        )


def test_home_of_members_says_which_secret_is_which_during_a_rotation(world, client, app_client):
    ends, old = timezone.now() + timedelta(days=7), app_client.secrets.get()
    marks = {"fingerprint": "x", "fingerprint_key_id": "x", "created_by": world.people["operator"]}
    new = Secret.objects.create(app_client=app_client, state=SecretState.NEW, ending="New2", **marks)
    Rotation.objects.create(
        app_client=app_client, old_secret=old, new_secret=new, state=RotationState.OPEN, ends_at=ends
    )
    client.force_login(world.people["manager"])

    body = client.get("/").content.decode()

    card = " ".join(body.split("<article")[1].split("</article>")[0].split())
    assert f'Current secret <span class="ends">{old.ending}</span> works until' in card
    assert 'New secret <span class="ends">New2</span>' in card and "2 of 2 slots" in card


def test_an_expired_secret_does_not_look_delivered(operator, client, app_client, address):
    Secret.objects.update(delivered_at=timezone.now(), expires_at=timezone.now() - timedelta(days=1))
    body = client.get(address("client-secrets")).content.decode()
    card = body.split("<article")[1].split("</article>")[0]
    assert "Expired" in card and "<dt>Ended</dt>" in card and "Delivered</span>" not in card


def test_revoking_a_secret_of_a_paused_client_does_not_offer_to_pause_it(operator, client, app_client, address):
    assert 'name="stop_now"' in client.get(address("secret-revoke")).content.decode()
    AppClient.objects.update(status=Status.PAUSED)
    body = client.get(address("secret-revoke")).content.decode()
    assert 'name="stop_now"' not in body and "The client is paused and stays so" in body


def test_a_refused_form_names_what_is_marked_and_leads_there(operator, client):
    answer = client.post(reverse("tenant-create"), {"name": "", "slug": "not a slug"})
    told = answer.content.decode().split('role="alert"')[1].split("</div></div>")[0]
    assert '<a href="#id_name">Name</a>' in told and '<a href="#id_attribute:tier">tier</a>' in told
    assert any("name" in form.names for form in forms_of(answer))


def test_a_refused_client_names_its_scopes_and_attributes_too(operator, client):
    sent = {"tenant": "northwind", "name": "fits", "attribute:rate_limit": "lots", "secret_lifetime": "180"}
    page = client.get("/clients/new/?tenant=northwind")
    answer = client.post("/clients/new/", form_of(page, "/clients/new/").data(**sent))
    told = answer.content.decode().split('role="alert"')[1].split("</div></div>")[0]
    for name, word in (("scopes", "Scopes"), ("attribute:rate_limit", "rate_limit")):
        assert f'<a href="#{name}">{word}</a>' in told and f'id="{name}"' in answer.content.decode()


def test_members_see_which_tab_is_open_on_the_pages_about_signing_in(world, client):
    client.force_login(world.people["manager"])
    for page in ("mfa_index", "usersessions_list"):
        assert current(client.get(reverse(page)).content.decode(), 'aria-label="Main"') == ["Sign-in"]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36", "Samsung Internet on Android"),
        ("curl/8.5.0", "curl"),
        ("something <of> its own " + "x" * 100, "something <of> its own " + "x" * 37),
        ("", "A browser that does not say what it is"),
    ],
)  # fmt: skip
def test_a_session_is_told_by_the_browsers_name(agent, words):
    assert browser(agent) == words
