"""The pages of members: their home, what they ask for, and what staff see who help them."""

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from clients.models import AppClient, AuditEntry, Role, SecretState, Tenant, User
from clients.models.ids import new_ulid
from clients.services import handovers, people, rotations, secrets
from clients.views.words import WORDS
from tests.conftest import ConfirmedClient
from tests.support import PASSWORD


def text(answer):
    return answer.content.decode()


def signed_in(world, who):
    browser = ConfirmedClient()
    browser.force_login(world.people[who])
    return browser


@pytest.mark.parametrize("who", ["manager", "developer"])
def test_home_of_a_member_has_what_is_theirs_and_nothing_else(world, app_client, who):
    other = world.create(name="acme-labels", tenant=world.tenants["acme-robotics"])
    page = text(signed_in(world, who).get("/"))
    assert app_client.name in page and app_client.client_id in page and "orders/read" in page
    assert other.name not in page and other.client_id not in page
    assert "1 client." in page and "Not available" in page and world.pool.token_url in page
    assert '"mono">tier<' in page and '"mono">gold<' in page and 'class="customer"' in page


def test_home_shows_what_waits_to_the_one_it_is_for(world, app_client):
    handovers.offer_to_member(
        app_client.secrets.get(), world.people["developer"], hours=24, actor=world.people["operator"]
    )
    assert "credentials are waiting" in text(signed_in(world, "developer").get("/"))
    assert "credentials are waiting" not in text(signed_in(world, "manager").get("/"))


def test_secret_that_is_being_made_is_not_said_to_last_for_ever(world, app_client):
    app_client.secrets.update(state=SecretState.PENDING, expires_at=None)
    page = text(signed_in(world, "developer").get("/"))
    assert "is being made" in page and "without an end" not in page


@pytest.mark.parametrize(("who", "heading"), [("manager", "Members"), ("administrator", "People")])
def test_heading_of_people_is_the_word_of_their_menu(world, who, heading):
    page = text(signed_in(world, who).get("/people/"))
    assert re.search(rf"<h1>{heading} ", page) and re.search(rf">{heading}</a></li>", page)


def test_home_without_clients_says_what_comes(world):
    world.tenants["northwind"].contact = world.people["operator"]
    world.tenants["northwind"].save(update_fields=["contact"])
    page = text(signed_in(world, "developer").get("/"))
    assert "No clients yet" in page and str(world.people["operator"]) in page


def test_home_costs_the_same_for_two_and_for_thirty_clients(world, make, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser, counts = signed_in(world, "developer"), []
    for upto in (2, 30):
        for number in range(AppClient.objects.count(), upto):
            make(f"c{number}")
        browser.get("/")
        with CaptureQueriesContext(connection) as captured:
            page = text(browser.get("/"))
        counts.append(len(captured))
        assert page.count("<article") == upto
    assert counts[0] == counts[1]


@pytest.mark.parametrize("who", ["support", "operator", "auditor"])
def test_staff_see_what_members_see_under_a_bar_and_can_do_nothing_there(world, app_client, who):
    handovers.offer_to_member(
        app_client.secrets.get(), world.people["developer"], hours=24, actor=world.people["operator"]
    )
    page = text(signed_in(world, who).get(reverse("customer-home-as", args=["northwind"])))
    assert "Acting for <b>Northwind" in page and app_client.name in page
    assert f"credentials are waiting for {world.people['developer']}" in page
    assert "handover-show" not in page and "/show/" not in page and "Request a change" not in page
    tenant_page = text(signed_in(world, who).get(reverse("tenant-page", args=["northwind"])))
    assert reverse("customer-home-as", args=["northwind"]) in tenant_page


AS_MEMBER_TABS = ("overview", "secrets", "scopes", "attributes", "snippets", "activity", "settings")


def pages_as_member(app_client):
    slug = app_client.tenant.slug
    yield reverse("customer-home-as", args=[slug])
    for page in ("clients", "activity", "members"):
        yield reverse("customer-page-as", args=[slug, page])
    for tab in AS_MEMBER_TABS:
        yield reverse("customer-client-as", args=[slug, app_client.public_id, tab])


@pytest.mark.parametrize("who", ["support", "operator", "auditor", "administrator"])
def test_staff_read_every_page_of_a_customer_and_can_do_nothing_on_it(world, app_client, who):
    """Also where its managers could do most: they may rotate, a rotation is open, a hand-over waits."""
    Tenant.objects.update(members_may_rotate=True)
    world.other = world.create(name="acme-labels", tenant=world.tenants["acme-robotics"])
    secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"])
    rotations.start_rotation(app_client, actor=world.people["support"], operation_id=new_ulid(), overlap_hours=24)
    browser = signed_in(world, who)
    for address in pages_as_member(app_client):
        answer = browser.get(address)
        if who == "auditor" and "/snippets/" in address:
            assert answer.status_code == 403, "kits are not the auditor's"
            continue
        page = text(answer)
        main = page[page.index("<main") : page.index("</main>")]
        assert answer.status_code == 200 and "Acting for <b>Northwind" in page and 'class="customer"' in page, address
        assert str(world.people[who]) in page[: page.index("<main")], "who it really is"
        assert world.other.name not in page and "Acme" not in main, address
        for form in re.findall(r'<form[^>]*method="post".*?</form>', main, re.DOTALL):
            assert "<button" not in form, (address, form)
        for act in ("/rotate/", "/finish/", "/acknowledge/", "/extend/", "/request/", "/token/", "/show/", "/invite/"):
            assert act not in main, (address, act)


def test_staff_stay_with_the_customer_from_page_to_page(world, app_client):
    """Links lead to the next page as a member sees it; what is done is done at the staff's own page of the client."""
    browser, address = signed_in(world, "support"), reverse("customer-home-as", args=["northwind"])
    home = text(browser.get(address))
    inside = reverse("customer-client-as", args=["northwind", app_client.public_id, "overview"])
    assert f'href="{inside}"' in home and f'href="{reverse("customer-page-as", args=["northwind", "clients"])}"' in home
    page = text(browser.get(inside))
    for tab in AS_MEMBER_TABS:
        assert f'href="{reverse("customer-client-as", args=["northwind", app_client.public_id, tab])}"' in page
    assert f'href="{reverse("client-overview", args=[app_client.public_id])}">Open as staff' in page


@pytest.mark.parametrize(("page", "query"), [("clients", "?q=none-like-it"), ("clients", "?q=northwind&status=active"),
                                             ("activity", "?period=7")])  # fmt: skip
def test_lists_of_a_customer_are_filtered_where_they_stand(world, app_client, page, query):
    address = reverse("customer-page-as", args=["northwind", page])
    shown = text(signed_in(world, "support").get(address + query))
    assert f'action="{address}"' in shown and 'action="/clients/"' not in shown and 'action="/activity/"' not in shown


def test_client_id_searched_for_while_acting_stays_in_the_list(world, app_client):
    address = reverse("customer-page-as", args=["northwind", "clients"])
    answer = signed_in(world, "support").get(address, {"q": app_client.client_id})
    assert answer.status_code == 200 and app_client.name in text(answer)


def test_activity_of_a_customer_holds_nothing_staff_may_not_read(world, app_client):
    """Support reads what is about clients: the tenant's other entries are its managers'."""
    people.invite("new@northwind.example", Role.DEVELOPER, tenant=app_client.tenant, actor=world.people["operator"])
    address, said = reverse("customer-page-as", args=["northwind", "activity"]), WORDS["person:invite"]
    lists = {who: text(signed_in(world, who).get(address)) for who in ("administrator", "support")}
    rows = {who: page[page.index("<tbody") :] for who, page in lists.items()}
    assert said in rows["administrator"] and said not in rows["support"] and app_client.name in rows["support"]


def test_clients_of_others_are_not_there_while_acting(world, app_client):
    other = world.create(name="acme-labels", tenant=world.tenants["acme-robotics"])
    address = reverse("customer-client-as", args=["northwind", other.public_id, "overview"])
    assert signed_in(world, "support").get(address).status_code == 404


def test_request_stands_in_the_activity_and_reaches_the_contact(world, app_client):
    contact = User.objects.create_user("kim@portal.example", PASSWORD, role=Role.OPERATOR, name="Kim")
    AppClient.objects.update(contact=contact)
    page = reverse("change-request", args=[app_client.public_id])
    browser = signed_in(world, "developer")
    assert "Kim hears of it by mail" in text(browser.get(page))
    answer = browser.post(page, {"text": "We need orders/write.\nFrom Monday on."}, follow=True)
    assert "Kim hears of it, and it stands in the activity." in text(answer)
    (letter,) = mail.outbox
    assert letter.to == ["kim@portal.example"] and "We need orders/write.\nFrom Monday on." in letter.body
    assert f"/clients/{app_client.public_id}/" in letter.body
    entry = AuditEntry.objects.get(action="client:request_change")
    assert entry.reason == "We need orders/write. From Monday on." and entry.actor == world.people["developer"]


@pytest.mark.parametrize("typed", ["", "   ", "a\u202eb", "x" * 501])
def test_request_that_nobody_could_read_is_refused_beside_its_field(world, app_client, typed):
    answer = signed_in(world, "manager").post(reverse("change-request", args=[app_client.public_id]), {"text": typed})
    assert answer.status_code == 422 and 'aria-invalid="true"' in text(answer)
    assert mail.outbox == [] and not AuditEntry.objects.filter(action="client:request_change").exists()


def test_secret_in_a_request_is_masked_in_the_activity(world, app_client):
    from clients import sealing

    value = sealing.generate("prod").reveal()
    signed_in(world, "manager").post(reverse("change-request", args=[app_client.public_id]), {"text": f"Here: {value}"})
    assert value not in AuditEntry.objects.get(action="client:request_change").reason
    assert value not in mail.outbox[0].body, "nor in the mail"


def test_tenant_of_nobody_has_no_member_page(world):
    Tenant.objects.create(slug="lumen", name="Lumen")
    browser = Client()
    browser.force_login(world.people["developer"])
    assert browser.get(reverse("customer-home-as", args=["lumen"])).status_code == 404


def test_requests_are_limited_for_a_person_and_a_client_and_say_when_no_mail_went(world, app_client, monkeypatch):
    browser, page = signed_in(world, "developer"), reverse("change-request", args=[app_client.public_id])
    with monkeypatch.context() as patched:
        patched.setattr("clients.views.customer.send_change_request", lambda *args, **more: False)
        assert "could not be mailed: tell" in text(browser.post(page, {"text": "More scopes"}, follow=True))
    statuses = [browser.post(page, {"text": "More scopes"}).status_code for _ in range(11)]
    assert statuses == [302] * 9 + [429, 429] and len(mail.outbox) == 9
