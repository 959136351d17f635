"""Handing over on its pages: what staff see, what the member sees, what whoever holds a link sees, and what support does
not."""

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clients.errors import Conflict
from clients.models import Handover, HandoverState, Secret, Tenant, User
from clients.services import handovers, people, usage
from clients.services.secrets import open_unshown
from tests.conftest import ConfirmedClient
from tests.support import PASSWORD

LINK = "/hand-over/"


def text(answer):
    return answer.content.decode()


@pytest.fixture
def secret(app_client):
    return app_client.secrets.get()


@pytest.fixture
def offer(secret, world):
    return handovers.offer_by_link(secret, hours=24, with_pin=True, actor=world.people["operator"])


@pytest.fixture
def visitor():
    """Somebody without an account, elsewhere."""
    return Client(REMOTE_ADDR="84.17.46.9")


def signed_in(world, who):
    browser = ConfirmedClient()
    browser.force_login(world.people[who])
    return browser


def hand_over(browser, app_client, **typed):
    return browser.post(reverse("handover-create", args=[app_client.public_id]), {"hours": "24"} | typed)


def shown(answer):
    """The secret an answer shows."""
    return re.findall(r"cps_\w+", text(answer))


# --- The sender -----------------------------------------------------------------------------------------


def test_link_and_pin_are_in_the_answer_and_nowhere_after(world, client, operator, app_client):
    answer = hand_over(client, app_client, to="link", with_pin="on")
    link = re.search(r"http\S+/hand-over/#([\w-]{43})", text(answer))
    pin = re.search(r'id="pin"[^>]*>(\d{6})<', text(answer)).group(1)
    assert "no-store" in answer["Cache-Control"] and answer["Content-Encoding"] == "identity"
    row = Handover.objects.get()
    page = text(client.get(reverse("handover-page", args=[row.public_id])))
    assert link.group(1) not in page and not re.search(rf"\b{pin}\b", page) and not shown(answer)
    assert "Waiting" in page and "Asked for, 5 of 5 tries left" in page
    assert text(client.get(reverse("client-overview", args=[app_client.public_id]))).count("Watch the hand-over") == 1
    assert hand_over(client, app_client, to="link").url == reverse("handover-page", args=[row.public_id])


def test_member_is_told_by_mail_and_finds_it_waiting(world, client, operator, app_client):
    member = world.people["developer"]
    answer = hand_over(client, app_client, to=f"member:{member.pk}")
    assert answer.status_code == 302
    (letter,) = mail.outbox
    assert letter.to == [member.email] and f"/clients/{app_client.public_id}/" in letter.body
    assert "#" not in letter.body and letter.alternatives[0].mimetype == "text/html"
    theirs, colleague = signed_in(world, "developer"), signed_in(world, "manager")
    overview = reverse("client-overview", args=[app_client.public_id])
    show = reverse("handover-show", args=[Handover.objects.get().public_id])
    assert show in text(theirs.get(overview)) and show not in text(colleague.get(overview))
    assert colleague.post(show).status_code == 404
    panel = theirs.post(show)
    assert len(set(shown(panel))) == 1 and "Save this secret now" in text(panel)
    assert shown(theirs.post(show)) == [] and show not in text(theirs.get(overview))
    theirs.post(reverse("handover-stored", args=[Handover.objects.get().public_id]))
    assert Handover.objects.get().state == HandoverState.STORED


def test_form_refuses_beside_the_field_and_makes_nothing(client, operator, app_client):
    for typed in ({"to": "member:999"}, {"to": ""}, {"to": "mail"}, {"to": "link", "hours": "5000"}):
        answer = hand_over(client, app_client, **typed)
        assert answer.status_code == 422 and 'aria-invalid="true"' in text(answer), typed
    assert not Handover.objects.exists() and mail.outbox == []


def test_hand_over_asks_first_who_it_is(world, app_client):
    browser = Client()
    browser.force_login(world.people["operator"])
    assert "Confirm that it is you" in text(hand_over(browser, app_client, to="link")) and not Handover.objects.exists()
    answer = hand_over(browser, app_client, to="link", with_pin="on", confirm_password=PASSWORD)
    assert "For the customer" in text(answer) and Handover.objects.get().pin_hash


def test_mail_that_fails_is_told_and_can_be_sent_again(world, client, operator, app_client, settings, monkeypatch):
    Tenant.objects.update(contact_email="it@northwind.example")
    settings.EMAIL_BACKEND = "tests.views.test_handovers.Broken"
    page = text(client.get(hand_over(client, app_client, to="mail").url))
    assert "did not take the mail" in page and Handover.objects.get().mailed_at is None
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    client.post(reverse("handover-again", args=[Handover.objects.get().public_id]))
    assert len(mail.outbox) == 1 and Handover.objects.first().mailed_at


class Broken:
    def __init__(self, *args, **kwargs):
        pass

    def send_messages(self, messages):
        raise OSError


def test_timeline_tells_each_step_and_who_did_it(world, client, operator, app_client, offer, visitor):
    page = reverse("handover-page", args=[offer.handover.public_id])
    assert text(client.get(page)).count("Not yet") == 4
    visitor.post(LINK, {"code": offer.token})
    visitor.post(LINK, {"code": offer.token, "pin": "x", "show": "1"})
    visitor.post(LINK, {"code": offer.token, "pin": offer.pin, "show": "1"})
    visitor.post(LINK, {"code": offer.token, "stored": "1"})
    told = re.findall(r"<b>([^<]+)</b>", text(client.get(page)).split('class="timeline"')[1].split("</ul>")[0])
    assert told == ["Made by Olga" if operator.name == "Olga" else f"Made by {operator}", "Opened", "Wrong PIN",
                    "Secret shown", "Stored"]  # fmt: skip
    assert "84.17.46.0/24" in text(client.get(page)) and "First token" in text(client.get(page))


# --- Support --------------------------------------------------------------------------------------------


def test_support_hands_over_to_members_and_the_recorded_address_only(world, app_client):
    Tenant.objects.update(contact_email="it@northwind.example")
    browser = signed_in(world, "support")
    page = text(browser.get(reverse("handover-create", args=[app_client.public_id])))
    assert 'value="link"' not in page and 'value="mail"' in page and "PIN by another channel" not in page
    assert hand_over(browser, app_client, to="link", with_pin="on").status_code == 422
    assert hand_over(browser, app_client, to="mail", with_pin="on").status_code == 302
    row = Handover.objects.get()
    assert row.pin_hash == "" and row.email == "it@northwind.example"


def test_support_meets_neither_link_nor_pin_in_any_answer(world, app_client, address):
    """Over every route, after each way of handing over; the code is known here from the mail."""
    from tests.views.test_permissions import TABLE

    Tenant.objects.update(contact_email="it@northwind.example")
    browser = signed_in(world, "support")
    hand_over(browser, app_client, to="mail")
    again = browser.post(reverse("handover-again", args=[Handover.objects.first().public_id]), follow=True)
    codes = [re.search(r"#([\w-]{43})", letter.body).group(1) for letter in mail.outbox]
    answers = [again]
    for row in TABLE:
        browser.force_login(world.people["support"])
        answers.append(browser.generic(row["method"], address(row["route"])))
    bodies = [body(answer) for answer in answers]
    assert len(codes) == 2 and not any(code in said for code in codes for said in bodies)
    assert not any(re.search(r'id="pin"|hand-over/#', said) for said in bodies)
    assert codes[0] in body(world_answer(codes[0])), "a planted leak is found"


def world_answer(code):
    from django.http import HttpResponse

    return HttpResponse(f"see {code}", headers={"Location": code})


def body(answer):
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode("utf-8", "replace") + str(dict(answer.items()))


def test_support_cannot_make_a_link_anew_that_an_operator_passes_on(world, offer):
    browser = signed_in(world, "support")
    assert browser.post(reverse("handover-again", args=[offer.handover.public_id])).status_code == 403
    assert browser.post(reverse("handover-revoke", args=[offer.handover.public_id])).status_code == 302
    assert Handover.objects.get().state == HandoverState.REVOKED


# --- Whoever holds the link -----------------------------------------------------------------------------


def test_opening_the_page_tells_what_it_is_and_spends_nothing(visitor, offer, app_client):
    page = text(visitor.post(LINK, {"code": offer.token}))
    assert app_client.name in page and "sent you API credentials" in page and "PIN" in page
    assert app_client.client_id not in page and shown(visitor.post(LINK, {"code": offer.token})) == []
    assert Handover.objects.get().state == HandoverState.OPENED and Secret.objects.get().can_be_shown


AGENTS = [
    "Slackbot-LinkExpanding 1.0", "facebookexternalhit/1.1", "Twitterbot/1.0", "WhatsApp/2.0", "TelegramBot", "Googlebot/2.1",
    "Mozilla/5.0 (compatible; MSIE 9.0; Microsoft Outlook)", "SkypeUriPreview", "BarracudaCentral", "Proofpoint URL Defense",
]  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS)
def test_machines_that_open_links_spend_nothing(visitor, offer, agent):
    where, headers = f"{LINK}?code={offer.token}&show=1", {"user-agent": agent}
    answers = [visitor.get(where, headers=headers), visitor.head(where, headers=headers)]
    assert {answer.status_code for answer in answers} == {200}
    row = Handover.objects.get()
    assert row.state == HandoverState.WAITING and row.opened_at is None and Secret.objects.get().can_be_shown


def test_shown_once_and_whoever_comes_second_is_told_when_and_where_to(visitor, offer, app_client):
    sent = {"code": offer.token, "pin": f" {offer.pin[:3]} {offer.pin[3:]} ", "show": "1"}
    panel = visitor.post(LINK, sent)
    assert len(set(shown(panel))) == 1 and app_client.client_id in text(panel)
    assert "no-store" in panel["Cache-Control"] and panel["Content-Encoding"] == "identity"
    second = visitor.post(LINK, sent)
    assert shown(second) == [] and "already used" in text(second) and "84.17.46.0/24" in text(second)
    assert "Yes, first try" in text(second)


def test_alarm_reaches_the_contact_and_the_sender_once(world, visitor, offer, client, operator):
    visitor.post(LINK, {"code": offer.token, "pin": offer.pin, "show": "1"})
    answers = [text(visitor.post(LINK, {"code": offer.token, "alarm": "1"})) for _ in range(3)]
    assert all("knows." in answer for answer in answers) and len(mail.outbox) == 1
    assert mail.outbox[0].to == [world.people["operator"].email] and "other hands" in mail.outbox[0].body
    page = text(client.get(reverse("handover-page", args=[offer.handover.public_id])))
    assert "Somebody else may hold this secret" in page and "cps_" not in mail.outbox[0].body


def test_new_link_is_asked_for_once_an_hour(visitor, offer, world):
    handovers.revoke(offer.handover, actor=world.people["operator"])
    for _ in range(3):
        answer = visitor.post(LINK, {"code": offer.token, "ask": "1"})
    assert len(mail.outbox) == 1 and "knows</b> that you need a new link" in text(answer)


@pytest.mark.parametrize("pins", [["000000"] * 6])
def test_wrong_pins_say_how_many_tries_are_left_and_then_close(visitor, offer, pins):
    pin = "111111" if offer.pin == "000000" else "000000"
    said = [text(visitor.post(LINK, {"code": offer.token, "pin": pin, "show": "1"})) for _ in pins]
    assert (
        "4 tries are left." in said[0] and "1 try is left." in said[3] and "closed" in said[4] and "closed" in said[5]
    )
    assert Secret.objects.get().can_be_shown


@pytest.mark.parametrize("code", ["x", "A" * 43, "ä" * 43, "\x01", "#", "a" * 201])
def test_codes_that_open_nothing_are_answered_alike(visitor, offer, code):
    answers = [visitor.post(LINK, {"code": code, "show": "1", "pin": "123456"}) for _ in range(2)]
    assert {answer.status_code for answer in answers} <= {404, 422}
    assert offer.handover.app_client.name not in text(answers[0]) and Handover.objects.get().pin_tries == 0


def test_links_that_exist_and_links_that_do_not_look_alike_without_the_code(visitor, offer):
    """Nothing but the code names a link: what is sent without it is the same request."""

    def plain(answer):
        return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", text(answer)).replace(code, "CODE")

    code = offer.token[:-1] + ("A" if offer.token[-1] != "A" else "B")
    near = plain(visitor.post(LINK, {"code": code}))
    code = "B" * 43
    assert near == plain(visitor.post(LINK, {"code": code}))


def test_many_codes_that_open_nothing_are_slowed_and_a_right_one_is_not(visitor, offer):
    statuses = [visitor.post(LINK, {"code": f"guess{n}"}).status_code for n in range(25)]
    assert statuses[:20] == [404] * 20 and set(statuses[20:]) == {429}
    assert visitor.post(LINK, {"code": offer.token}).status_code == 200


def test_secret_that_cannot_be_made_into_a_kit_is_not_spent(visitor, offer, app_client):
    app_client.pool.token_url = ""
    app_client.pool.save(update_fields=["token_url"])
    answer = visitor.post(LINK, {"code": offer.token, "pin": offer.pin, "show": "1"})
    assert "has no token URL yet" in text(answer) and shown(answer) == [] and Secret.objects.get().can_be_shown


def test_whole_link_pasted_into_the_field_opens_it(visitor, offer):
    assert "sent you API credentials" in text(
        visitor.post(LINK, {"code": f"https://portal.example/hand-over/#{offer.token}"})
    )


def test_member_of_another_tenant_meets_what_an_unknown_id_meets(world, stranger, offer):
    browser = ConfirmedClient()
    browser.force_login(stranger)
    for name in ("handover-page", "handover-show", "handover-stored"):
        act = browser.get if name == "handover-page" else browser.post
        known = act(reverse(name, args=[offer.handover.public_id]))
        unknown = act(reverse(name, args=["0" * 26]))
        assert (known.status_code, unknown.status_code) == (404, 404), name


# --- What came of a second look ---------------------------------------------------------------------------


def test_support_sends_no_link_anew_whose_pin_nobody_would_know(world, app_client, monkeypatch):
    Tenant.objects.update(contact_email="it@northwind.example")
    monkeypatch.setattr("clients.services.handovers.random.randbelow", lambda most: 271828)
    made = hand_over(signed_in(world, "operator"), app_client, to="mail", with_pin="on")
    row, support = Handover.objects.get(), signed_in(world, "support")
    page = text(support.get(reverse("handover-page", args=[row.public_id])))
    assert "271828" in text(made) and "Make a new link" not in page and "271828" not in page
    assert "an operator makes a new one" in page
    assert support.post(reverse("handover-again", args=[row.public_id])).status_code == 403
    assert Handover.objects.get().is_open and len(mail.outbox) == 1, "the link that works is left alone"


def test_a_hand_over_ends_with_the_keep_period_and_nothing_is_shown_after_it(world, secret, visitor):
    Tenant.objects.update(keep_days=1)
    secret.refresh_from_db()
    operator = world.people["operator"]
    made = handovers.offer_by_link(secret, hours=168, with_pin=False, actor=operator)
    assert made.handover.expires_at == secret.created_at + timedelta(days=1)
    Secret.objects.update(created_at=timezone.now() - timedelta(days=1))
    Handover.objects.update(expires_at=timezone.now() + timedelta(hours=1))  # the worker has not come
    page = visitor.post(LINK, {"code": made.token, "show": "1"})
    assert page.status_code == 409 and "keep period, which is over" in text(page) and shown(page) == []
    secret.refresh_from_db()
    with pytest.raises(Conflict, match="keep period"):
        handovers.offer_again(Handover.objects.get(), actor=operator)
    with pytest.raises(Conflict, match="keep period"):
        open_unshown(secret)


def test_an_offer_of_thirty_days_is_made_anew_for_the_longest_there_is(world, secret):
    member = world.people["manager"]
    until = timezone.now() + timedelta(days=30)
    row = Handover.objects.create(
        app_client=secret.app_client, secret=secret, member=member, created_by=member, expires_at=until
    )
    answer = signed_in(world, "operator").post(reverse("handover-again", args=[row.public_id]))
    assert answer.status_code == 302 and Handover.objects.latest("id").is_open


def test_a_mail_that_was_not_taken_is_not_told_as_sent(world, app_client, monkeypatch):
    Tenant.objects.update(contact_email="it@northwind.example")
    monkeypatch.setattr("clients.views.handovers.send_handover_link", lambda *args: False)
    page = text(hand_over(signed_in(world, "operator"), app_client, to="mail", with_pin="on"))
    assert "The link has not reached <b>it@northwind.example</b>" in page and "The portal mailed" not in page
    row = Handover.objects.get()
    page = text(signed_in(world, "operator").get(reverse("handover-page", args=[row.public_id])))
    assert "By a link that was not mailed to it@northwind.example" in page


def test_asking_that_reached_nobody_says_so_and_may_be_tried_again(visitor, offer, monkeypatch):
    handovers.revoke(offer.handover, actor=offer.handover.created_by)
    with monkeypatch.context() as patched:
        patched.setattr("clients.views.handover_link.send_handover_asked", lambda handover: False)
        page = text(visitor.post(LINK, {"code": offer.token, "ask": "1"}))
    assert "could not be sent just now" in page and "knows" not in page
    assert "knows</b> that you need a new link" in text(visitor.post(LINK, {"code": offer.token, "ask": "1"}))
    assert len(mail.outbox) == 1


def test_an_alarm_reaches_somebody_who_still_works_here(world, visitor, offer):
    visitor.post(LINK, {"code": offer.token, "show": "1", "pin": offer.pin})
    User.objects.filter(pk=world.people["operator"].pk).update(is_active=False)
    visitor.post(LINK, {"code": offer.token, "alarm": "1"})
    assert [letter.to for letter in mail.outbox] == [[world.people["administrator"].email]]


def test_somebody_who_left_is_offered_nothing_any_more(world, secret):
    member = world.people["developer"]
    handovers.offer_to_member(secret, member, hours=24, actor=world.people["operator"])
    people.deactivate(member, actor=world.people["administrator"])
    assert Handover.objects.get().state == HandoverState.REVOKED


def test_a_first_token_counts_for_the_secret_it_may_have_been_asked_for_with(world, offer, app_client, monkeypatch):
    handovers.reveal_by_link(offer.handover, offer.pin, address="192.0.2.1")
    seen = SimpleNamespace(per_day={}, last_issued_at=timezone.now(), reported_ending="")
    monkeypatch.setattr("clients.services.usage.claims_table.usage_of", lambda *args: seen)
    by = offer.handover.created_by
    other = Secret.objects.create(app_client=app_client, ending="zzzz", state="new", created_by=by)
    usage.refresh_usage(app_client)
    assert Handover.objects.get().first_token_at is None, "of two secrets nobody knows which"
    seen.reported_ending = offer.handover.secret.ending
    usage.refresh_usage(app_client)
    assert Handover.objects.get().first_token_at == seen.last_issued_at
    Handover.objects.update(first_token_at=None)
    Secret.objects.exclude(pk=other.pk).update(state="retired")
    usage.refresh_usage(app_client)
    assert Handover.objects.get().first_token_at is None
