"""People on pages: who sees and may do what, and that it counts from the next request on."""

import re

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.models import AuditEntry, Invitation, Role, User
from tests.support import PASSWORD


@pytest.fixture
def administrator(world, client):
    client.force_login(world.people["administrator"])
    return world.people["administrator"]


def test_invited_by_mail_and_never_shown_to_the_inviter(client, administrator, settings):
    settings.BASE_URL = "https://portal.example.com"
    page = client.post("/people/invite/", {"email": "Nora@portal.example", "role": "support"}, follow=True)
    (sent,) = mail.outbox
    (token,) = re.findall(r"https://portal\.example\.com/invitation/#(\S+)", sent.body)
    assert sent.to == ["nora@portal.example"] and token not in page.content.decode()
    assert "on its way to Nora@portal.example" in page.content.decode()
    assert Invitation.objects.get().role == Role.SUPPORT


def test_mail_that_fails_leaves_the_invitation_to_be_sent_again(client, administrator, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1", 9,
    )  # fmt: skip
    page = client.post("/people/invite/", {"email": "nora@portal.example", "role": "support"}, follow=True)
    assert "could not be sent" in page.content.decode() and Invitation.objects.open().count() == 1


@pytest.mark.asvs("8.3.1")
@pytest.mark.parametrize(
    ("who", "typed", "status"),
    [
        ("operator", {"role": "administrator"}, 422),
        ("operator", {"role": "developer", "tenant": "northwind"}, 302),
        ("manager", {"role": "operator"}, 422),
        ("manager", {"role": "developer"}, 302),
        ("manager", {"role": "developer", "tenant": "acme-robotics"}, 302),
    ],
)
def test_nobody_gives_more_than_they_may(client, world, who, typed, status):
    client.force_login(world.people[who])
    assert client.post("/people/invite/", {"email": "new@example.com"} | typed).status_code == status
    assert list(Invitation.objects.values_list("tenant__slug", flat=True)) == (["northwind"] if status == 302 else [])


@pytest.mark.asvs("8.2.2")
def test_manager_sees_colleagues_and_nobody_else(client, world):
    client.force_login(world.people["manager"])
    page = client.get("/people/").content.decode()
    assert "developer@northwind.example" in page and "@portal.example" not in page
    operator = world.people["operator"]
    unknown, other = client.get("/people/999999/"), client.get(f"/people/{operator.pk}/")
    assert unknown.status_code == other.status_code == 404

    def plain(answer):
        """Without what is new on every page: the reference, the form's token, the address itself."""
        changing = r'<span class="mono">[0-9a-f]{8}</span>|value="[^"]*"|/people/[0-9]+/'
        return re.sub(changing, "", answer.content.decode())

    assert plain(unknown) == plain(other)


def test_new_role_counts_from_the_next_request_and_ends_the_session(client, administrator, world):
    support = world.people["support"]
    theirs = Client()
    theirs.force_login(support)
    assert theirs.get("/people/").status_code == 403 and theirs.get("/clients/").status_code == 200
    assert client.post(f"/people/{support.pk}/role/", {"role": "auditor"}).status_code == 302
    assert theirs.get("/clients/")["Location"].startswith("/account/login/")


@pytest.mark.asvs("7.4.2")
def test_deactivated_person_is_out_at_once_and_old_sessions_stay_dead(client, administrator, world):
    support = world.people["support"]
    theirs = Client()
    theirs.force_login(support)
    client.post(f"/people/{support.pk}/deactivate/", {"heir": ""})
    assert theirs.get("/clients/").status_code == 302
    signed = Client().post("/account/login/", {"login": support.email, "password": PASSWORD})
    assert "inactive" in signed["Location"] or signed.status_code == 200
    client.post(f"/people/{support.pk}/activate/")
    assert theirs.get("/clients/").status_code == 302, "a session from before does not come back to life"
    assert User.objects.get(pk=support.pk).is_active


def test_deactivating_asks_for_an_heir_beside_the_field(client, administrator, world):
    operator = world.people["operator"]
    world.create(contact=operator)
    answer = client.post(f"/people/{operator.pk}/deactivate/", {"heir": ""})
    assert answer.status_code == 422 and "Say who looks after" in answer.content.decode()
    assert 'aria-invalid="true"' in answer.content.decode()


@pytest.mark.parametrize("act", ["role", "deactivate", "activate"])
def test_step_up_comes_before_each(world, act):
    plain = Client()
    plain.force_login(world.people["administrator"])
    support = world.people["support"]
    answer = plain.post(f"/people/{support.pk}/{act}/", {"role": "auditor", "heir": ""})
    assert "Confirm that it is you" in answer.content.decode()
    assert not AuditEntry.objects.filter(action__startswith="person:").exists()


def test_extra_fields_change_nothing_beyond_the_forms_own(client, administrator, world):
    support = world.people["support"]
    extra = {"email": "x@evil.example", "is_active": "", "tenant": "northwind", "password": "x", "name": "X", "pk": "1"}
    client.post(f"/people/{support.pk}/role/", {"role": "auditor"} | extra)
    after = User.objects.get(pk=support.pk)
    assert (after.email, after.name, after.tenant, after.is_active) == (support.email, support.name, None, True)
    assert after.check_password(PASSWORD)


def test_many_people_are_paged_without_gap_found_by_a_clue_and_cost_the_same(client, administrator, world):
    def made(numbers):
        User.objects.bulk_create(
            User(
                email=f"p{n}@acme.example", name=f"Person {n}", role="developer", tenant=world.tenants["acme-robotics"]
            )
            for n in numbers
        )

    def page(query=""):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(f"/people/{query}")
        return answer, [each.email for each in answer.context["people"]], len(captured)

    page()
    _, few, cost = page()
    assert len(few) == User.objects.count() and "Next</a>" not in page()[0].content.decode()
    made(range(120))
    answer, seen, now = page()
    assert now == cost and len(seen) == 50 and "shown of" in answer.content.decode()
    while following := answer.context["following"]:
        assert "@" not in following
        answer, more, _ = page(f"?after={following}")
        seen += more
    assert len(seen) == len(set(seen)) == User.objects.count() and seen[0].endswith("portal.example")
    assert page("?q=person 77")[1] == ["p77@acme.example"] and "Nobody fits" in page("?q=nobody")[0].content.decode()
    assert [len(page(f"?after={rubbish}")[1]) for rubbish in ("x", "-1", "9" * 30, "²")] == [50] * 4
