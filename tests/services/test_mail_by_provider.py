"""Mail through a provider: SES by boto3 to the sandbox, Postmark's form of an API to a server of this test."""

import json
import threading
import urllib.request
from contextlib import contextmanager
from email.utils import formataddr
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core import mail
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from clients.models import AppClient, Handover, Invitation, Reminder, Tenant
from clients.services import handovers, reminders
from clients.services.mail import send_handover_link, send_invitation

SENDER = formataddr(("Härbourline", "no-reply@portal.example"))
KEY = "a-key-nobody-may-read-1234"


@pytest.fixture
def ses(world, settings):
    """SES sends for portal.example; the mails it took."""
    world.sandbox.aws("sesv2").create_email_identity(EmailIdentity="portal.example")
    settings.EMAIL_BACKEND, settings.DEFAULT_FROM_EMAIL = "anymail.backends.amazon_ses.EmailBackend", SENDER
    before = len(mails(world.sandbox))
    return lambda: mails(world.sandbox)[before:]


def mails(sandbox):
    with urllib.request.urlopen(f"{sandbox.endpoint}/_ministack/ses/messages", timeout=10) as answer:
        return [each for found in json.load(answer)["messages"].values() for each in found]


def fail(how, world, settings):
    """The provider takes nothing, in one of the ways it has."""
    if how == "rejected":
        settings.DEFAULT_FROM_EMAIL = "no-reply@elsewhere.example"
    else:
        world.sandbox.fault("SendEmail", how, times=9)


def recover(world, settings):
    world.sandbox.clear()
    settings.DEFAULT_FROM_EMAIL = SENDER


FAILURES = pytest.mark.parametrize(
    ("how", "why"),
    [("throttle", "TooManyRequestsException"), ("drop", "ConnectionClosedError"), ("error_500", "ClientError"),
     ("rejected", "MessageRejected")],
)  # fmt: skip


def test_ses_gets_the_mail_as_a_server_would(world, settings, ses):
    secret = world.create().secrets.get()
    Tenant.objects.update(contact_email="it@northwind.example")
    offer = handovers.offer_by_link(
        secret, hours=24, with_pin=True, email="it@northwind.example", actor=world.people["operator"]
    )
    settings.ORGANISATION = "Härbourline"
    assert send_handover_link(offer.handover, offer.token)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_handover_link(offer.handover, offer.token)
    (taken,), (letter,) = ses(), mail.outbox
    assert (taken["To"], taken["CC"], taken["BCC"]) == (letter.to, [], []) == (["it@northwind.example"], [], [])
    assert taken["Subject"] == letter.subject == "Härbourline sent you API credentials"
    assert "no-reply@portal.example" in taken["Source"]
    assert f"#{offer.token}" in letter.body and "Härbourline has API" in letter.body
    assert taken["BodyText"].splitlines() == letter.body.splitlines()
    assert taken["BodyHtml"].splitlines() == letter.alternatives[0].content.splitlines()


@FAILURES
def test_handover_ses_does_not_take_is_told_and_can_be_sent_again(world, client, settings, ses, caplog, how, why):
    app_client = world.create()
    client.force_login(world.people["operator"])
    Tenant.objects.update(contact_email="it@northwind.example")
    fail(how, world, settings)
    answer = client.post(reverse("handover-create", args=[app_client.public_id]), {"hours": "24", "to": "mail"})
    assert "did not take the mail" in client.get(answer.url).content.decode()
    assert Handover.objects.get().mailed_at is None and ses() == []
    assert f"handover_link not mailed: {why}" in caplog.messages
    assert [call["operation"] for call in world.sandbox.calls()].count("SendEmail") == 1
    recover(world, settings)
    client.post(reverse("handover-again", args=[Handover.objects.get().public_id]))
    assert [taken["To"] for taken in ses()] == [["it@northwind.example"]] and Handover.objects.first().mailed_at


@FAILURES
def test_reminder_ses_does_not_take_is_tried_again(world, settings, ses, how, why):
    world.create(contact=world.people["operator"])
    AppClient.objects.update(expires_at=timezone.now() + timezone.timedelta(days=6), remind_at=None)
    fail(how, world, settings)
    assert reminders.send_due() == 0 and not Reminder.objects.exists() and ses() == []
    recover(world, settings)
    AppClient.objects.update(remind_at=None)
    assert reminders.send_due() == len(ses()) == Reminder.objects.count() == 2


def test_ses_without_a_region_leaves_the_invitation_to_be_sent_again(world, client, settings, ses, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    client.force_login(world.people["administrator"])
    page = client.post("/people/invite/", {"email": "nora@portal.example", "role": "support"}, follow=True)
    assert "could not be sent" in page.content.decode() and Invitation.objects.open().count() == 1


@contextmanager
def postmark(status, document):
    """Answers each mail with this; (address, the requests received)."""
    received = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append((self.path, self.headers["X-Postmark-Server-Token"], body))
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()


def use_postmark(settings, url):
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = settings.ANYMAIL | {"POSTMARK_SERVER_TOKEN": KEY, "POSTMARK_API_URL": url}


def test_provider_with_a_key_gets_both_parts(settings):
    taken = {"ErrorCode": 0, "Message": "OK", "MessageID": "m1", "To": "nora@portal.example"}
    with postmark(200, taken) as (url, received):
        use_postmark(settings, url)
        assert send_invitation("nora@portal.example", "t0ken", inviter="Ada")
    ((path, key, body),) = received
    assert (path, key, body["To"]) == ("/email", KEY, "nora@portal.example")
    assert (
        "#t0ken" in body["TextBody"] and "#t0ken" in body["HtmlBody"] and body["Subject"].startswith("Your invitation")
    )


# Postmark's own words, from which anymail reads who was refused.
INACTIVE = (
    "You tried to send to a recipient that has been marked as inactive.\nFound inactive addresses: nora@portal.example.\n"
    "Inactive recipients are ones that have generated a hard bounce or a spam complaint."
)


@pytest.mark.parametrize(
    ("status", "document", "why"),
    [(401, {"ErrorCode": 10, "Message": f"No such token: {KEY}"}, "AnymailRequestsAPIError 401"),
     (429, {"ErrorCode": 1, "Message": "Too many"}, "AnymailRequestsAPIError 429"),
     (422, {"ErrorCode": 406, "Message": INACTIVE}, "AnymailRecipientsRefused")],
)  # fmt: skip
def test_provider_that_refuses_is_logged_without_key_or_link(settings, caplog, status, document, why):
    with postmark(status, document) as (url, _):
        use_postmark(settings, url)
        assert not send_invitation("nora@portal.example", "t0ken", inviter="Ada")
    assert f"invitation not mailed: {why}" in caplog.messages
    assert KEY not in caplog.text and "t0ken" not in caplog.text


def test_provider_nobody_reaches_is_logged(settings, caplog):
    use_postmark(settings, "http://127.0.0.1:9")
    assert not send_invitation("nora@portal.example", "t0ken", inviter="Ada")
    assert "invitation not mailed: ConnectionError" in caplog.messages and KEY not in caplog.text


def test_a_mail_that_fails_does_not_tell_which_addresses_have_an_account(world, settings, ses, client, caplog):
    answers = []
    for address in (world.people["operator"].email, "nobody@portal.example"):
        world.sandbox.fault("SendEmail", "error_500", times=9)
        cache.clear()  # one mail a minute for each address
        answers.append(client.post("/account/password/reset/", {"email": address}))
        world.sandbox.clear()
    assert [(each.status_code, each["Location"]) for each in answers] == [(302, "/account/password/reset/done/")] * 2
    assert "account/email/password_reset_key not mailed: ClientError" in caplog.text and KEY not in caplog.text
